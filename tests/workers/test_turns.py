"""One browser, one worker at a time, in one process at a time."""

import asyncio

import pytest

from src.errors import ChannelGone, SettingsError, TransientError, WallHit
from src.workers.exclusion import Exclusion
from src.workers.lease import Lease
from src.workers.locks import FileLock
from src.workers.turns import Turns
from tests.support.channel import FakeChannel
from tests.support.site import FakeSite
from tests.support.waiting import until


class Made:
    """Turns with the channels that they made."""

    def __init__(self, site, folder):
        self.site = site
        self.folder = folder
        self.channels: list[FakeChannel] = []
        self.marks: list[str] = []
        self.spoil = lambda _channel: None
        exclusion = Exclusion([folder], mark=self.marks.append)
        self.lease = Lease(self.make, exclusion, mark=self.marks.append, keep_login_sec=0.05)
        self.turns = Turns(self.lease, mark=self.marks.append, look_every=0.001)

    def make(self):
        channel = FakeChannel(self.site)
        self.spoil(channel)
        self.channels.append(channel)
        return channel


@pytest.fixture
def made(clock, tmp_path):
    return Made(FakeSite(clock), tmp_path)


@pytest.fixture
def browser_lock(tmp_path):
    """As another process sees it."""
    return FileLock(tmp_path / "browser.lock")


async def test_the_browser_is_opened_when_first_needed_and_kept_open(made, browser_lock):
    assert not made.turns.is_open
    for _ in range(2):
        async with made.turns.turn("SYNC") as channel:
            assert channel is made.channels[0]
    assert made.channels[0].calls == ["open"]
    assert made.turns.channel is made.channels[0]
    assert browser_lock.is_taken()
    await made.turns.close()
    assert made.channels[0].calls == ["open", "save_login", "close"]
    assert not browser_lock.is_taken()
    assert not made.turns.is_open


async def test_one_worker_at_a_time_has_the_turn(made):
    story = []

    async def work(who):
        async with made.turns.turn(who):
            story.append(f"{who} begins")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            story.append(f"{who} ends")

    await asyncio.gather(work("SYNC"), work("SEND"))
    assert story == ["SYNC begins", "SYNC ends", "SEND begins", "SEND ends"]


async def test_a_waiting_worker_goes_first_between_two_steps(made):
    story = []

    async def send():
        async with made.turns.turn("SEND"):
            story.append("SEND")

    async with made.turns.turn("SYNC"):
        await made.turns.yield_turn("SYNC")
        story.append("nobody waited")
        waiting = asyncio.create_task(send())
        await asyncio.sleep(0)
        await made.turns.yield_turn("SYNC")
        story.append("SYNC again")
    await waiting
    assert story == ["nobody waited", "SEND", "SYNC again"]


async def test_two_workers_with_many_steps_take_them_in_turn(made):
    story = []

    async def work(who):
        async with made.turns.turn(who):
            for _ in range(3):
                story.append(who)
                await asyncio.sleep(0)
                await made.turns.yield_turn(who)

    await asyncio.gather(work("SYNC"), work("SEND"))
    assert story == ["SYNC", "SEND"] * 3


@pytest.mark.parametrize(
    "error", [ChannelGone, lambda: SettingsError(["no browser"]), asyncio.CancelledError]
)
async def test_after_a_crash_the_browser_is_closed_and_the_next_turn_opens_another(made, browser_lock, error):
    with pytest.raises((ChannelGone, SettingsError, asyncio.CancelledError)):
        async with made.turns.turn("SYNC"):
            raise error()
    assert made.channels[0].calls == ["open", "close"]
    assert not browser_lock.is_taken()
    async with made.turns.turn("SEND") as channel:
        assert channel is made.channels[1]


async def test_after_an_ordinary_trouble_the_browser_stays_open(made):
    with pytest.raises(TransientError):
        async with made.turns.turn("SYNC"):
            raise TransientError
    assert made.turns.is_open


async def test_after_a_halt_the_browser_is_closed_and_nobody_gets_a_turn(made):
    wall = WallHit("captcha", "a challenge is shown")
    with pytest.raises(WallHit):
        async with made.turns.turn("SYNC"):
            raise wall
    assert made.channels[0].calls == ["open", "close"]
    for _ in range(2):
        with pytest.raises(WallHit) as caught:
            async with made.turns.turn("SEND"):
                pytest.fail("this turn must not be given")
        assert caught.value is wall
    assert len(made.channels) == 1


async def test_a_halt_outside_of_a_turn_forbids_every_further_one(made):
    wall = WallHit("captcha", "a challenge is shown")
    made.turns.forbid(wall)
    made.turns.forbid(WallHit("login", "another one"))
    with pytest.raises(WallHit) as caught:
        async with made.turns.turn("SEND"):
            pytest.fail("this turn must not be given")
    assert caught.value is wall
    assert made.channels == []


@pytest.mark.parametrize(
    ("error", "expected"), [(ChannelGone(), ChannelGone), (WallHit("captcha", "shown"), WallHit)]
)
async def test_what_ended_the_others_turn_ends_the_one_that_let_it_go_first(made, error, expected):
    async def send():
        async with made.turns.turn("SEND"):
            raise error

    with pytest.raises(expected):
        async with made.turns.turn("SYNC"):
            waiting = asyncio.create_task(send())
            await asyncio.sleep(0)
            await made.turns.yield_turn("SYNC")
            pytest.fail("there is no browser any more")
    with pytest.raises(expected):
        await waiting


