"""The loop of every worker: its waits, what ends them, and that trouble never becomes a storm."""

import asyncio

import pytest

from src.db.wakeup import Wakeup
from src.errors import TransientError, WallHit
from src.model.retry import Backoff
from src.workers import waits
from src.workers.loop import LEAST_SEC, Loop

BACKOFF = Backoff(2.0, 60.0)


class Steps:
    """Each step takes the next outcome: seconds, or an error. After the last one it stops."""

    def __init__(self, stop, *outcomes):
        self.stop = stop
        self.left = list(outcomes)
        self.count = 0

    async def step(self, stop):
        assert stop is self.stop
        self.count += 1
        outcome = self.left.pop(0)
        if not self.left:
            stop.set()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.fixture
def stop():
    return asyncio.Event()


@pytest.fixture
def slept(monkeypatch):
    """Every wait, which is not waited for: ("sleep" or "woken", seconds)."""
    noted = []

    def note(kind):
        async def wait(*args):
            noted.append((kind, args[-1]))

        return wait

    monkeypatch.setattr(waits, "sleep", note("sleep"))
    monkeypatch.setattr(waits, "sleep_until_woken", note("woken"))
    return noted


async def test_a_good_step_says_how_long_the_wait_is(stop, slept):
    await Loop(Steps(stop, 7.0, 9.0).step, backoff=BACKOFF).run(stop)
    assert slept == [("sleep", 7.0), ("sleep", 9.0)]


async def test_pauses_grow_with_each_failure_and_begin_anew_after_a_good_step(stop, slept):
    steps = Steps(stop, TransientError(), TransientError(), 1.0, TransientError())
    await Loop(steps.step, backoff=BACKOFF).run(stop)
    assert [seconds for _, seconds in slept] == [2, 4, 1, 2]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_wake_ups_after_a_failure_lead_to_no_more_than_a_try_a_second(db, stop, slept):
    wakeup = Wakeup(db, ["outbox"])
    steps = Steps(stop, TransientError(), 5.0, TransientError())
    await Loop(steps.step, backoff=BACKOFF, wakeup=wakeup).run(stop)
    wakeup.close()
    least = ("sleep", LEAST_SEC)
    assert slept == [("woken", 2.0), least, ("woken", 5.0), ("woken", 2.0), least]


async def test_a_failure_is_told_with_its_number(stop, slept):
    told = []

    async def note(failure):
        told.append((str(failure.error), failure.in_a_row, failure.seconds >= 0))

    steps = Steps(stop, TransientError("locked"), TransientError("gone"), 1.0, TransientError("locked"))
    await Loop(steps.step, backoff=BACKOFF, failed=note).run(stop)
    assert told == [("locked", 1, True), ("gone", 2, True), ("locked", 1, True)]


@pytest.mark.parametrize("error", [WallHit("captcha", "a challenge is shown"), RuntimeError("a bug")])
async def test_every_other_error_ends_the_loop(stop, slept, error):
    steps = Steps(stop, 1.0, error, 1.0)
    with pytest.raises(type(error)):
        await Loop(steps.step, backoff=BACKOFF).run(stop)
    assert steps.count == 2


@pytest.mark.parametrize("outcome", [3600.0, TransientError()])
async def test_a_stop_ends_every_wait_at_once(stop, outcome):
    steps = Steps(asyncio.Event(), outcome, 1.0)
    steps.stop = stop
    began = asyncio.Event()

    async def step(event):
        began.set()
        return await steps.step(event)

    running = asyncio.create_task(Loop(step, backoff=Backoff(3600.0, 3600.0)).run(stop))
    await began.wait()
    stop.set()
    async with asyncio.timeout(10):
        await running
    assert steps.count == 1


async def test_a_loop_that_is_stopped_before_it_begins_does_nothing(stop):
    stop.set()
    steps = Steps(stop, 1.0)
    await Loop(steps.step, backoff=BACKOFF).run(stop)
    assert steps.count == 0
