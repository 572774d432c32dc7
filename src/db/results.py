"""How an account's answers did and what they cost, between two moments. Read-only; no words are read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal_column, or_, select

from src.db.statements import OUTBOX, RUNS, literal
from src.model.autonomy import SENT_AS_DRAFTED
from src.model.confidence_steps import JudgedDraft
from src.model.statuses import OutboxStatus
from src.model.values import ANSWER

ALONE = "alone"
"""The reply went out without a person."""
HELD, ESCALATED = "held", "escalated"
"""The assistant wrote a draft that something held; it left the message to a person."""

Counts = dict[tuple[str, str], int]
"""How many, by topic ('' where none is known) and what became of it."""

_O, _R = OUTBOX.c, RUNS.c
_LIVE = "live"
# A bound value would be another one in SELECT than in GROUP BY, says PostgreSQL.
_NONE: ColumnElement[str] = literal_column("''")


@dataclass(frozen=True, slots=True)
class Spent:
    """What the models cost in a time. ``cost`` is in US dollars, as far as the service says it."""

    tokens: int
    cost: float | None


def judged(conn: Connection, account: str, since: datetime, until: datetime) -> Counts:
    """Replies made in that time: what a person made of the draft (``model/autonomy.py``), or ``alone``."""
    alone = and_(_O.status == literal(OutboxStatus.SENT), _O.approved_at.is_(None))
    became = case((_O.judged.is_not(None), _O.judged), (alone, literal_column(f"'{ALONE}'")), else_=None)
    counted = (
        select(func.coalesce(_O.topic, _NONE), became, func.count())
        .where(_O.account == account, _O.created_at >= since, _O.created_at < until, _O.kind == ANSWER)
        .group_by(func.coalesce(_O.topic, _NONE), became)
    )
    return {(topic, what): number for topic, what, number in conn.execute(counted) if what is not None}


def left(conn: Connection, account: str, since: datetime, until: datetime) -> Counts:
    """Of the built-in assistant's runs of that time: those that were held, and those left to a person."""
    became = case(
        (_R.action == literal_column("'escalate'"), literal_column(f"'{ESCALATED}'")),
        (_R.hold.is_not(None), literal_column(f"'{HELD}'")),
        else_=None,
    )
    counted = (
        select(func.coalesce(_R.topic, _NONE), became, func.count())
        .where(_R.account == account, _R.created_at >= since, _R.created_at < until, _R.kind == _LIVE)
        .group_by(func.coalesce(_R.topic, _NONE), became)
    )
    return {(topic, what): number for topic, what, number in conn.execute(counted) if what is not None}


def judged_drafts(conn: Connection, account: str, since: datetime, limit: int) -> list[JudgedDraft]:
    """The newest drafts of the built-in assistant that a person judged and only their confidence may have held."""
    wanted = (
        select(_R.confidence, _O.judged.in_([str(one) for one in SENT_AS_DRAFTED]).label("good"))
        .join(OUTBOX, and_(_O.request_id == _R.request_id, _O.account == _R.account))
        .where(
            _R.account == account,
            _R.kind == _LIVE,
            _R.created_at >= since,
            _R.confidence.is_not(None),
            or_(_R.hold.is_(None), _R.hold == "low_confidence"),
            _O.kind == ANSWER,
            _O.judged.is_not(None),
        )
        .order_by(_R.created_at.desc())
        .limit(limit)
    )
    return [JudgedDraft(float(confidence), bool(good)) for confidence, good in conn.execute(wanted)]


def spent(conn: Connection, accounts: Collection[str], since: datetime, until: datetime) -> Spent:
    """The tokens of all runs that began in that time, of whatever kind, and what they cost."""
    total = select(
        func.coalesce(func.sum(_R.prompt_tokens + _R.completion_tokens), 0), func.sum(_R.cost)
    ).where(_R.account.in_(sorted(accounts)), _R.created_at >= since, _R.created_at < until)
    tokens, cost = conn.execute(total).one()
    return Spent(int(tokens), None if cost is None else float(cost))