async def test_a_worker_that_is_cancelled_while_another_one_has_the_turn_does_not_disturb_it(made):
    inside, leave = asyncio.Event(), asyncio.Event()

    async def send():
        async with made.turns.turn("SEND") as channel:
            inside.set()
            await leave.wait()
            return made.turns.channel is channel

    async def sync():
        async with made.turns.turn("SYNC"):
            await until(lambda: made.turns._turn.waiting)
            await made.turns.yield_turn("SYNC")

    syncing = asyncio.create_task(sync())
    await asyncio.sleep(0)
    sending = asyncio.create_task(send())
    await inside.wait()
    syncing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await syncing
    assert made.channels[0].calls == ["open"]
    assert made.turns._turn.is_taken
    leave.set()
    assert await sending
    async with made.turns.turn("SYNC") as channel:
        assert channel is made.channels[0]


async def test_a_browser_that_does_not_open_is_closed_and_its_lock_given_back(made, browser_lock):
    made.spoil = lambda channel: channel.fail("open", TransientError("the inbox did not load"))
    with pytest.raises(TransientError):
        async with made.turns.turn("SYNC"):
            pytest.fail("there is no browser")
    assert made.channels[0].calls == ["open", "close"]
    assert not browser_lock.is_taken()
    assert not made.turns.is_open


@pytest.mark.parametrize("worker", ["SYNC", "SEND"])
async def test_a_worn_browser_is_closed_between_two_turns_its_login_saved(made, browser_lock, worker):
    async with made.turns.turn(worker) as channel:
        channel.is_worn = "it takes 2000 MB"
        assert made.turns.is_open
    assert channel.calls == ["open", "save_login", "close"]
    assert not browser_lock.is_taken()
    async with made.turns.turn(worker) as channel:
        assert channel is made.channels[1]


async def test_a_login_that_cannot_be_saved_keeps_no_browser_open(made, monkeypatch):
    for trouble in (ChannelGone(), OSError("disk full")):
        async with made.turns.turn("SYNC") as channel:
            channel.fail("save_login", trouble)
        await made.turns.close()
        assert not made.turns.is_open
    async with made.turns.turn("SYNC") as channel:
        monkeypatch.setattr(channel, "save_login", asyncio.Event().wait)
    await made.turns.close()
    assert not made.turns.is_open


async def test_at_a_halt_the_login_that_was_kept_before_is_left_as_it_is(made):
    async with made.turns.turn("SYNC") as channel:
        pass
    made.turns.forbid(WallHit("login", "the login page is shown"))
    await made.turns.close()
    assert channel.calls == ["open", "close"]


# --- other processes -------------------------------------------------------------------------------------------


async def test_the_browser_of_another_process_is_waited_for(made, browser_lock, tmp_path):
    assert browser_lock.try_acquire()

    async def work():
        async with made.turns.turn("SEND"):
            pass

    waiting = asyncio.create_task(work())
    await until(lambda: FileLock(tmp_path / "next.lock").is_taken())
    assert made.channels == []
    browser_lock.release()
    await waiting
    assert made.channels[0].calls == ["open"]
    assert not FileLock(tmp_path / "next.lock").is_taken()


async def test_every_lock_folder_is_locked(clock, tmp_path):
    folders = [tmp_path / "profile", tmp_path / "account"]
    turns = Turns(Lease(lambda: FakeChannel(FakeSite(clock)), Exclusion(folders)))
    async with turns.turn("SYNC"):
        assert all(FileLock(folder / "browser.lock").is_taken() for folder in folders)
    await turns.close()
    assert not any(FileLock(folder / "browser.lock").is_taken() for folder in folders)


async def test_at_the_end_of_a_turn_the_browser_is_given_to_who_waits_for_it(made, browser_lock, tmp_path):
    theirs = FileLock(tmp_path / "next.lock")
    async with made.turns.turn("SYNC"):
        assert theirs.try_acquire()
    assert not made.turns.is_open
    assert not browser_lock.is_taken()
    theirs.release()


async def test_an_idle_browser_is_given_to_who_waits_for_it(made, browser_lock, tmp_path):
    async with made.turns.turn("SYNC"):
        pass
    yielding = asyncio.create_task(made.turns.yield_when_idle())
    theirs = FileLock(tmp_path / "next.lock")
    assert theirs.try_acquire()
    await until(lambda: not made.turns.is_open)
    assert not browser_lock.is_taken()
    theirs.release()
    yielding.cancel()


async def test_a_browser_at_work_is_not_given_away(made, tmp_path):
    theirs = FileLock(tmp_path / "next.lock")
    async with made.turns.turn("SYNC") as channel:
        yielding = asyncio.create_task(made.turns.yield_when_idle())
        assert theirs.try_acquire()
        for _ in range(20):
            await asyncio.sleep(0)
        assert made.turns.channel is channel
        assert channel.calls == ["open"]
    yielding.cancel()
    theirs.release()


# --- the watchdog's view ---------------------------------------------------------------------------------------


async def test_a_turn_marks_its_steps_and_its_end(made):
    async with made.turns.turn("SYNC"):
        made.turns.progress("SYNC: reading")
        await made.turns.yield_turn("SYNC")
    assert made.marks == [
        "SYNC: turn",
        "opening the browser",
        "SYNC: reading",
        "SYNC: between two steps",
        "",
    ]
