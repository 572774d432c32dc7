"""What waits for a person: one list, for the overview, for alerts and for the conversations' pages. Read-only.

draft          a reply waits for approval
unconfirmed    Send was pressed, the proof is missing
failed         a reply could not be delivered
stuck          a reply should have left long ago
unanswered     a guest's message that is left to a person: by the AI, by time, or by the gate
unreadable     a photo, a card or something else that no machine reads
late           a guest's message that nobody has answered, while its 24 hours are nearly over
               (the first message of an inquiry or a request: while half of them are over)
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    not_,
    null,
    or_,
    select,
)

from src.db import accounts
from src.db.answers import is_answer
from src.db.conversations import waits_again, written_at
from src.db.statements import CONVERSATIONS, INBOX, MESSAGES, OUTBOX, Unindexed, alias, literal
from src.model.gate import Refusal
from src.model.incidents import URGENT_CLASSES
from src.model.stages import stage_of
from src.model.statuses import FINAL_OUTBOX, InboxStatus, OutboxStatus
from src.model.values import Direction

LOOK_BACK = timedelta(days=7)
"""Older items are no longer shown on the overview; the lists still have them."""
RESPONSE_CLOCK = timedelta(hours=24)
"""Airbnb counts whether new inquiries are answered within it (field guide; its help pages on the response rate)."""
CLOCK_LEFT = timedelta(hours=4)
"""With less than this left, whatever is not answered waits for a person."""
INQUIRY_HALFWAY = RESPONSE_CLOCK / 2
"""From here on the first message of an inquiry or a request waits for a person: it counts for the response rate."""
UNTOUCHED = timedelta(minutes=20)
"""A reply leaves within seconds. After this time something is in its way."""
WORDS_NOT_SENT = "words_not_sent"
"""Why a message waits again that a person had answered here: the words were cancelled."""
_MOST = 200
"""How many of one kind are listed; for more, the page says that there are many."""
_UNREADABLE = [str(r) for r in (Refusal.MEDIA, Refusal.CARD, Refusal.UNSUPPORTED)]
_NOTHING: ColumnElement[Any] = null()
_ACCOUNT: BindParameter[str] = bindparam("p_account")
_HOME: BindParameter[str] = bindparam("p_conversation")
_SINCE: BindParameter[datetime] = bindparam("p_since")
_BEFORE: BindParameter[datetime] = bindparam("p_before")
_DAY_AGO: BindParameter[datetime] = bindparam("p_day_ago")
"""Statements are made once: every page asks them, and making one takes several times as long as its answer."""
_SET_ASIDE = [str(r) for r in (Refusal.NOT_THE_NEWEST, Refusal.CROSSED_OUR_REPLY, Refusal.CANNOT_BE_OPENED)]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that only a person can settle. ``what``: one of the words at the top of this module."""

    what: str
    reason: str | None
    conversation_id: str
    """The site's id."""
    guest_name: str | None
    asked_at: datetime
    """When the guest wrote what this is about."""
    asked: str | None
    first: bool
    """Nobody of the host's side has ever written in the conversation; a holding text is no answer."""
    subject: str
    """Our id of the reply that waits, else of the guest's message."""
    since: datetime
    """Since when it waits for a person."""
    job_id: str | None = None
    reply: str | None = None
    reply_by: datetime | None = None
    """Of a draft: after this it cannot be sent any more."""
    written_at: datetime | None = None
    """Of what is left to a person: the newest that the guest has written of it, or changed."""
    hard_class: str | None = None
    """What the AI says that the message is about, where it leaves it to a person."""
    stage: str = "inquiry"
    """Of the stay (``model/stages.py``)."""
    listing_id: str | None = None
    stay: dict[str, str] = field(default_factory=dict)
    """What the inbox shows of it (``conversations.stay``)."""

    @property
    def opens_inquiry(self) -> bool:
        """It is about the first message of an inquiry or a request, and no answer has been sent."""
        return self.first and self.stage in {"inquiry", "request"}

    def is_halfway(self, now: datetime) -> bool:
        """It opens an inquiry or a request, and half of the 24 hours are over, but not yet nearly all."""
        return self.opens_inquiry and INQUIRY_HALFWAY <= now - self.asked_at < RESPONSE_CLOCK - CLOCK_LEFT

    def is_too_late(self, now: datetime) -> bool:
        """It is a draft that is of no use any more."""
        return self.what == OutboxStatus.DRAFT and self.reply_by is not None and now > self.reply_by

    def is_urgent(self, now: datetime) -> bool:
        """It cannot wait for the morning."""
        return self.hard_class in URGENT_CLASSES or self.nearly_over(now)

    def nearly_over(self, now: datetime) -> bool:
        """Less than four of the guest's 24 hours are left, and they are not over."""
        return RESPONSE_CLOCK - CLOCK_LEFT <= now - self.asked_at < RESPONSE_CLOCK


