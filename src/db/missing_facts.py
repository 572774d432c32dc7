"""Questions that the host's knowledge does not answer (``missing_facts``): one function for each move."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from src.db import translations
from src.db.statements import (
    CONVERSATIONS,
    INBOX,
    MISSING,
    MISSING_REQUESTS,
    RowShape,
    insert_into,
    literal,
    moved,
    one_or_none,
    rows,
)
from src.model.rows import MissingFact
from src.model.statuses import InboxStatus
from src.model.values import new_id

OPEN, ANSWERED, DISMISSED = "open", "answered", "dismissed"
STATES = (OPEN, ANSWERED, DISMISSED)
_F, _R = MISSING.c, MISSING_REQUESTS.c
_FACT = RowShape.of(MissingFact, MISSING)


def ask(
    conn: Connection,
    listing_id: str | None,
    topic: str | None,
    question: str,
    *,
    request_id: str | None,
    now: datetime,
) -> MissingFact:
    """A guest asks what no fact answers. The same question of the same listing is counted in its row.

    One that was answered is open again: the fact has ended, or this guest may not be told it. One that was
    dismissed stays so. Repeatable for a request: it is counted once.
    """
    key = _key(listing_id, question)
    known = rows(conn, _FACT.select.where(_F.question_key == key), _FACT)
    if known:
        fact = known[0]
        if request_id is None or _attach(conn, fact.id, request_id):
            changes = {"asked": fact.asked + 1, "last_asked_at": now}
            if fact.state == ANSWERED:
                changes |= {"state": OPEN, "answered_at": None}
            fact = moved(conn, _FACT.update.where(_F.id == fact.id).values(changes), _FACT, "ask")
        return fact
    values = {
        "id": new_id(),
        "listing_id": listing_id,
        "topic": topic,
        "question": question,
        "question_key": key,
        "asked": 1,
        "first_asked_at": now,
        "last_asked_at": now,
        "state": OPEN,
    }
    statement = _FACT.insert(conn).on_conflict_do_nothing(index_elements=["question_key"])
    made = one_or_none(conn, statement, _FACT, values)
    if made is None:  # another process was quicker
        return ask(conn, listing_id, topic, question, request_id=request_id, now=now)
    if request_id is not None:
        _attach(conn, made.id, request_id)
    return made


def get(conn: Connection, fact_id: str) -> MissingFact | None:
    found = rows(conn, _FACT.select.where(_F.id == fact_id), _FACT)
    return found[0] if found else None


def list_facts(conn: Connection, state: str | None = OPEN, limit: int = 500) -> list[MissingFact]:
    """Those in a state (None: all), the one that was asked last first."""
    wanted = _FACT.select.order_by(_F.last_asked_at.desc(), _F.id).limit(limit)
    return rows(conn, wanted if state is None else wanted.where(_F.state == state), _FACT)


def count_open(conn: Connection) -> int:
    """How many questions wait for the host."""
    return int(conn.execute(select(func.count()).where(_F.state == OPEN)).scalar_one())


def open_of_requests(conn: Connection, request_ids: Collection[str]) -> dict[str, list[MissingFact]]:
    """By request: the open questions that it waits for."""
    if not request_ids:
        return {}
    wanted = select(_R.request_id, *_FACT.columns).join(MISSING, _F.id == _R.missing_fact_id)
    wanted = wanted.where(_R.request_id.in_(list(request_ids)), _F.state == OPEN)
    found: dict[str, list[MissingFact]] = {}
    for request_id, *row in conn.execute(wanted.order_by(_F.first_asked_at, _F.id)):
        found.setdefault(request_id, []).append(_FACT.make(*row))
    return found


@dataclass(frozen=True, slots=True)
class Asker:
    """A guest whose message is left to a person because the fact is missing."""

    conversation_id: str
    """The site's id."""
    guest_name: str | None
    account: str


