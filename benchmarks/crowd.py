"""A database of an inbox that has been answered for two years: invented guests, everything in every state."""

from __future__ import annotations

import base64
import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert

from src.db import accounts
from src.db.engine import Database
from src.db.statements import CONVERSATIONS, INBOX, MESSAGES, MODES, OUTBOX
from src.model.values import DEFAULT_ACCOUNT as A

GUESTS = (
    "Camille Roux", "Jonas Weber", "Aiko Tanaka", "Lucía Romero", "Tom Baker", "Inès Morel", "Piotr Nowak",
    "Amara Okafor", "Liam Byrne", "Giulia Conti", "Noor Haddad", "Freja Lund", "Mateo Silva", "Hannah Vogel",
)  # fmt: skip
QUESTIONS = (
    "Hello! Is there a cot for our baby, and could you leave fresh towels for four?",
    "Bonjour, peut-on arriver vers 13 h ? Notre train est en avance.",
    "Hi, what is the wifi password?",
    "Wo kann man in der Nähe parken?",
    "Do you allow a small dog? He is very quiet.",
    "Merci beaucoup pour votre accueil, tout était parfait !",
)
ANSWERS = (
    "Hello! Yes, a cot is ready for you in the bedroom, and there will be towels for everybody.",
    "Bonjour ! Oui, vous pouvez arriver à 13 h, le logement sera prêt.",
    "Hi! The wifi's name and password are on the small card beside the router in the hall.",
    "Guten Tag! Direkt vor dem Haus ist ein Parkplatz für Sie frei.",
)
_PER = 10
_YEARS = timedelta(days=730)


def fill(db: Database, now: datetime, conversations: int, *, seed: int = 7) -> list[str]:
    """So many conversations with ten messages each; returns the site's ids, the newest conversation first."""
    chance = random.Random(seed)
    rows: dict[str, list[dict[str, Any]]] = {"c": [], "i": [], "o": [], "m": []}
    ids = []
    for number in range(conversations):
        age = _YEARS * (number / conversations) ** 1.6 + timedelta(minutes=3)
        ids.append(_conversation(rows, number, now - age, chance))
    with db.write() as conn:
        accounts.ensure(conn, A, now)
        for worker in ("sync", "send", "ai_webhook"):
            accounts.beat(conn, A, worker, process_id=1, hostname="bench", now=now, started=True)
            seen = 24 if worker == "sync" else None
            accounts.cycle_done(
                conn, A, worker, outcome="0 changed", duration_ms=80, ok=True, now=now, rows_seen=seen
            )
        for table, name in ((CONVERSATIONS, "c"), (INBOX, "i"), (OUTBOX, "o"), (MESSAGES, "m")):
            for start in range(0, len(rows[name]), 5_000):
                conn.execute(insert(table), rows[name][start : start + 5_000])
        rule = {"account": A, "mode": "draft", "updated_at": now}
        for scope, scope_id in (("listing", "listing-3"), ("conversation", "c5")):
            conn.execute(insert(MODES), [rule | {"scope": scope, "scope_id": scope_id}])
        conn.exec_driver_sql("ANALYZE")
    return ids


def _conversation(
    rows: dict[str, list[dict[str, Any]]], number: int, last: datetime, chance: random.Random
) -> str:
    home = f"c{number}"
    external = base64.b64encode(f"MessageThread:{1_000_000 + number}".encode()).decode()
    guest = GUESTS[number % len(GUESTS)]
    rows["c"].append(
        {
            "id": home, "account": A, "external_id": external, "kind": "stay", "guest_name": guest,
            "listing_id": f"listing-{number % 8}", "stay": '{"summary": "2 guests · 3 nights"}',
            "skip_reason": "not_a_stay" if number % 97 == 96 else None, "last_activity_at": last,
            "seen_at": last, "created_at": last - timedelta(days=3), "updated_at": last,
        }
    )  # fmt: skip
    for turn in range(_PER // 2):
        asked = last - timedelta(hours=3 * (_PER // 2 - 1 - turn), seconds=90)
        newest = turn == _PER // 2 - 1
        _turn(rows, number, turn, asked, chance, state=_state(number) if newest else "sent")
    return external


def _state(number: int) -> str:
    """The end of a conversation: most are answered; of the newest, some are in every other state."""
    odd = {
        2: "draft",
        4: "escalated",
        7: "pending",
        9: "draft",
        13: "failed",
        15: "cancelled",
        21: "unconfirmed",
    }
    return odd.get(number, "cancelled" if number % 23 == 22 else "sent")


def _turn(
    rows: dict[str, list[dict[str, Any]]],
    number: int,
    turn: int,
    asked: datetime,
    chance: random.Random,
    *,
    state: str,
) -> None:
    """A guest's message, and what became of it."""
    name, home = f"{number}-{turn}", f"c{number}"
    done = asked + timedelta(seconds=chance.uniform(20, 85))
    request = {
        "id": f"r{name}", "account": A, "conversation_id": home,
        "status": "escalated" if state == "escalated" else "answered",
        "reason": "escalated_by_ai" if state == "escalated" else None, "newest_external_id": f"g{name}",
        "due_at": asked, "burst_until": asked, "reply_by": asked + timedelta(hours=24), "attempts": 1,
        "accepted_at": asked + timedelta(seconds=16), "created_at": asked + timedelta(seconds=1),
        "processed_at": asked + timedelta(seconds=18),
    }  # fmt: skip
    rows["i"].append(request)
    guest = GUESTS[number % len(GUESTS)]
    message = {
        "account": A, "conversation_id": home, "kind": "text", "detail": "TEXT_CONTENT", "seen_at": asked,
        "edited_at": None, "deleted_at": None, "skip_reason": None, "outbox_id": None,
    }  # fmt: skip
    rows["m"].append(
        message
        | {"id": f"g{name}", "external_id": f"g{name}", "direction": "inbound", "origin": "guest"}
        | {"sender_name": guest, "text": chance.choice(QUESTIONS), "sent_at": asked, "request_id": f"r{name}"}
    )
    answer = chance.choice(ANSWERS)
    if state != "escalated":
        rows["o"].append(_job(name, home, state, answer, asked, done))
    if state in {"sent", "escalated"}:
        ours = state == "sent" and number % 11 != 10
        rows["m"].append(
            message
            | {"id": f"h{name}", "external_id": f"h{name}", "direction": "outbound", "request_id": None}
            | {"origin": "assistant" if ours else "host", "sender_name": "Hanna", "text": answer}
            | {"sent_at": done if state == "sent" else asked - timedelta(hours=1)}
            | {"outbox_id": f"o{name}" if ours else None}
        )


def _job(name: str, home: str, state: str, text: str, asked: datetime, done: datetime) -> dict[str, Any]:
    final = state not in {"draft", "pending"}
    armed = state in {"sent", "unconfirmed"}
    reasons = {
        "draft": "approval_required",
        "cancelled": "host_answered",
        "unconfirmed": "no_proof",
        "failed": "no_such_conversation",
    }
    return {
        "id": f"o{name}", "account": A, "conversation_id": home, "request_id": f"r{name}", "status": state,
        "reason": reasons.get(state), "text": text, "idempotency_key": f"request:r{name}", "due_at": asked,
        "attempts": 1, "arm_count": int(armed), "armed_at": done if armed else None,
        "receipt_external_id": f"h{name}" if state == "sent" else None,
        "created_at": asked + timedelta(seconds=18), "processed_at": done if final else None,
    }  # fmt: skip