def waiting(conn: Connection, account: str, now: datetime, *, sent: bool = True) -> list[Waiting]:
    """Everything that waits for a person, the oldest message first. Each message and each reply is there once.

    ``sent``: a worker sends the replies; else they wait for the caller, and none of them is stuck.
    """
    since, day_ago = now - LOOK_BACK, now - RESPONSE_CLOCK
    found = [
        *_made(conn, _jobs_waiting(), p_account=account, p_since=since),
        *(_stuck(conn, account, now) if sent else []),
        *_made(conn, _requests_waiting("account"), p_account=account, p_since=since),
        *_made(conn, _messages_waiting("account"), p_account=account, p_since=since, p_day_ago=day_ago),
    ]
    return sorted(_with_late(found, _late(conn, account, now)), key=lambda one: one.asked_at)


def _with_late(found: list[Waiting], late: list[Waiting]) -> list[Waiting]:
    """A reply that nobody asked for by a request gets the clock of the message that waits above it."""
    by_conversation = {one.conversation_id: one for one in late}
    joined = []
    for one in found:
        message = by_conversation.get(one.conversation_id)
        if message is not None and (one.asked is None or one.asked_at == message.asked_at):
            del by_conversation[one.conversation_id]
            one = replace(one, asked_at=message.asked_at, asked=message.asked)  # noqa: PLW2901
        joined.append(one)
    return [*joined, *by_conversation.values()]


def left_to_a_person(conn: Connection, conversation_id: str, now: datetime) -> list[Waiting]:
    """What of one conversation (our id) a person has to answer, or to see to. The oldest message first."""
    values = {"p_conversation": conversation_id, "p_since": now - LOOK_BACK}
    day_ago = now - RESPONSE_CLOCK
    found = [
        *_made(conn, _requests_waiting("conversation_id"), **values),
        *_made(conn, _messages_waiting("conversation_id"), **values, p_day_ago=day_ago),
    ]
    return sorted(found, key=lambda one: one.asked_at)


def newest_of_request() -> ColumnElement[bool]:
    """Joins a request with the newest message that it carries."""
    return and_(MESSAGES.c.account == INBOX.c.account, MESSAGES.c.external_id == INBOX.c.newest_external_id)


# --- replies ---------------------------------------------------------------------------------------------


def _of(table: Table, by: str) -> ColumnElement[bool]:
    """That a row is of the account, or of the conversation, that is asked about."""
    return table.c[by] == (_ACCOUNT if by == "account" else _HOME)


@cache
def _jobs_waiting() -> list[Select[Any]]:
    again = alias(OUTBOX, "again")
    replaced = exists().where(
        again.c.conversation_id == OUTBOX.c.conversation_id, again.c.replaces_id == OUTBOX.c.id
    )
    found: list[Select[Any]] = []
    for status in (OutboxStatus.DRAFT, OutboxStatus.UNCONFIRMED, OutboxStatus.FAILED):
        ended = OUTBOX.c.processed_at if status in FINAL_OUTBOX else OUTBOX.c.created_at
        mine = _jobs(OUTBOX.c.status, func.coalesce(ended, OUTBOX.c.created_at, type_=ended.type))
        mine = mine.where(_of(OUTBOX, "account"), OUTBOX.c.status == literal(status), not_(replaced))
        if status in FINAL_OUTBOX:
            mine = mine.where(OUTBOX.c.processed_at >= _SINCE)
        if status is OutboxStatus.FAILED:
            mine = mine.where(not_(_answered_later(OUTBOX.c.conversation_id, OUTBOX.c.created_at)))
        found.append(mine.order_by(Unindexed(OUTBOX.c.created_at)).limit(_MOST))
    return found


