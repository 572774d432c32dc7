"""A person of our side takes a visitor's conversation over from the AI, and gives it back. The visitor is told.

Between the two the mode of the conversation is off, so nothing goes out by itself; what the person writes does
(``person_messages.py``).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from loguru import logger

from src.account import WIDGET, Account
from src.db import accounts, conversations, shown
from src.db.engine import Connection, Database
from src.db.wakeup import Wakeup
from src.model.inbox import AuthorRole, MessageKind, SeenMessage
from src.model.rows import StoredConversation, StoredMessage
from src.model.values import JOINED, LEFT, Direction, ReplyMode, new_id
from src.services.refusals import Conflict, Malformed, NotFound
from src.services.switches import hold_what_waits

LONGEST_NAME = 60


def take_over(
    db: Database, wakeup: Wakeup, account: Account, external_id: str, name: str | None, *, now: datetime
) -> str | None:
    """The visitor sees that ``name`` has joined (None: as WIDGET_PERSON says). Repeatable; also by another person.

    Returns the name. What the AI has answered and was not sent becomes a draft. Raises ``NotFound``, ``Malformed``
    for a name that cannot be shown, and ``Conflict`` (``cannot_take_over``) where nobody could be told. Blocks.
    """
    who = _name(name) or getattr(account.own, "person", None)
    with db.write() as conn:
        found = _locked(conn, account, external_id)
        note = last_note(conn, found)
        if not (note is not None and note.detail == JOINED and note.sender_name == who):
            _put_note(conn, found, JOINED, who, now)
            wakeup.notify_in(conn, "messages")
        accounts.set_mode(conn, account.name, "conversation", found.id, ReplyMode.OFF, now)
        held = hold_what_waits(
            conn, account.name, "conversation", found.id, ReplyMode(account.settings.reply_mode)
        )
    logger.bind(conversation_id=found.id, held=held).info("a person took a conversation over")
    return who


def give_back(db: Database, wakeup: Wakeup, account: Account, external_id: str, *, now: datetime) -> None:
    """The AI answers again, at once. Repeatable. Raises as ``take_over``. Blocks."""
    with db.write() as conn:
        found = _locked(conn, account, external_id)
        note = last_note(conn, found)
        if note is None or note.detail != JOINED:
            return
        _put_note(conn, found, LEFT, note.sender_name, now)
        wakeup.notify_in(conn, "messages")
        accounts.clear_mode(conn, account.name, "conversation", found.id)
        conversations.end_human_pause(conn, found.id)
    logger.bind(conversation_id=found.id).info("a person gave a conversation back to the AI")


def last_note(conn: Connection, conversation: StoredConversation) -> StoredMessage | None:
    """That a person took the conversation over, or gave it back, whichever was last; None if nobody ever did."""
    notes = shown.notes_of(conn, conversation.id)
    return notes[-1] if notes else None


def _locked(conn: Connection, account: Account, external_id: str) -> StoredConversation:
    if account.channel != WIDGET:
        raise Conflict("cannot_take_over", "only a site's visitors can be told that a person has joined")
    found = conversations.by_external_id(conn, account.name, external_id)
    if found is None:
        raise NotFound("there is no conversation with this id")
    conversations.lock(conn, found.id)
    return found


def _put_note(
    conn: Connection, conversation: StoredConversation, what: str, name: str | None, now: datetime
) -> None:
    newest = conversations.messages_of(conn, conversation.id, 1)
    at = max([now, *(one.sent_at + timedelta(microseconds=1) for one in newest)])
    # Of the kind that asks for nothing and answers nothing: what stands before it is still the newest.
    note = SeenMessage(f"note-{new_id()}", None, name, AuthorRole.SITE, MessageKind.REACTION, what, None, at)
    conversations.insert_message(
        conn,
        conversation.account,
        conversation.id,
        note,
        direction=Direction.SYSTEM,
        origin=str(AuthorRole.SITE),
        skip_reason=None,
        arrival=conversations.next_arrival(conn, conversation.id),
        now=now,
    )


def _name(text: str | None) -> str | None:
    text = " ".join((text or "").split())
    if len(text) > LONGEST_NAME or not text.isprintable():
        raise Malformed("name", f"must be up to {LONGEST_NAME} printable characters")
    return text or None
