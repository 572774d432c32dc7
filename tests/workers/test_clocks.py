"""The clocks around SYNC and SEND: when they look, how long they wait after trouble, what stops them."""

import asyncio
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from src.db import accounts
from src.db.wakeup import Wakeup
from src.errors import ChannelGone, NotUnderstood, PageChanged, TransientError, WallHit
from src.services.sync import SyncReport
from src.workers import sync_worker, waits
from src.workers.ai_worker import AiWorker
from src.workers.exclusion import Exclusion
from src.workers.heartbeats import Heartbeats
from src.workers.lease import Lease
from src.workers.send_worker import SendWorker
from src.workers.sync_worker import SyncWorker
from src.workers.turns import Turns
from tests.support.channel import FakeChannel
from tests.support.house import ACCOUNT
from tests.support.site import FakeSite
from tests.support.waiting import until

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WALL = WallHit("captcha", "a challenge is shown")


@pytest.fixture
def site(clock):
    return FakeSite(clock)


@pytest.fixture
def marks():
    return []


@pytest.fixture
def turns(site, tmp_path, marks):
    lease = Lease(lambda: FakeChannel(site), Exclusion([tmp_path]), mark=marks.append)
    return Turns(lease, mark=marks.append)


@pytest.fixture
def beats(db, clock):
    with db.write() as conn:
        accounts.ensure(conn, ACCOUNT, clock())
    made = Heartbeats(db, ACCOUNT, clock)
    made.started("sync")
    made.started("send")
    return made


@pytest.fixture
def stop():
    return asyncio.Event()


@pytest.fixture
def beat_of(db):
    def look(worker):
        with db.read() as conn:
            return next(w for w in accounts.workers(conn, ACCOUNT) if w.worker == worker)

    return look


LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Steps:
    """In the place of Sync and Send: each call takes the next outcome, an exception or a result."""

    def __init__(self, *outcomes, due_at=None):
        self.outcomes = list(outcomes)
        self.calls = self.looks = 0
        self.work = True
        self.due_at = due_at
        self.due_error = None

    async def run_once(self, channel, *callables):
        self.calls += 1
        outcome = self.outcomes.pop(0) if self.outcomes else SyncReport()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome(channel, *callables) if callable(outcome) else outcome

    def next_work_at(self):
        self.looks += 1
        if self.due_error is not None:
            raise self.due_error
        return self.due_at or (LONG_AGO if self.work else None)


# --- SYNC ------------------------------------------------------------------------------------------------------


@pytest.fixture
def pauses(monkeypatch):
    """Every pause of SYNC, which is not waited for."""
    noted = []

    async def note(_stop, seconds):
        noted.append(seconds)

    monkeypatch.setattr(waits, "sleep", note)
    return noted


async def test_sync_waits_ever_longer_while_it_fails_and_not_at_all_long_afterwards(
    turns, beats, beat_of, stop, pauses
):
    def end(_channel, *_):
        stop.set()
        return SyncReport(changed=1)

    steps = Steps(*[TransientError("the site did not answer") for _ in range(7)], end)
    worker = SyncWorker(steps, turns, beats, interval=45)
    await worker.run(stop)
    assert pauses == [45, 90, 180, 360, 720, 900, 900]
    beat = beat_of("sync")
    assert (beat.cycles, beat.failures_in_a_row) == (8, 0)
    assert beat.last_outcome == "1 changed, 0 opened, 0 new, 0 queued"
    await turns.close()


async def test_a_failed_cycle_is_noted_with_what_failed(turns, beats, beat_of, stop):
    worker = SyncWorker(Steps(TransientError("the site did not answer")), turns, beats, interval=45)
    await worker.run_once(stop)
    beat = beat_of("sync")
    assert (beat.last_outcome, beat.failures_in_a_row) == ("the site did not answer", 1)
    await turns.close()


async def test_an_interval_longer_than_the_longest_back_off_is_kept(turns, beats, stop, pauses):
    steps = Steps(TransientError(), TransientError(), lambda *_: stop.set() or SyncReport())
    await SyncWorker(steps, turns, beats, interval=1000).run(stop)
    assert pauses == [1000, 1000]
    await turns.close()


