"""Is a reply still one of few, or does it go round in circles? Asked when it comes in, and again before the typing.

Over a cap nothing is dropped: the reply becomes a draft with a ``HoldReason``. What a person has approved passes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Protocol

from src.account import AccountSettings
from src.db import accounts, conversations, outbox_views
from src.db.engine import Connection
from src.model.caps import DAY, HOUR, Caps, HoldReason, Line, Replies, count_equal, over_cap
from src.model.rows import Job, StoredMessage


class _Count(Protocol):
    def __call__(
        self, conn: Connection, account: str, conversation_id: str, *, hour: datetime, day: datetime
    ) -> Replies: ...


_LINES = 80
"""So far back a loop is looked for; more than any sensible cap on rounds."""


def caps_of(settings: AccountSettings) -> Caps:
    """The settings that decide here."""
    return Caps(
        conversation_hour=settings.reply_cap_conversation_hour,
        conversation_day=settings.reply_cap_conversation_day,
        account_hour=settings.reply_cap_account_hour,
        rounds=settings.reply_cap_rounds,
        same_message=settings.reply_cap_same_message,
        same_reply=settings.reply_cap_same_reply,
    )


def hold_before_enqueue(
    conn: Connection, caps: Caps, account: str, conversation_id: str, text: str, now: datetime
) -> HoldReason | None:
    """Why a new reply with this text must wait for a person. Counts what went out and what waits to go out.

    Locks the account's row, so that answers which come in at the same time are counted one after the other.
    """
    accounts.lock(conn, account)
    said = outbox_views.automatic_texts(conn, conversation_id, now - DAY)
    return _over(
        conn, caps, outbox_views.automatic_replies, account, conversation_id, count_equal(text, said), now
    )


def hold_before_typing(
    conn: Connection, caps: Caps, job: Job, now: datetime, *, in_hand: int = 0
) -> HoldReason | None:
    """Why this claimed reply must wait for a person: replies that piled up during a halt go out all at once.

    ``in_hand``: how many others of the account were let out in this moment, and are not pressed yet.
    """
    if job.approved_at is not None or job.part > 1:
        return None  # a person asks for it, or the first part of the answer was let out
    said = outbox_views.pressed_texts(conn, job.conversation_id, now - DAY)
    equal = count_equal(job.text, said)
    pressed = outbox_views.pressed_replies
    return _over(conn, caps, pressed, job.account, job.conversation_id, equal, now, in_hand)


def _over(
    conn: Connection,
    caps: Caps,
    count: _Count,
    account: str,
    conversation_id: str,
    equal: int,
    now: datetime,
    in_hand: int = 0,
) -> HoldReason | None:
    replies = count(conn, account, conversation_id, hour=now - HOUR, day=now - DAY)
    replies = replace(replies, account_hour=replies.account_hour + in_hand)
    return over_cap(caps, replies, _lines(conn, conversation_id, now), equal)


def _lines(conn: Connection, conversation_id: str, now: datetime) -> list[Line]:
    """The messages of the last day, oldest first; those taken back are left out."""
    messages = [
        message
        for message in conversations.messages_of(conn, conversation_id, _LINES)
        if message.deleted_at is None and now - message.sent_at <= DAY
    ]
    if all(message.outbox_id is None for message in messages):
        return [_line(message, set()) for message in messages]
    approved = outbox_views.approved_ids(conn, conversation_id)
    parts = outbox_views.later_part_ids(conn, conversation_id)  # an answer in several parts is one line
    return [_line(message, approved) for message in messages if message.outbox_id not in parts]


def _line(message: StoredMessage, approved: set[str]) -> Line:
    by_person = message.outbox_id is not None and message.outbox_id in approved
    return Line(message.origin, message.kind, message.text or "", message.sent_at, by_person)