def askers_of(conn: Connection, fact_ids: Collection[str]) -> dict[str, list[Asker]]:
    """By missing fact: who asked it and is left to a person, each conversation once."""
    if not fact_ids:
        return {}
    home = MISSING_REQUESTS.join(INBOX, INBOX.c.id == _R.request_id).join(
        CONVERSATIONS, CONVERSATIONS.c.id == INBOX.c.conversation_id
    )
    wanted = (
        select(
            _R.missing_fact_id,
            CONVERSATIONS.c.external_id,
            CONVERSATIONS.c.guest_name,
            CONVERSATIONS.c.account,
        )
        .select_from(home)
        .where(_R.missing_fact_id.in_(list(fact_ids)), INBOX.c.status == literal(InboxStatus.ESCALATED))
        .distinct()
        .order_by(CONVERSATIONS.c.guest_name, CONVERSATIONS.c.external_id)
    )
    found: dict[str, list[Asker]] = {}
    for fact_id, *row in conn.execute(wanted):
        found.setdefault(fact_id, []).append(Asker(*row))
    return found


def requests_of(conn: Connection, fact_id: str) -> list[str]:
    """The requests that wait for it."""
    found = conn.execute(select(_R.request_id).where(_R.missing_fact_id == fact_id).order_by(_R.request_id))
    return list(found.scalars())


def answered(conn: Connection, fact_id: str, path: str, now: datetime) -> MissingFact:
    """The host has answered; ``path`` is the fact it became. StaleJob if it is answered already."""
    values = {"state": ANSWERED, "answered_at": now, "path": path}
    statement = _FACT.update.where(_F.id == fact_id, _F.state != ANSWERED).values(values)
    return moved(conn, statement, _FACT, "answered")


def dismissed(conn: Connection, fact_id: str) -> MissingFact:
    """The host does not want to answer it, now or later. StaleJob if it is answered. Repeatable."""
    statement = _FACT.update.where(_F.id == fact_id, _F.state != ANSWERED).values(state=DISMISSED)
    return moved(conn, statement, _FACT, "dismissed")


def purge(conn: Connection, before: datetime) -> int:
    """Take out those that nobody has asked since then; returns how many. Repeatable."""
    return _delete(conn, list(conn.execute(select(_F.id).where(_F.last_asked_at < before)).scalars()))


def forget(conn: Connection, request_ids: Sequence[str]) -> int:
    """Take out what these requests alone have asked, and that they asked it; returns how many facts went.

    One that is answered stays: it is the host's own by then. Repeatable.
    """
    if not request_ids:
        return 0
    mine = _R.request_id.in_(request_ids)
    concerned = list(conn.execute(select(_R.missing_fact_id).where(mine).distinct()).scalars())
    conn.execute(delete(MISSING_REQUESTS).where(mine))
    others = set(conn.execute(select(_R.missing_fact_id).where(_R.missing_fact_id.in_(concerned))).scalars())
    kept = set(conn.execute(select(_F.id).where(_F.id.in_(concerned), _F.state == ANSWERED)).scalars())
    return _delete(conn, [one for one in concerned if one not in others | kept])


def _delete(conn: Connection, ids: Sequence[str]) -> int:
    conn.execute(delete(MISSING_REQUESTS).where(_R.missing_fact_id.in_(ids)))
    translations.forget(conn, ids)
    return conn.execute(delete(MISSING).where(_F.id.in_(ids))).rowcount


def _attach(conn: Connection, fact_id: str, request_id: str) -> bool:
    """Note that the request waits for it. False if that is known."""
    statement = insert_into(conn, MISSING_REQUESTS).values(missing_fact_id=fact_id, request_id=request_id)
    made = conn.execute(statement.on_conflict_do_nothing().returning(_R.request_id))
    return made.one_or_none() is not None


def _key(listing_id: str | None, question: str) -> str:
    words = " ".join("".join(char if char.isalnum() else " " for char in question.casefold()).split())
    return f"{listing_id or ''}:{hashlib.sha256(words.encode()).hexdigest()[:32]}"