def _stuck(conn: Connection, account: str, now: datetime) -> list[Waiting]:
    """Replies that should have left. What waits for a person, or for its turn after a halt, is not stuck."""
    state = accounts.find(conn, account)
    if state is None or state.halted or state.paused:
        return []
    if state.halt_cleared_at is not None and now - state.halt_cleared_at < UNTOUCHED:
        return []
    return _made(conn, _stuck_jobs(), p_account=account, p_before=now - UNTOUCHED)


@cache
def _stuck_jobs() -> list[Select[Any]]:
    mine = _jobs(literal_column("'stuck'"), OUTBOX.c.created_at).where(
        _of(OUTBOX, "account"),
        OUTBOX.c.status.in_([literal(OutboxStatus.PENDING), literal(OutboxStatus.PROCESSING)]),
        Unindexed(OUTBOX.c.created_at) < _BEFORE,  # few are under way, however many there were
        or_(OUTBOX.c.approved_at.is_(None), OUTBOX.c.approved_at < _BEFORE),
    )
    return [mine.order_by(Unindexed(OUTBOX.c.created_at)).limit(_MOST)]


def _jobs(what: ColumnElement[Any], since: ColumnElement[datetime]) -> Select[Any]:
    home: FromClause = OUTBOX.join(CONVERSATIONS, CONVERSATIONS.c.id == OUTBOX.c.conversation_id)
    home = home.outerjoin(INBOX, INBOX.c.id == OUTBOX.c.request_id).outerjoin(MESSAGES, newest_of_request())
    return select(
        what.label("what"),
        OUTBOX.c.reason.label("reason"),
        CONVERSATIONS.c.external_id.label("conversation_id"),
        CONVERSATIONS.c.guest_name.label("guest_name"),
        func.coalesce(MESSAGES.c.sent_at, OUTBOX.c.created_at, type_=MESSAGES.c.sent_at.type).label(
            "asked_at"
        ),
        MESSAGES.c.text.label("asked"),
        _never_answered(OUTBOX.c.conversation_id).label("first"),
        OUTBOX.c.id.label("subject"),
        since.label("since"),
        OUTBOX.c.id.label("job_id"),
        OUTBOX.c.text.label("reply"),
        INBOX.c.reply_by.label("reply_by"),
        CONVERSATIONS.c.stay.label("stay"),
        CONVERSATIONS.c.listing_id.label("listing_id"),
    ).select_from(home)


# --- guests' messages ------------------------------------------------------------------------------------


