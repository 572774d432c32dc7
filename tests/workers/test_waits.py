"""How work is ended: by itself, by being cancelled, or when nothing is at stake any more."""

import asyncio

import pytest

from src.workers import waits


class Work:
    """Goes on until it is let go or cancelled."""

    def __init__(self, putting_away=0):
        self.began = asyncio.Event()
        self.over = asyncio.Event()
        self.cancelled = False
        self.put_away = asyncio.Event()
        if not putting_away:
            self.put_away.set()

    async def run(self):
        self.began.set()
        try:
            await self.over.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            await self.put_away.wait()
            raise


async def test_what_ends_by_itself_after_the_stop_is_not_cancelled():
    work, stop = Work(), asyncio.Event()
    ending = asyncio.ensure_future(waits.until_stop(work.run(), stop, 30))
    await work.began.wait()
    stop.set()
    work.over.set()
    await ending
    assert not work.cancelled


async def test_what_goes_on_after_the_stop_is_cancelled():
    work, stop = Work(), asyncio.Event()
    ending = asyncio.ensure_future(waits.until_stop(work.run(), stop, 0.01))
    await work.began.wait()
    stop.set()
    await ending
    assert work.cancelled


async def test_while_something_is_at_stake_nothing_is_cancelled():
    work, stop, asked = Work(), asyncio.Event(), []

    def at_stake():
        asked.append(True)
        if len(asked) == 5:
            work.over.set()
        return True

    ending = asyncio.ensure_future(waits.until_stop(work.run(), stop, 0.01, at_stake=at_stake))
    await work.began.wait()
    stop.set()
    await ending
    assert not work.cancelled
    assert len(asked) >= 5


async def test_what_does_not_put_its_things_away_in_time_is_left_to_itself():
    work, stop = Work(putting_away=True), asyncio.Event()
    ending = asyncio.ensure_future(waits.until_stop(work.run(), stop, 0.01, leave=0.01))
    await work.began.wait()
    stop.set()
    await ending
    assert work.cancelled
    work.put_away.set()


async def test_what_the_work_raises_goes_up():
    async def fail():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await waits.until_stop(fail(), asyncio.Event())
