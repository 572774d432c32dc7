"""SEND where a channel lets several conversations be in hand at once: side by side, each as if it were alone."""

import asyncio
import threading
from collections import Counter
from dataclasses import replace

import pytest

from src.db import outbox_queue
from src.errors import ChannelGone, StaleJob, WallHit
from src.model.caps import Caps
from src.model.statuses import OutboxStatus
from src.services.together import Together
from tests.faults.invariants import broken_promises
from tests.support.channel import Crash
from tests.support.house import ACCOUNT, RULES, House
from tests.support.table import WideChannel
from tests.support.waiting import until

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CONVERSATIONS = 6


@pytest.fixture
def house(db, clock):
    with House(db, clock, make_channel=WideChannel) as made:
        yield made


@pytest.fixture
def homes(house):
    """Each with a reply in the outbox."""
    found = [house.site.conversation(f"Is there a cot in house {n}?") for n in range(CONVERSATIONS)]
    for n, where in enumerate(found):
        house.reply_for(where, f"Yes, in the wardrobe of house {n}.")
    return found


def presses(house):
    return Counter(press.text for press in house.site.presses)


async def test_several_conversations_are_in_hand_at_once_and_each_gets_its_own_reply(house, homes):
    assert await house.sent() == CONVERSATIONS
    assert house.channel.most_in_hand == WideChannel.capabilities.at_once
    for n, where in enumerate(homes):
        assert where.messages[-1].text == f"Yes, in the wardrobe of house {n}."
    assert {job.status for job in house.jobs()} == {OutboxStatus.SENT}
    assert broken_promises(house) == []


async def test_replies_of_one_conversation_still_leave_one_at_a_time_and_in_their_order(house, homes):
    (first, *_), home = house.jobs(), house.stored(homes[0])
    with house.db.write() as conn:
        for n in (2, 3):
            key = f"and number {n}"
            outbox_queue.enqueue(
                conn, ACCOUNT, home.id, key, request_id=None, idempotency_key=key, now=house.clock.advance(1)
            )
    lots = []
    rows = house.send._rows
    while lot := rows.claim(4):
        lots.append(lot)
        with house.db.write() as conn:
            for job in lot:
                outbox_queue.cancelled(
                    conn, job.id, [OutboxStatus.PROCESSING], "host_answered", house.clock()
                )
    assert all(len(lot) == len({job.conversation_id for job in lot}) for lot in lots)
    of_home = [job.text for lot in lots for job in lot if job.conversation_id == home.id]
    assert of_home == [first.text, "and number 2", "and number 3"]
    assert [len(lot) for lot in lots] == [4, 3, 1]


@pytest.mark.parametrize("method", ["read", "write", "reread", "press_send"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("nth", [1, 3])
async def test_a_wall_in_one_conversation_stops_the_steps_of_all(house, homes, method, after, nth):
    house.channel.fail(method, WallHit("credentials", "the password is refused"), nth=nth, after=after)
    with pytest.raises(WallHit):
        await house.sent()
    assert house.channel.touched_after_halt == []
    for _ in range(3):
        house.clock.advance(400)
        await house.recovered()
    assert presses(house) == Counter(f"Yes, in the wardrobe of house {n}." for n in range(CONVERSATIONS))
    assert broken_promises(house) == []


@pytest.mark.parametrize("error", [ChannelGone(), Crash()])
@pytest.mark.parametrize("method", ["read", "write", "reread", "press_send"])
@pytest.mark.parametrize("after", [False, True])
async def test_whatever_ends_one_of_them_each_reply_is_sent_once(house, homes, error, method, after):
    house.channel.fail(method, error, nth=2, after=after)
    with pytest.raises(type(error)):
        await house.sent()
    for _ in range(3):
        house.clock.advance(400)
        await house.recovered()
    assert presses(house) == Counter(f"Yes, in the wardrobe of house {n}." for n in range(CONVERSATIONS))
    assert {job.status for job in house.jobs()} == {OutboxStatus.SENT}
    assert broken_promises(house) == []


async def test_a_stop_gives_back_what_is_in_hand_and_not_pressed(house, homes):
    await house.send.run_once(house.channel, keep_going=lambda: "reread" not in house.channel.calls)
    assert house.site.presses == []
    assert {job.status for job in house.jobs()} == {OutboxStatus.PENDING}
    await house.sent()
    assert len(house.site.presses) == CONVERSATIONS


async def test_a_cancelled_run_gives_back_all_that_is_in_hand(house, homes):
    at_work = []

    async def hang():
        at_work.append(True)
        await asyncio.Event().wait()

    house.channel.pause = hang
    running = asyncio.create_task(house.sent())
    await until(lambda: len(at_work) == WideChannel.capabilities.at_once)
    house.channel.pause = None
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {job.status for job in house.jobs()} == {OutboxStatus.PENDING}


async def test_the_cap_of_the_account_counts_what_is_in_hand(db, clock):
    caps = Caps(1_000_000, 1_000_000, 3, 1_000_000, 1_000_000, 1_000_000)
    with House(db, clock, make_channel=WideChannel) as house:
        for n in range(CONVERSATIONS):
            where = house.site.conversation(f"Is there a cot in house {n}?")
            house.reply_for(where, f"Yes, in the wardrobe of house {n}.")
        house.rules = replace(RULES, caps=caps)
        house.send = house.new_send()
        await house.sent()
        assert len(house.site.presses) == 3
        assert Counter(job.status for job in house.jobs()) == {OutboxStatus.SENT: 3, OutboxStatus.DRAFT: 3}


# --- steps that share a transaction ----------------------------------------------------------------------


class Steps:
    """``one`` waits until it is let go, so that others come meanwhile."""

    def __init__(self):
        self.go = threading.Event()
        self.calls = []

    def one(self, what):
        self.calls.append([what])
        assert self.go.wait(20)
        if what == "bad":
            raise StaleJob
        return what.upper()

    def several(self, whats):
        self.calls.append(list(whats))
        if "bad" in whats:
            raise StaleJob
        return [what.upper() for what in whats]


async def asked(together, steps, *whats):
    tasks = []
    for what in whats:
        tasks.append(asyncio.create_task(together(what)))
        await asyncio.sleep(0)
    steps.go.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_comes_while_one_is_on_its_way_goes_together(db):
    steps = Steps()
    assert await asked(Together(steps.one, steps.several), steps, "a", "b", "c") == ["A", "B", "C"]
    assert steps.calls == [["a"], ["b", "c"]]


async def test_one_that_fails_takes_no_other_with_it(db):
    steps = Steps()
    together = Together(steps.one, steps.several)
    first, second, bad, last = await asked(together, steps, "a", "b", "bad", "c")
    assert (first, second, last) == ("A", "B", "C")
    assert isinstance(bad, StaleJob)
    assert steps.calls == [["a"], ["b", "bad", "c"], ["b"], ["bad"], ["c"]]
    assert await together("d") == "D"
