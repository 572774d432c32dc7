"""Four accounts, each with its own login, in one browser process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from src.channels import browser as module
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.browser import STATE_FILE, Browser, memory_of
from src.channels.common_browser import CommonBrowser
from src.errors import ChannelGone, WallHit
from tests.channels.airbnb.conftest import MakeChannel
from tests.support.airbnb import days_ago, fill, listed, mode
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
ACCOUNTS = 4


@pytest_asyncio.fixture(loop_scope="session")
async def browsers(tmp_path: Path) -> AsyncIterator[list[Browser]]:
    made = [
        Browser(tmp_path / f"house-{n}", headless=True, executable=None, common=True) for n in range(ACCOUNTS)
    ]
    module._common.clear()
    yield made
    for one in made:
        await one.stop()
    module._common.clear()


@pytest.fixture
def channels(browsers: list[Browser], make_channel: MakeChannel) -> list[AirbnbChannel]:
    return [make_channel(one) for one in browsers]


@pytest.fixture
def threads(site: SimulatedSite) -> list[Thread]:
    site.options.login_required = True
    return fill(site, 1)


def processes() -> list[psutil.Process]:
    """The browsers that run below the tests: each has one process that is of no special type."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            words = child.cmdline()
        except psutil.Error:
            continue
        if any("--disk-cache-dir" in word for word in words) and not any("--type=" in word for word in words):
            found.append(child)
    return found


async def log_in(browser: Browser, channel: AirbnbChannel) -> None:
    person = asyncio.create_task(channel.open_for_person(60))
    await until(lambda: browser._page is not None and "login" in browser.page.url)
    page = browser.page
    await page.fill("#phone-or-email", "host@example.org")
    await page.fill("input[type='password']", "anything")
    await page.click("[data-testid='signup-login-submit-btn']")
    await person
    await channel.save_login()


async def test_four_accounts_are_in_one_process_and_each_login_survives_a_restart(
    browsers: list[Browser], channels: list[AirbnbChannel], threads: list[Thread]
):
    others = {one.pid for one in processes()}
    for browser, channel in zip(browsers[:3], channels[:3], strict=True):
        await log_in(browser, channel)
    assert len({one.pid for one in processes()} - others) == 1
    with pytest.raises(WallHit) as caught:
        await channels[3].open()
    assert caught.value.kind == "logged_out", "a login is one account's alone"
    await channels[3].close()
    await log_in(browsers[3], channels[3])
    for browser, channel in zip(browsers, channels, strict=True):
        assert mode(browser.session_dir / STATE_FILE) == 0o600
        await channel.close()
        assert not (browser.session_dir / module.PROFILE_FOLDER).exists(), "nothing else is on the disk"
    await until(lambda: {one.pid for one in processes()} <= others)
    for channel in channels:
        await channel.open()
        assert listed(await channel.glance(days_ago(1))) == [threads[0].id]
    assert len({one.pid for one in processes()} - others) == 1
    shares = [browser.memory_mb() for browser in browsers]
    assert max(shares) - min(shares) < 0.2 * max(shares), "each is counted with an equal share"


async def test_after_a_crash_each_opens_its_inbox_again_by_itself_one_after_the_other(
    browsers: list[Browser], channels: list[AirbnbChannel], threads: list[Thread]
):
    others = {one.pid for one in processes()}
    for browser, channel in zip(browsers, channels, strict=True):
        await log_in(browser, channel)
        await channel.open()
    (crashed,) = [one for one in processes() if one.pid not in others]
    crashed.kill()
    for channel in channels:
        with pytest.raises(ChannelGone):
            while True:
                await channel.glance(days_ago(1), thorough=True)
        await channel.close()
    await asyncio.gather(*(channel.open() for channel in channels))
    for channel in channels:
        assert listed(await channel.glance(days_ago(1))) == [threads[0].id]
    assert len({one.pid for one in processes()} - others) == 1


# --- without a browser -----------------------------------------------------------------------------------


class Context:
    async def close(self) -> None:
        pass


class Process:
    def __init__(self) -> None:
        self.connected = True
        self.opened: list[float] = []

    def is_connected(self) -> bool:
        return self.connected

    async def new_context(self, **_: object) -> Context:
        self.opened.append(asyncio.get_running_loop().time())
        return Context()

    async def close(self) -> None:
        self.connected = False


class Driver:
    async def stop(self) -> None:
        pass


async def test_after_a_crash_openings_are_apart_and_before_it_they_are_not():
    launched: list[Process] = []

    async def launch():
        launched.append(Process())
        return Driver(), launched[-1]

    common = CommonBrowser(launch, apart_sec=0.2)
    members = await asyncio.gather(*(common.join() for _ in range(3)))
    assert launched[0].opened[-1] - launched[0].opened[0] < 0.2
    launched[0].connected = False
    members = await asyncio.gather(*(common.join() for _ in range(3)))
    gaps = [b - a for a, b in zip(launched[1].opened, launched[1].opened[1:], strict=False)]
    assert len(launched) == 2
    assert min(gaps) >= 0.19
    for member in members:
        await member.leave()
        await member.leave()
    assert not launched[1].connected, "the last one has closed it"
    assert members[0].share_mb(memory_of) >= 0


async def test_a_process_that_gives_no_context_is_left_for_another_one():
    launched: list[Process] = []

    class Hung(Process):
        async def new_context(self, **_: object) -> Context:
            raise TimeoutError

    async def launch():
        launched.append(Process() if launched else Hung())
        return Driver(), launched[-1]

    common = CommonBrowser(launch)
    with pytest.raises(ChannelGone):
        await common.join()
    await common.join()
    assert len(launched) == 2
    assert not launched[0].connected, "it had nobody, and has ended"