async def test_five_answers_in_a_row_that_are_not_understood_are_a_changed_page(turns, beats, stop):
    steps = Steps(*[NotUnderstood("the list is blank") for _ in range(5)])
    worker = SyncWorker(steps, turns, beats, interval=45)
    for _ in range(4):
        await worker.run_once(stop)
    with pytest.raises(PageChanged) as caught:
        await worker.run_once(stop)
    assert "the list is blank" in str(caught.value)
    await turns.close()


async def test_an_answer_that_is_understood_begins_the_count_again(turns, beats, stop):
    steps = Steps(*[NotUnderstood() for _ in range(4)], SyncReport(), *[NotUnderstood() for _ in range(4)])
    worker = SyncWorker(steps, turns, beats, interval=45)
    for _ in range(9):
        await worker.run_once(stop)
    assert steps.calls == 9
    await turns.close()


async def test_a_wall_ends_sync_and_closes_the_browser(turns, beats, stop):
    worker = SyncWorker(Steps(WALL), turns, beats, interval=45)
    with pytest.raises(WallHit):
        await worker.run(stop)
    assert not turns.is_open


async def test_sync_begins_at_once_when_the_page_shows_news(site, turns, beats, stop):
    steps = Steps()
    worker = SyncWorker(steps, turns, beats, interval=3600)
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: turns.channel is not None and "wait_for_news" in turns.channel.calls)
    site.conversation("Is there a cot?")
    await until(lambda: steps.calls >= 2)
    stop.set()
    await running
    await turns.close()


@pytest.mark.parametrize("error", [ChannelGone(), TransientError(), NotUnderstood()])
async def test_trouble_while_waiting_for_news_is_waited_out(turns, beats, stop, pauses, error):
    steps = Steps(SyncReport(), lambda *_: stop.set() or SyncReport())
    worker = SyncWorker(steps, turns, beats, interval=45)
    async with turns.turn("SYNC") as channel:
        channel.fail("wait_for_news", error)
    await worker.run(stop)
    assert steps.calls == 2
    assert round(pauses[0]) == 45
    await turns.close()


async def test_trouble_late_in_the_wait_does_not_make_it_twice_as_long(
    turns, beats, stop, pauses, monkeypatch
):
    passed = [0.0]
    monkeypatch.setattr(sync_worker, "time", SimpleNamespace(monotonic=lambda: passed[0]))

    def fails_after_40_seconds():
        passed[0] += 40
        raise ChannelGone

    worker = SyncWorker(Steps(SyncReport(), lambda *_: stop.set() or SyncReport()), turns, beats, interval=45)
    async with turns.turn("SYNC") as channel:
        channel.before("wait_for_news", fails_after_40_seconds)
    await worker.run(stop)
    assert pauses[0] == 5
    await turns.close()


async def test_a_wall_while_waiting_for_news_goes_up_and_forbids_every_turn(turns, beats, stop):
    async with turns.turn("SYNC") as channel:
        channel.fail("wait_for_news", WALL)
    with pytest.raises(WallHit):
        await SyncWorker(Steps(), turns, beats, interval=45).run(stop)
    with pytest.raises(WallHit):
        async with turns.turn("SEND"):
            pytest.fail("this turn must not be given")
    await turns.close()


async def test_a_stop_ends_the_wait_for_news_at_once(turns, beats, stop):
    worker = SyncWorker(Steps(), turns, beats, interval=3600)
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: turns.channel is not None and "wait_for_news" in turns.channel.calls)
    stop.set()
    async with asyncio.timeout(10):
        await running
    await turns.close()


async def test_a_stop_ends_a_back_off_at_once(turns, beats, beat_of, stop):
    worker = SyncWorker(Steps(TransientError()), turns, beats, interval=3600)
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: beat_of("sync").failures_in_a_row == 1)
    stop.set()
    async with asyncio.timeout(10):
        await running
    await turns.close()