@cache
def _requests_waiting(by: str) -> list[Select[Any]]:
    """Requests that ended without an answer, and that nobody has answered, or seen to, since."""
    newer = alias(INBOX, "newer")
    overtaken = exists().where(
        newer.c.conversation_id == INBOX.c.conversation_id, newer.c.created_at > INBOX.c.created_at
    )
    home = INBOX.join(CONVERSATIONS, CONVERSATIONS.c.id == INBOX.c.conversation_id).join(
        MESSAGES, newest_of_request()
    )
    carried = alias(MESSAGES, "carried")
    written = select(func.max(written_at(carried))).where(carried.c.request_id == INBOX.c.id)
    newest = func.coalesce(written.scalar_subquery(), MESSAGES.c.sent_at, type_=MESSAGES.c.sent_at.type)
    found: list[Select[Any]] = []
    for status in (InboxStatus.ESCALATED, InboxStatus.FAILED, InboxStatus.EXPIRED, InboxStatus.CANCELLED):
        theirs = status is InboxStatus.CANCELLED  # a person wrote instead of the AI
        wanted = (
            _of_message(
                literal_column("'unanswered'"),
                literal_column(f"'{WORDS_NOT_SENT}'")
                if theirs
                else func.coalesce(INBOX.c.reason, str(status)),
                since=func.coalesce(INBOX.c.processed_at, INBOX.c.created_at, type_=INBOX.c.created_at.type),
                written=newest,
                hard_class=INBOX.c.hard_class,
            )
            .select_from(home)
            .where(
                _of(INBOX, by),
                INBOX.c.status == literal(status),
                INBOX.c.processed_at >= _SINCE,
                not_(overtaken),
                not_(_answered_later(INBOX.c.conversation_id, MESSAGES.c.sent_at)),
                not_(_is_being_answered()),
                waits_again(newest),
            )
        )
        if theirs:
            wanted = wanted.where(_words_came_to_nothing())
        found.append(wanted.order_by(Unindexed(INBOX.c.processed_at).desc()).limit(_MOST))
    return found


@cache
def _messages_waiting(by: str) -> list[Select[Any]]:
    """Guests' messages that no AI was asked about, and that nobody has answered, or seen to.

    One that was too old for an answer is somebody's work only while its 24 hours run; then it is history.
    """
    unread = MESSAGES.c.skip_reason.in_(_UNREADABLE)
    wanted = (
        _of_message(
            case((unread, literal_column("'unreadable'")), else_=literal_column("'unanswered'")),
            MESSAGES.c.skip_reason,
            since=MESSAGES.c.seen_at,
            written=written_at(MESSAGES),
        )
        .select_from(MESSAGES.join(CONVERSATIONS, CONVERSATIONS.c.id == MESSAGES.c.conversation_id))
        .where(
            _of(MESSAGES, by),
            MESSAGES.c.sent_at >= _SINCE,
            MESSAGES.c.direction == literal(Direction.INBOUND),
            or_(
                MESSAGES.c.skip_reason.in_([*_UNREADABLE, *_SET_ASIDE]),
                and_(MESSAGES.c.skip_reason == str(Refusal.TOO_OLD), MESSAGES.c.sent_at > _DAY_AGO),
            ),
            MESSAGES.c.deleted_at.is_(None),
            Unindexed(MESSAGES.c.request_id).is_(None),
            Unindexed(CONVERSATIONS.c.skip_reason).is_(None),
            not_(_followed()),
            not_(_is_being_answered()),
            waits_again(written_at(MESSAGES)),
        )
    )
    return [wanted.order_by(MESSAGES.c.sent_at.desc()).limit(_MOST)]


def _late(conn: Connection, account: str, now: datetime) -> list[Waiting]:
    """Guests' texts after which nobody has written and whose 24 hours are nearly over, in whatever hands they are.

    The first message of an inquiry or a request is among them from half of its 24 hours on. The newest of each
    conversation. What needs no answer (the gate, the AI, the mode or a person says so) is left out.
    """
    begun = now - RESPONSE_CLOCK
    values = {"p_since": begun, "p_before": begun + INQUIRY_HALFWAY}
    found = _made(conn, _unanswered_texts(), p_account=account, **values)
    return [one for one in found if one.nearly_over(now) or one.is_halfway(now)]


@cache
def _unanswered_texts() -> list[Select[Any]]:
    request = alias(INBOX, "request")
    needs_none = exists().where(
        request.c.id == MESSAGES.c.request_id, request.c.status == literal(InboxStatus.IGNORED)
    )
    wanted = (
        _of_message(literal_column("'late'"), null(), since=MESSAGES.c.seen_at, written=written_at(MESSAGES))
        .select_from(MESSAGES.join(CONVERSATIONS, CONVERSATIONS.c.id == MESSAGES.c.conversation_id))
        .where(
            _of(MESSAGES, "account"),
            MESSAGES.c.direction == Direction.INBOUND,
            MESSAGES.c.sent_at > _SINCE,
            MESSAGES.c.sent_at <= _BEFORE,
            MESSAGES.c.deleted_at.is_(None),
            MESSAGES.c.skip_reason.is_(None),
            not_(_followed()),
            not_(needs_none),
            not_(_is_being_answered()),
            waits_again(written_at(MESSAGES)),
        )
    )
    return [wanted.order_by(MESSAGES.c.sent_at).limit(_MOST)]


