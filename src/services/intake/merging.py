"""A message that was told alone becomes a view of its conversation, which is taken in.

A call tells one message and intake wants the conversation as it stands, so the newest stored messages are put
around what was told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from src.db import conversations, inbox_queue
from src.db.engine import Connection
from src.model.hearing import heard_conversation
from src.model.inbox import GUEST_SIDE, AuthorRole, MessageKind, SeenConversation, SeenMessage
from src.model.rows import StoredConversation, StoredMessage
from src.services.intake.context import Intake, Rules
from src.services.intake.taking import take_in

LOOKED_AT = 50
"""How many of the newest stored messages are put around what was told."""


Locked = tuple[StoredConversation, list[StoredMessage]]
"""A conversation whose row is locked, and its newest messages, oldest of them first."""


def lock_and_look(conn: Connection, account: str, external_id: str, now: datetime) -> Locked:
    """The conversation, made if need be. Nobody else takes anything in there until the transaction ends."""
    conversation = conversations.ensure_named(conn, account, external_id, now)
    conversations.lock(conn, conversation.id)
    return conversation, conversations.messages_of(conn, conversation.id, LOOKED_AT)


def take_view(
    conn: Connection,
    account: str,
    told: SeenConversation,
    *,
    rules: Rules,
    clock: Callable[[], datetime],
    locked: Locked | None = None,
) -> Intake:
    """One conversation: what was told and what is stored become one view, which is taken in.

    Of one conversation serial, also between processes: its row is locked until the transaction ends. ``locked``:
    the caller has done that, and looked.
    """
    conversation, stored = locked or lock_and_look(conn, account, told.external_id, clock())
    now, stored = clock(), [*stored]
    request = inbox_queue.open_request(conn, conversation.id)
    if request is not None:  # what is being asked belongs to the view, however far back its date puts it
        there = {message.id for message in stored}
        asked = conversations.messages_of_request(conn, request.id)
        stored += [one for one in asked if one.id not in there]
    return take_in(conn, account, merged(told, stored, rules.max_age, now), rules=rules, now=now)


def merged(
    told: SeenConversation, stored: list[StoredMessage], max_age: timedelta, now: datetime
) -> SeenConversation:
    """The conversation as it stands: the told messages among the stored ones. Pure."""
    has_older = len(stored) >= LOOKED_AT
    by_id = {message.external_id: message for message in stored}
    news = {message.external_id: message for message in told.messages}
    next_look = 1 + max((message.arrival for message in stored), default=0)
    lines = [
        _Line(
            _told_again(message, news.get(message.external_id)),
            message.arrival,
            message.seen_at,
            ours=message.outbox_id is not None,
        )
        for message in by_id.values()
    ]
    new = [one for key, one in news.items() if key not in by_id]
    lines += [_Line(one, next_look, now) for one in _one_after_the_other(new, stored)]
    ordered = _in_order(lines, max_age)
    return replace(
        told,
        messages=tuple(ordered),
        opened=True,
        has_older=has_older or told.has_older,
        last_activity_at=max((one.sent_at for one in ordered), default=told.last_activity_at),
    )


def _told_again(stored: StoredMessage, news: SeenMessage | None) -> SeenMessage:
    """A message that is told again (a copy, an edit, a deletion) stays where it was first told to stand.

    A copy of what it was before an edit or a deletion that has been heard since says nothing.
    """
    if news is None or (stored.deleted_at is not None and not news.deleted):
        return as_seen(stored)
    if stored.edited_at is not None and not news.deleted:
        older = news.edited_at is None or news.edited_at < stored.edited_at
        if older:
            return as_seen(stored)
    return replace(news, sent_at=stored.sent_at)


def _one_after_the_other(news: Sequence[SeenMessage], stored: Sequence[StoredMessage]) -> list[SeenMessage]:
    """Services tell whole seconds: what comes later in the same one stands later, by a microsecond."""
    taken = {message.sent_at for message in stored}
    placed = []
    for message in news:
        at = message.sent_at
        while at in taken:
            at += timedelta(microseconds=1)
        taken.add(at)
        placed.append(message if at == message.sent_at else replace(message, sent_at=at))
    return placed


class _Line:
    """A message and what its place depends on."""

    __slots__ = ("arrival", "message", "ours", "seen_at")

    def __init__(self, message: SeenMessage, arrival: int, seen_at: datetime, *, ours: bool = False) -> None:
        self.message = message
        self.arrival = arrival
        self.seen_at = seen_at
        self.ours = ours

    def is_work(self, max_age: timedelta) -> bool:
        """A person's message that was young when it was first heard, so that it waits for an answer."""
        if self.message.kind is MessageKind.REACTION:
            return False
        return self.message.role in GUEST_SIDE and self.seen_at - self.message.sent_at <= max_age


def _in_order(lines: list[_Line], max_age: timedelta) -> list[SeenMessage]:
    """By the service's time; but what a person wrote stands after whatever was asked or answered before it came.

    Nobody had it in hand when that happened, so it is not answered by it, whatever its date says. What was history
    already when it came (a backfill), and what our side wrote, stands where its date puts it.
    """
    latest: datetime | None = None
    places: dict[str, datetime] = {}
    reached: datetime | None = None
    for arrival in sorted({line.arrival for line in lines}):
        for line in (one for one in lines if one.arrival == arrival):
            at = line.message.sent_at
            work = line.is_work(max_age)
            places[line.message.external_id] = max(at, reached) if work and reached is not None else at
            if work or line.ours:
                latest = at if latest is None else max(latest, at)
        reached = latest
    ordered = sorted(
        lines, key=lambda line: (places[line.message.external_id], line.arrival, line.message.sent_at)
    )
    return [line.message for line in ordered]


def as_seen(message: StoredMessage) -> SeenMessage:
    """A stored message as the channel told it once."""
    deleted = message.deleted_at is not None
    return SeenMessage(
        external_id=message.external_id,
        author_id=None,
        author_name=message.sender_name,
        role=AuthorRole.HOST if message.origin == "assistant" else AuthorRole(message.origin),
        kind=MessageKind(message.kind),
        detail=message.detail,
        text=None if deleted else message.text,
        sent_at=message.sent_at,
        edited_at=message.edited_at,
        deleted=deleted,
        media=message.media,
    )


def stored_view(
    conn: Connection, conversation: StoredConversation, rules: Rules, most: int = LOOKED_AT
) -> SeenConversation:
    """The conversation as it was heard, its newest ``most`` messages; for a remote that keeps no history."""
    stored = conversations.messages_of(conn, conversation.id, most)
    plain = heard_conversation(
        conversation.external_id,
        conversation.guest_name,
        (),
        conversation.last_activity_at or conversation.created_at,
    )
    view = merged(plain, stored, rules.max_age, conversation.updated_at)
    return replace(view, has_older=len(stored) >= most)