async def test_sync_stops_between_two_conversations_and_lets_others_go_first(turns, beats, stop, marks):
    said = []

    async def cycle(yield_turn, keep_going):
        await yield_turn()
        said.append(keep_going())
        stop.set()
        said.append(keep_going())
        return SyncReport()

    class OneCycle(Steps):
        async def run_once(self, channel, yield_turn, keep_going):
            return await cycle(yield_turn, keep_going)

    await SyncWorker(OneCycle(), turns, beats, interval=45).run_once(stop)
    assert said == [True, False]
    assert "SYNC: between two steps" in marks
    await turns.close()


async def test_the_login_is_saved_after_a_good_cycle_and_then_only_now_and_then(
    turns, beats, stop, monkeypatch
):
    now = [0.0]

    class Time:
        monotonic = staticmethod(lambda: now[0])

    monkeypatch.setattr(sync_worker, "time", Time)
    worker = SyncWorker(Steps(), turns, beats, interval=45)
    saved = []
    for seconds in (0, 300, 300, 10):
        now[0] += seconds
        await worker.run_once(stop)
        saved.append(turns.channel.logins_saved)
    assert saved == [1, 1, 2, 2]
    await turns.close()


@pytest.mark.parametrize("error", [TransientError(), OSError("the disk is full")])
async def test_a_login_that_cannot_be_saved_costs_no_cycle(turns, beats, beat_of, stop, error):
    async with turns.turn("SYNC") as channel:
        channel.fail("save_login", error)
    await SyncWorker(Steps(), turns, beats, interval=45).run_once(stop)
    assert beat_of("sync").failures_in_a_row == 0
    await turns.close()


# --- SEND ------------------------------------------------------------------------------------------------------


@pytest.fixture
def wakeup(db):
    made = Wakeup(db, ["outbox"])
    yield made
    made.close()


@pytest.fixture
def make_worker(turns, beats, wakeup, clock):
    def make(steps, interval=3600.0):
        return SendWorker(steps, turns, beats, wakeup=wakeup, interval=interval, clock=clock)

    return make


async def test_send_takes_no_turn_and_opens_no_browser_without_work(make_worker, turns, beat_of, stop):
    steps = Steps()
    steps.work = False
    await make_worker(steps).run_once(stop)
    assert steps.calls == 0
    assert not turns.is_open
    assert (beat_of("send").last_outcome, beat_of("send").cycles) == ("idle", 1)


async def test_send_says_how_much_it_did(make_worker, turns, beat_of, stop):
    await make_worker(Steps(3)).run_once(stop)
    assert beat_of("send").last_outcome == "3 handled"
    await turns.close()


async def test_a_new_job_wakes_send_at_once(make_worker, turns, wakeup, stop):
    def all_done(*_):
        steps.work = False
        return 1

    steps = Steps(all_done, all_done)
    running = asyncio.create_task(make_worker(steps).run(stop))
    await until(lambda: steps.looks == 2)  # nothing more is there: from here on it sleeps for an hour
    steps.work = True
    wakeup.notify("outbox")
    await until(lambda: steps.calls == 2)
    stop.set()
    async with asyncio.timeout(10):
        await running
    await turns.close()


async def test_send_finishes_what_is_in_hand_and_then_stops(make_worker, turns, stop):
    said = []

    def work(_channel, _let_others, keep_going):
        said.append(keep_going())
        stop.set()
        said.append(keep_going())
        return 1

    await make_worker(Steps(work)).run(stop)
    assert said == [True, False]
    await turns.close()


async def test_sync_gets_its_turn_between_two_replies(make_worker, turns, stop):
    story = []

    async def sync():
        async with turns.turn("SYNC"):
            story.append("SYNC")

    class TwoReplies(Steps):
        async def run_once(self, channel, yield_turn, keep_going):
            story.append("first reply")
            waiting = asyncio.create_task(sync())
            await asyncio.sleep(0)
            await yield_turn()
            story.append("second reply")
            await yield_turn()
            await waiting
            stop.set()
            return 2

    await make_worker(TwoReplies()).run(stop)
    assert story == ["first reply", "SYNC", "second reply"]
    await turns.close()