def _of_message(
    what: ColumnElement[Any],
    reason: ColumnElement[Any],
    *,
    since: ColumnElement[datetime],
    written: ColumnElement[datetime],
    hard_class: ColumnElement[Any] = _NOTHING,
) -> Select[Any]:
    return select(
        what.label("what"),
        reason.label("reason"),
        CONVERSATIONS.c.external_id.label("conversation_id"),
        CONVERSATIONS.c.guest_name.label("guest_name"),
        MESSAGES.c.sent_at.label("asked_at"),
        MESSAGES.c.text.label("asked"),
        _never_answered(MESSAGES.c.conversation_id).label("first"),
        MESSAGES.c.id.label("subject"),
        since.label("since"),
        written.label("written_at"),
        hard_class.label("hard_class"),
        CONVERSATIONS.c.stay.label("stay"),
        CONVERSATIONS.c.listing_id.label("listing_id"),
    )


def _answered_later(conversation_id: ColumnElement[Any], at: ColumnElement[Any]) -> ColumnElement[bool]:
    later = alias(MESSAGES, "later")
    return exists().where(
        later.c.conversation_id == conversation_id,
        later.c.sent_at > at,
        is_answer(later),
    )


def _is_being_answered() -> ColumnElement[bool]:
    """A person has written here with the message before them, and the words are on their way."""
    words = alias(OUTBOX, "words")
    return exists().where(
        # By account and status they are few; by conversation alone PostgreSQL read every reply ever made.
        words.c.account == MESSAGES.c.account,
        words.c.conversation_id == MESSAGES.c.conversation_id,
        words.c.status.in_([literal(OutboxStatus.PENDING), literal(OutboxStatus.PROCESSING)]),
        words.c.written_after >= MESSAGES.c.sequence,
    )


def _words_came_to_nothing() -> ColumnElement[bool]:
    """What a person wrote instead of the AI's answer was cancelled."""
    words = alias(OUTBOX, "unsent_words")
    return exists().where(
        words.c.request_id == INBOX.c.id,
        words.c.status == literal(OutboxStatus.CANCELLED),
        Unindexed(words.c.written_after).is_not(None),
    )


def _followed() -> ColumnElement[bool]:
    """A person has written, or we have answered, after the message: it is answered, or a newer one is."""
    later = alias(MESSAGES, "next")
    return exists().where(
        later.c.conversation_id == MESSAGES.c.conversation_id,
        later.c.sent_at > MESSAGES.c.sent_at,
        or_(later.c.direction == literal(Direction.INBOUND), is_answer(later)),
    )


def _never_answered(conversation_id: ColumnElement[Any]) -> ColumnElement[bool]:
    # Not EXISTS: PostgreSQL may then read every message ever sent, in place of the few of one conversation.
    ever = alias(MESSAGES, "ever")
    answer = select(ever.c.id).where(ever.c.conversation_id == conversation_id, is_answer(ever)).limit(1)
    return answer.scalar_subquery().is_(None)


def _made(conn: Connection, wanted: list[Select[Any]], **values: object) -> list[Waiting]:
    """What the statements find, in their order."""
    found = (row for one in wanted for row in conn.execute(one, values).mappings())
    return [_waiting_of(dict(row)) for row in found]


def _waiting_of(row: dict[str, Any]) -> Waiting:
    stay = json.loads(row.pop("stay") or "{}")
    made = {"what": str(row["what"]), "first": bool(row["first"]), "stage": stage_of(stay), "stay": stay}
    return Waiting(**{**row, **made})
