"""What became of the drafts about each topic of a listing (``assistant_autonomy``), and which may go out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, exists, func, null, select

from src.db.answers import is_answer
from src.db.outbox_views import JOB
from src.db.statements import AUTONOMY, CONVERSATIONS, MESSAGES, OUTBOX, RowShape, literal, one_or_none, rows
from src.model.autonomy import DRAFT, FIRST, STAY, TOPICS, Judgement
from src.model.rows import Job, StoredConversation, TopicRecord
from src.model.stages import stage_of
from src.model.statuses import OutboxStatus
from src.model.values import ANSWER

_A, _O, _M = AUTONOMY.c, OUTBOX.c, MESSAGES.c
_RECORD = RowShape.of(TopicRecord, AUTONOMY)
_KEY = ["account", "listing_id", "topic", "stage"]


@dataclass(frozen=True, slots=True)
class Key:
    """What a record is of. ``listing_id`` is the site's."""

    account: str
    listing_id: str
    topic: str
    stage: str


def key_of(
    conn: Connection, conversation: StoredConversation, topic: str | None, before: datetime
) -> Key | None:
    """Whose record an answer of this moment counts for. None without a listing or a topic of ours."""
    if topic not in TOPICS or not conversation.listing_id:
        return None
    stage = STAY
    if stage_of(conversation.stay) in {"inquiry", "request"} and not _has_answer(
        conn, conversation.id, before
    ):
        stage = FIRST
    return Key(conversation.account, conversation.listing_id, topic, stage)


def _has_answer(conn: Connection, conversation_id: str, before: datetime) -> bool:
    ours = exists().where(
        _M.conversation_id == conversation_id,
        is_answer(MESSAGES),
        _M.sent_at < before,
    )
    return bool(conn.execute(select(ours)).scalar_one())


def get(conn: Connection, key: Key) -> TopicRecord | None:
    """The record; None if nothing was counted and nobody has said anything."""
    return one_or_none(conn, _RECORD.select.where(*_is(key)), _RECORD)


def listed(conn: Connection, account: str) -> list[TopicRecord]:
    """All records of an account, by listing and topic."""
    mine = _RECORD.select.where(_A.account == account)
    return rows(conn, mine.order_by(_A.listing_id, _A.topic, _A.stage), _RECORD)


def count(conn: Connection, key: Key, job: Job, judgement: Judgement, now: datetime) -> TopicRecord:
    """A person has judged this reply, once: write it to the reply and to the record. NOT repeatable."""
    conn.execute(OUTBOX.update().where(_O.id == job.id).values(judged=str(judgement)))
    _ensure(conn, key, now)
    column = AUTONOMY.c[str(judgement)]
    changes: dict[Any, Any] = {column: column + 1, _A.updated_at: now}
    if judgement is Judgement.UNCHANGED:
        began = case((_A.in_a_row == 0, now), else_=_A.in_a_row_since)
        changes |= {_A.in_a_row: _A.in_a_row + 1, _A.in_a_row_since: began}
    else:
        changes |= {_A.in_a_row: 0, _A.in_a_row_since: None, _A.conversations: 0}
    counted = one_or_none(conn, _RECORD.update.where(*_is(key)).values(changes), _RECORD)
    assert counted is not None  # noqa: S101 - it was made above, and rows are never taken away
    if judgement is not Judgement.UNCHANGED:
        return counted
    several = _RECORD.update.where(*_is(key)).values(conversations=_conversations_of(counted))
    counted = one_or_none(conn, several, _RECORD)
    assert counted is not None  # noqa: S101
    return counted


def take_back(conn: Connection, key: Key, job: Job, now: datetime) -> None:
    """What a person has judged is not judged any more: as if ``count`` had not been. NOT repeatable.

    A row of unchanged drafts that a change has ended stays ended.
    """
    conn.execute(OUTBOX.update().where(_O.id == job.id).values(judged=None))
    column = AUTONOMY.c[str(job.judged)]
    changes: dict[Any, Any] = {column: column - 1, _A.updated_at: now}
    if job.judged == str(Judgement.UNCHANGED):
        changes[_A.in_a_row] = case((_A.in_a_row > 0, _A.in_a_row - 1), else_=0)
        changes[_A.in_a_row_since] = case((_A.in_a_row > 1, _A.in_a_row_since), else_=null())
    counted = one_or_none(conn, _RECORD.update.where(*_is(key), column > 0).values(changes), _RECORD)
    if counted is not None and counted.in_a_row_since is not None:
        conn.execute(AUTONOMY.update().where(*_is(key)).values(conversations=_conversations_of(counted)))
    elif counted is not None:
        conn.execute(AUTONOMY.update().where(*_is(key)).values(conversations=0))


def _conversations_of(record: TopicRecord) -> Any:
    """In how many conversations the drafts of the present row were approved."""
    return (
        select(func.count(_O.conversation_id.distinct()))
        .join(CONVERSATIONS, CONVERSATIONS.c.id == _O.conversation_id)
        .where(
            _O.account == record.account,
            _O.topic == record.topic,
            _O.judged == str(Judgement.UNCHANGED),
            _O.approved_at >= record.in_a_row_since,
            CONVERSATIONS.c.listing_id == record.listing_id,
        )
        .scalar_subquery()
    )


def set_level(conn: Connection, key: Key, level: str, reason: str, now: datetime) -> TopicRecord:
    """Set this level; ``reason`` says why. At ``draft`` the row starts again. Repeatable."""
    _ensure(conn, key, now)
    changes: dict[str, Any] = {"level": level, "reason": reason, "updated_at": now}
    if level == DRAFT:
        changes |= {"in_a_row": 0, "in_a_row_since": None, "conversations": 0}
    done = one_or_none(conn, _RECORD.update.where(*_is(key)).values(changes), _RECORD)
    assert done is not None  # noqa: S101 - it was made above
    return done


def last_sent(conn: Connection, conversation_id: str, before: datetime) -> Job | None:
    """The newest reply of an AI that has reached the conversation (our id) before then."""
    sent = JOB.select.where(
        _O.conversation_id == conversation_id,
        _O.status == literal(OutboxStatus.SENT),
        _O.kind == ANSWER,
        _O.processed_at <= before,
    )
    return one_or_none(conn, sent.order_by(_O.processed_at.desc(), _O.id.desc()).limit(1), JOB)


def _ensure(conn: Connection, key: Key, now: datetime) -> None:
    numbers = dict.fromkeys(("unchanged", "edited", "rewritten", "rejected", "in_a_row", "conversations"), 0)
    values = {**asdict(key), "level": DRAFT, **numbers, "updated_at": now}
    conn.execute(_RECORD.insert(conn).values(values).on_conflict_do_nothing(index_elements=_KEY))


def _is(key: Key) -> tuple[Any, ...]:
    return (
        _A.account == key.account,
        _A.listing_id == key.listing_id,
        _A.topic == key.topic,
        _A.stage == key.stage,
    )