async def test_send_waits_ever_longer_while_it_fails(make_worker, turns, wakeup, beat_of, stop, monkeypatch):
    waits = []

    async def wait(timeout):
        waits.append(timeout)
        return False

    async def no_time(_stop, _seconds):
        return None

    steps = Steps(*[TransientError("the browser is gone") for _ in range(11)], lambda *_: stop.set() or 1)
    monkeypatch.setattr(wakeup, "wait", wait)
    worker = make_worker(steps)
    monkeypatch.setattr("src.workers.waits.sleep", no_time)
    await worker.run(stop)
    assert waits[:11] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert beat_of("send").failures_in_a_row == 0
    await turns.close()


@pytest.mark.parametrize("error", [WALL, PageChanged("the composer", "the conversation")])
async def test_a_halt_ends_send(make_worker, turns, stop, error):
    with pytest.raises(type(error)):
        await make_worker(Steps(error)).run(stop)
    assert not turns.is_open


@pytest.fixture
def first_pause(make_worker, turns, wakeup, stop, monkeypatch):
    """``await first_pause(steps)``: how long SEND waits after its first look, in seconds."""

    async def run(steps):
        waits = []

        async def wait(timeout):
            waits.append(timeout)
            stop.set()
            return False

        monkeypatch.setattr(wakeup, "wait", wait)
        await make_worker(steps, interval=15).run(stop)
        await turns.close()
        return waits[0]

    return run


@pytest.mark.parametrize(("due_in", "expected"), [(None, 15), (5, 5), (600, 15)])
async def test_send_looks_again_when_the_next_job_is_due(first_pause, clock, due_in, expected):
    steps = Steps(due_at=None if due_in is None else clock() + timedelta(seconds=due_in))
    steps.work = False
    assert await first_pause(steps) == expected
    assert steps.calls == 0


@pytest.mark.parametrize(("handled", "expected"), [(1, 0.05), (0, 1)])
async def test_send_looks_again_at_once_after_work_and_soon_if_it_could_do_none(
    first_pause, handled, expected
):
    assert await first_pause(Steps(handled)) == expected


async def test_a_database_in_trouble_does_not_end_send(first_pause, beat_of):
    steps = Steps()
    steps.due_error = TransientError("the database is locked")
    assert await first_pause(steps) == 1
    assert (beat_of("send").failures_in_a_row, steps.calls) == (1, 0)


# --- the AI's queue --------------------------------------------------------------------------------------------


@pytest.fixture
def ai_pauses(beats, clock, wakeup, stop, monkeypatch):
    """``await ai_pauses(outcomes)``: how long the AI's clock waits after each, while a request is due."""

    async def run(*outcomes):
        pauses, left = [], list(outcomes)

        async def due():
            return clock()

        async def run_once():
            outcome = left.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return Counter({ACCOUNT: outcome} if outcome else {})

        async def wait(timeout):
            pauses.append(timeout)
            if not left:
                stop.set()
            return False

        async def no_time(_stop, _seconds):
            return None

        monkeypatch.setattr(wakeup, "wait", wait)
        monkeypatch.setattr("src.workers.waits.sleep", no_time)
        webhook = SimpleNamespace(next_event_at=due, run_once=run_once)
        await AiWorker(webhook, {ACCOUNT: beats}, wakeup=wakeup, clock=clock).run(stop)
        return pauses

    return run


async def test_a_full_disk_does_not_make_the_ai_s_clock_spin(ai_pauses):
    full = TransientError("the disk is full")
    assert await ai_pauses(*[full] * 6, 0, full) == [1, 2, 4, 8, 15, 15, 1, 1]


# --- signs of life ---------------------------------------------------------------------------------------------


async def test_a_database_in_trouble_costs_a_beat_and_nothing_else(db, beats, monkeypatch):
    def locked(**_: object):
        raise TransientError("the database is locked")

    monkeypatch.setattr(db, "write", locked)
    await beats.cycle("sync", outcome="fine", seconds=1.0, ok=True)
    beats.stopped("sync")


async def test_the_end_of_a_worker_is_noted(beats, beat_of, clock):
    clock.advance(5)
    beats.stopped("sync")
    assert beat_of("sync").stopped_at == clock()
    assert beat_of("send").stopped_at is None


def test_the_beats_can_be_written_from_several_threads(beats, beat_of):
    def work():
        for _ in range(5):
            asyncio.run(beats.cycle("sync", outcome="fine", seconds=0.0, ok=True))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert beat_of("sync").cycles == 15
