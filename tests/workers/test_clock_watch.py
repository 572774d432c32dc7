"""The machine's clock is set while guests wait, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select

from src.db import conversations
from src.db.engine import Database
from src.db.statements import INBOX, OUTBOX
from src.errors import TransientError
from src.model.values import DEFAULT_ACCOUNT
from src.services.intake import take_in_now
from src.workers.clock_watch import ClockWatch
from tests.conftest import Clock
from tests.support.house import House

A = DEFAULT_ACCOUNT
HOUR = timedelta(hours=1)
SOON = timedelta(seconds=15)


@pytest.fixture
def watch(db: Database, clock: Clock) -> ClockWatch:
    """It stands beside a request and a reply that are due in a quarter of a minute."""
    with db.write() as conn:
        home = conversations.ensure_named(conn, A, "thread-1", clock()).id
        common = {"account": A, "conversation_id": home, "status": "pending", "attempts": 0}
        common |= {"due_at": clock() + SOON, "created_at": clock()}
        request = {"newest_external_id": "m", "burst_until": clock() + HOUR, "reply_by": clock() + 24 * HOUR}
        conn.execute(insert(INBOX).values(id="request", **common, **request))
        reply = {"text": "Yes.", "idempotency_key": "1", "arm_count": 0}
        conn.execute(insert(OUTBOX).values(id="reply", **common, **reply))
    return ClockWatch(db, A, ["inbox", "outbox"], clock=clock, monotonic=lambda: 0.0)


@pytest.fixture
def due(db: Database) -> Callable[[], list[datetime]]:
    def look() -> list[datetime]:
        with db.read() as conn:
            return [conn.execute(select(table.c.due_at)).scalar_one() for table in (INBOX, OUTBOX)]

    return look


def test_a_clock_that_is_set_back_makes_nobody_wait_longer(
    db: Database, watch: ClockWatch, clock: Clock, due: Callable[[], list[datetime]]
) -> None:
    clock.advance(-3600)
    watch.look()
    assert due() == [clock() + SOON] * 2
    with db.read() as conn:
        facts = conn.execute(select(INBOX.c.burst_until, INBOX.c.reply_by)).one()
    assert facts == (clock() + HOUR, clock() + 25 * HOUR), "when an answer is of no use is the site's time"
    watch.look()
    assert due() == [clock() + SOON] * 2, "it is moved once"


@pytest.mark.parametrize("seconds", [3600, 86_400, -20, 20])
def test_a_clock_that_is_set_forward_or_corrected_moves_nothing(
    watch: ClockWatch, clock: Clock, due: Callable[[], list[datetime]], seconds: float
) -> None:
    before = due()
    clock.advance(seconds)
    watch.look()
    assert due() == before


def test_what_is_due_is_moved_once_the_database_is_back(
    db: Database,
    watch: ClockWatch,
    clock: Clock,
    due: Callable[[], list[datetime]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away() -> None:
        raise TransientError("the database is locked")

    clock.advance(-3600)
    with monkeypatch.context() as trouble:
        trouble.setattr(db, "write", away)
        watch.look()
    assert due() == [clock() + HOUR + SOON] * 2
    watch.look()
    assert due() == [clock() + SOON] * 2


async def test_what_was_too_old_only_by_the_wrong_clock_is_answered(house: House, clock: Clock) -> None:
    await house.synced()
    watch = ClockWatch(house.db, house.account, ["inbox"], clock=clock, monotonic=lambda: 0.0)
    where = house.site.conversation("Is there a cot?")
    clock.advance(86_400 + 3600)
    watch.look()
    view = await house.channel.read(where.external_id, enough=lambda _: True)
    take_in_now(house.db, house.account, view, rules=house.rules, now=clock())
    assert house.open_request(where) is None
    clock.advance(-86_400 - 3600)
    watch.look()
    await house.synced()
    assert house.open_request(where) is not None
