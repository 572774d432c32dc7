"""An answer as the messages that go out: how many there are, when each is due, what the first one says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from src.account import Account
from src.channels import registry
from src.db import conversations
from src.db.engine import Connection
from src.model.pace import WHOLE, Slot, plan
from src.model.rows import Job
from src.model.values import new_id
from src.services.bubbles import fit_parts, split_text
from src.services.disclosing import is_disclosed, with_disclosure
from src.services.said import join_parts


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message of an answer."""

    text: str
    slot: Slot = WHOLE


def in_one(conn: Connection, account: Account, conversation_id: str, parts: Sequence[str]) -> Outgoing:
    """The whole answer as one message: a draft, or where nobody is told that an AI answers."""
    return Outgoing(with_disclosure(conn, account, conversation_id, join_parts(parts)))


def in_parts(
    conn: Connection,
    account: Account,
    conversation_id: str,
    parts: Sequence[str],
    *,
    request_id: str | None,
    key: str,
    now: datetime,
) -> list[Outgoing]:
    """The answer as several messages with their times, where the channel can and people are told of the AI.

    ``parts`` are the AI's; one that is long is taken apart where the account keeps a human pace. ``key`` is the
    answer's own: the same key gives the same times.
    """
    capabilities = registry.find(account.channel).CAPABILITIES
    if not is_disclosed(conn, account):
        return [in_one(conn, account, conversation_id, parts)]
    human = getattr(account.own, "pace", "none") == "human"
    if len(parts) == 1 and human:
        texts = split_text(parts[0], capabilities.bubbles)
    else:
        texts = fit_parts(parts, capabilities.bubbles)
    texts[0] = with_disclosure(conn, account, conversation_id, texts[0])
    heard = _heard(conn, request_id, now) if human else None
    slots = plan(texts, key, group_id=new_id(), now=now, gap_sec=capabilities.gap_sec, heard=heard)
    return [Outgoing(text, slot) for text, slot in zip(texts, slots, strict=True)]


def _heard(conn: Connection, request_id: str | None, now: datetime) -> tuple[str, datetime]:
    """What the answer answers, and when we heard the last of it."""
    carried = conversations.messages_of_request(conn, request_id) if request_id else []
    if not carried:
        return "", now
    return "\n".join(m.text or "" for m in carried), max(m.seen_at for m in carried)


def says_same(jobs: Sequence[Job], message: str) -> bool:
    """Whether these parts say this, whatever the lines are broken like and whether it was said who answers."""
    said = " ".join(" ".join(job.text for job in jobs).split())
    wanted = " ".join(message.split())
    return said == wanted or said.endswith(f" {wanted}")
