"""What a channel was told by HTTP is taken in: stored, queued, overtaken replies cancelled, deliveries noted.

    call ─▶ channel.hear() ─▶ merged with what is stored ─▶ take_in ─┐
                         └──▶ what became of our replies ────────────┴─▶ one COMMIT ─▶ 200

A call tells one message and intake wants the conversation as it stands, so the newest stored messages are put
around what was told. Copies and any order are normal: a message has one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from loguru import logger

from src.channels import evidence
from src.channels.base import Hears
from src.db import conversations, inbox_queue, incidents, outbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.db.wakeup import Wakeup
from src.errors import StaleJob, TransientError
from src.model.hearing import DeliveryNote, Heard, Incoming, heard_conversation
from src.model.inbox import GUEST_SIDE, AuthorRole, MessageKind, SeenConversation, SeenMessage
from src.model.incidents import Found, IncidentKind
from src.model.rows import StoredConversation, StoredMessage
from src.model.sending import Delivery, Receipt
from src.model.statuses import OutboxStatus
from src.services.intake import Intake, Rules, take_in
from src.services.own_messages import store_sent
from src.services.sync import tell

LOOKED_AT = 50
"""How many of the newest stored messages are put around what was told."""
_TRIES = 3
_AWAITING = (OutboxStatus.PROCESSING, OutboxStatus.UNCONFIRMED)


@dataclass(frozen=True, slots=True)
class Hearing:
    """An account whose channel is told by HTTP."""

    account: str
    channel: Hears
    rules: Rules
    evidence_dir: Path
    """Where a call is kept of which something is not understood."""


def take(
    db: Database,
    wakeup: Wakeup,
    hearing: Hearing,
    call: Incoming,
    heard: Heard,
    clock: Callable[[], datetime],
) -> list[Intake]:
    """All that a call told, in one transaction. Repeatable: a second time does nothing. Blocking.

    TransientError (the database): nothing of it happened, the caller is to come again.
    """
    account, rules = hearing.account, hearing.rules
    personal_ids = hearing.channel.capabilities.ids_are_personal
    views = sorted(heard.views, key=lambda view: view.external_id)  # always locked in the same order
    for _ in range(_TRIES):
        try:
            with db.write() as conn:
                taken = [take_view(conn, account, view, rules=rules, clock=clock) for view in views]
                for note in heard.deliveries:
                    note_delivery(conn, account, note, clock())
                for what in heard.not_understood:
                    _note_not_understood(conn, account, what, clock())
        except StaleJob:
            continue  # the AI's answer moved one of the rows in the same instant
        if heard.not_understood:
            _keep(hearing, call, heard)
        for intake in taken:
            tell(intake, wakeup, personal_ids=personal_ids)
        return taken
    raise TransientError("others move the conversation's rows again and again")


def _note_not_understood(conn: Connection, account: str, what: str, now: datetime) -> None:
    known = {(one.kind, one.subject): one.id for one in incidents.open_ones(conn, account)}
    again = known.get((IncidentKind.NOT_UNDERSTOOD, what))
    if again is not None:
        incidents.still_so(conn, [again], now)
        return
    incidents.opened(conn, account, Found(IncidentKind.NOT_UNDERSTOOD, what, what), tell_at=now, now=now)


def _keep(hearing: Hearing, call: Incoming, heard: Heard) -> None:
    """The body for a person's eyes: a sender that comes again and again with it would help nobody."""
    words = ", ".join(heard.not_understood)
    try:
        path = evidence.keep(hearing.evidence_dir, evidence.NOT_UNDERSTOOD, call.body, ".body")
    except OSError as error:
        path = None
        logger.warning("A call that was not understood could not be kept: {}", type(error).__name__)
    line = logger.bind(account=hearing.account, evidence=str(path) if path else None)
    line.error("A call for account {} was not wholly understood: {}", hearing.account, words)


def take_view(
    conn: Connection,
    account: str,
    told: SeenConversation,
    *,
    rules: Rules,
    clock: Callable[[], datetime],
) -> Intake:
    """One conversation: what was told and what is stored become one view, which is taken in.

    Of one conversation serial, also between processes: its row is locked until the transaction ends.
    """
    conversation = conversations.ensure_named(conn, account, told.external_id, clock())
    conversations.lock(conn, conversation.id)
    now = clock()
    stored = conversations.messages_of(conn, conversation.id, LOOKED_AT)
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
    lines += [_Line(one, next_look, now) for key, one in news.items() if key not in by_id]
    ordered = _in_order(lines, max_age)
    return replace(
        told,
        messages=tuple(ordered),
        opened=True,
        has_older=has_older or told.has_older,
        last_activity_at=max((one.sent_at for one in ordered), default=told.last_activity_at),
    )


def _told_again(stored: StoredMessage, news: SeenMessage | None) -> SeenMessage:
    """A message that is told again (a copy, an edit, a deletion) stays where it was first told to stand."""
    return replace(news, sent_at=stored.sent_at) if news is not None else as_seen(stored)


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
    )


def stored_view(conn: Connection, conversation: StoredConversation, rules: Rules) -> SeenConversation:
    """The conversation as it was heard, for a channel whose remote keeps no history."""
    stored = conversations.messages_of(conn, conversation.id, LOOKED_AT)
    plain = heard_conversation(
        conversation.external_id,
        conversation.guest_name,
        (),
        conversation.last_activity_at or conversation.created_at,
    )
    return merged(plain, stored, rules.max_age, conversation.updated_at)


def note_delivery(conn: Connection, account: str, note: DeliveryNote, now: datetime) -> None:
    """What the remote says of one of our replies. It only rises; a late one may be the proof. Repeatable."""
    job = outbox_views.get(conn, note.key) if note.key else None
    job = job or outbox_views.by_receipt(conn, account, note.external_id)
    if job is None or job.account != account:
        return  # somebody else's message, or one from before this database
    if job.receipt_external_id is not None and job.receipt_external_id != note.external_id:
        return  # of an earlier press of this reply, which came to nothing
    if job.armed and job.status in _AWAITING and note.standing is not Delivery.FAILED:
        conversations.lock(conn, job.conversation_id)
        receipt = Receipt(note.external_id, note.at, note.standing)
        store_sent(conn, job, receipt, [job.status], now)
        return
    noted = outbox_queue.delivered(conn, job.id, note.standing, note.error, note.external_id)
    if noted and note.standing is Delivery.FAILED:
        logger.bind(job_id=job.id).error("Reply {} could not be delivered: {}", job.id, note.error)
