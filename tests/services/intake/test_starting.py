"""The first message of a conversation: asked for once, in time or not at all, and never over a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from src.db import inbox_queue
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.model.values import START, ReplyMode
from src.services.intake import StartRules
from tests.support.house import RULES, House
from tests.support.table import TableChannel

FIRST, LAST = timedelta(seconds=10), timedelta(seconds=60)
STARTS = StartRules(FIRST, LAST, timedelta(minutes=10), needs_confirmation=False)


class StartingChannel(TableChannel):
    """Says of an empty conversation when it began."""

    @staticmethod
    def _whole(view, where):
        seen = TableChannel._whole(view, where)
        return seen if where.messages else replace(seen, started_at=where.created_at)


@pytest.fixture
def house(db, clock):
    with House(db, clock, rules=replace(RULES, start=STARTS), make_channel=StartingChannel) as made:
        yield made


@pytest.fixture
def where(house):
    return house.site.conversation()


def asked_to_start(house, where):
    house.clock.advance(61)
    (request,) = house.ask_ai()
    assert request.kind == START
    return request


async def test_a_conversation_that_begins_is_greeted_once(house, where):
    await house.synced()
    house.answer(asked_to_start(house, where), "Hello, I am here")
    assert await house.sent() == 1
    assert where.texts == ["Hello, I am here"]
    for _ in range(3):
        await house.synced()
        house.clock.advance(600)
    assert house.ask_ai() == []
    assert where.texts == ["Hello, I am here"]


async def test_the_delay_is_in_the_row_and_the_same_in_every_process(house, where):
    await house.synced()
    first = house.open_request(where)
    assert FIRST <= first.due_at - where.created_at <= LAST
    house.start_anew()
    await house.synced()
    assert house.open_request(where).due_at == first.due_at
    with house.db.write() as conn:
        conn.exec_driver_sql("DELETE FROM queue_inbox")
        conn.exec_driver_sql("UPDATE conversations SET newest_fingerprint = NULL")
    await house.synced()
    assert house.open_request(where).due_at == first.due_at
    others = [house.site.conversation() for _ in range(20)]
    await house.synced()
    assert len({house.open_request(one).due_at - one.created_at for one in others}) > 10


async def test_nobody_is_greeted_before_the_delay_is_over(house, where):
    await house.synced()
    due = house.open_request(where).due_at
    house.clock.advance((due - house.clock()).total_seconds() - 1)
    assert house.ask_ai() == []
    house.clock.advance(1)
    assert len(house.ask_ai()) == 1


async def test_after_an_outage_nobody_is_greeted_late(house, where):
    house.clock.advance(601)
    await house.synced()
    with house.db.read() as conn:
        request = inbox_queue.start_of(conn, house.stored(where).id)
    assert (request.status, request.reason) == (InboxStatus.EXPIRED, "start_too_old")
    await house.synced()
    assert house.ask_ai() == []


@pytest.mark.parametrize("stage", ["pending", "asked", "answered", "armed"])
async def test_a_person_who_writes_first_is_answered_and_not_greeted(house, where, stage):
    await house.synced()
    first = house.open_request(where)
    if stage != "pending":
        first = asked_to_start(house, where)
    if stage in ("answered", "armed"):
        house.answer(first, "Hello, I am here")
    if stage == "armed":
        house.channel.after("reread", lambda: house.site.guest_writes(where, "Hi"))
        await house.sent()
        house.clock.advance(30)
    else:
        house.site.guest_writes(where, "Hi")
    await house.sent()
    await house.synced()
    reasons = {house.request(first).reason, *(job.reason for job in house.jobs())}
    assert CancelReason.GUEST_WROTE_FIRST in reasons
    assert where.texts == ["Hi"]
    house.clock.advance(60)
    (request,) = house.ask_ai()
    assert request.kind == "message"
    house.answer(request, "Hi to you")
    await house.sent()
    assert where.texts == ["Hi", "Hi to you"]


async def test_a_person_of_our_side_who_writes_first_is_not_talked_over(house, where):
    await house.synced()
    house.answer(asked_to_start(house, where), "Hello, I am here")
    house.site.host_writes(where, "Welcome!")
    await house.sent()
    assert where.texts == ["Welcome!"]
    assert house.jobs()[0].reason == CancelReason.HOST_ANSWERED


async def test_what_the_person_answers_to_our_first_message_is_asked_about(house, where):
    await house.synced()
    house.answer(asked_to_start(house, where), "Hello, I am here")
    await house.sent()
    house.site.guest_writes(where, "Nice")
    await house.synced()
    house.clock.advance(60)
    (request,) = house.ask_ai()
    assert list(house.asked[request.id].values()) == ["Nice"]


async def test_a_first_message_that_is_too_late_is_not_sent(house, where):
    await house.synced()
    house.answer(asked_to_start(house, where), "Hello, I am here")
    house.clock.advance(700)
    await house.sent()
    assert where.texts == []
    assert house.jobs()[0].reason == CancelReason.EXPIRED


async def test_without_the_setting_nobody_is_greeted(db, clock):
    with House(db, clock, make_channel=StartingChannel) as house:
        where = house.site.conversation()
        await house.synced()
        assert house.open_request(where) is None


async def test_with_a_label_that_nobody_has_confirmed_nobody_is_greeted(db, clock):
    rules = replace(RULES, start=replace(STARTS, needs_confirmation=True))
    with House(db, clock, rules=rules, make_channel=StartingChannel) as house:
        where = house.site.conversation()
        await house.synced()
        assert house.open_request(where) is None


async def test_in_a_conversation_that_is_off_nobody_is_greeted(house, where):
    house.set_mode(ReplyMode.OFF)
    await house.synced()
    assert house.open_request(where) is None


async def test_a_second_start_is_refused_by_the_table(house, where):
    await house.synced()
    request = asked_to_start(house, where)
    with house.db.write() as conn:
        inbox_queue.finish(
            conn, request.id, [InboxStatus.WAITING], InboxStatus.ESCALATED, "person", house.clock()
        )
    now = house.clock()
    given = {"newest_external_id": "", "due_at": now, "burst_until": now, "reply_by": now, "now": now}
    with pytest.raises(Exception, match=r"(?i)unique"), house.db.write() as conn:
        inbox_queue.create(conn, request.account, request.conversation_id, kind=START, **given)


async def test_a_crash_at_the_first_message_sends_it_once(house, where):
    await house.synced()
    house.answer(asked_to_start(house, where), "Hello, I am here")
    house.channel.fail("press_send", KeyboardInterrupt(), after=True)
    with pytest.raises(KeyboardInterrupt):
        await house.sent()
    await house.recovered()
    assert where.texts == ["Hello, I am here"]
    assert house.jobs()[0].status is OutboxStatus.SENT
