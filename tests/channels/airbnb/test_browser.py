"""The browser itself: found, kept private, given up when it is gone, started again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import pytest_asyncio
from playwright.async_api import Error as PlaywrightError

from sandbox.airbnb.site import SimulatedSite
from src.channels import browser as module
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.airbnb.wire import ThreadPage
from src.channels.browser import (
    Browser,
    bounded,
    clear_stale_lock,
    find_browsers,
    launch_options,
    memory_of,
    write_private,
)
from src.errors import ChannelGone, PageChanged, SettingsError, TransientError, WallHit
from tests.channels.airbnb.conftest import MakeChannel
from tests.support.airbnb import days_ago, deliver, fill, listed, mode, pictures, texts

asynchronous = pytest.mark.asyncio(loop_scope="session")
ROOT = Path(__file__).resolve().parents[3]


def program(folder: Path, name: str, does: str = "exit 1") -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return str(path)


# --- which one -----------------------------------------------------------------------------------------------


def test_playwrights_own_browser_comes_before_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    chromium, chrome = program(tmp_path, "chromium"), program(tmp_path, "google-chrome")
    own = program(tmp_path, "own")
    assert find_browsers(None, own) == [own, chrome, chromium]
    assert find_browsers(None, str(tmp_path / "not there")) == [chrome, chromium]
    assert find_browsers(None, chrome) == [chrome, chromium]


def test_a_browser_that_is_set_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "chromium")
    mine = program(tmp_path, "mine")
    assert find_browsers(mine, program(tmp_path, "own")) == [mine]
    assert find_browsers("mine") == [mine]


def test_a_browser_that_is_set_but_not_there_is_named(tmp_path: Path):
    not_executable = tmp_path / "text"
    not_executable.write_text("")
    for wrong in (tmp_path / "not there", not_executable, tmp_path):
        with pytest.raises(SettingsError, match="BROWSER_EXECUTABLE_PATH") as caught:
            find_browsers(str(wrong))
        assert str(wrong) in caught.value.problems[0]


def test_no_browser_at_all_is_an_empty_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_browsers(None) == []


def test_the_browser_says_what_it_is():
    options = launch_options()
    words = " ".join(options["args"]).lower()
    assert "user-agent" not in words
    assert "automationcontrolled" not in words
    assert options["chromium_sandbox"] is (os.geteuid() != 0)
    assert "--no-sandbox" not in options["args"]


@asynchronous
async def test_a_browser_that_does_not_start_is_a_wrong_setting(tmp_path: Path):
    made = Browser(tmp_path / "session", headless=True, executable=program(tmp_path, "broken"))
    with pytest.raises(SettingsError, match="no browser could be started"):
        await made.start()
    with pytest.raises(ChannelGone):
        _ = made.page
    await made.stop()


@asynchronous
async def test_a_browser_that_is_too_slow_to_start_is_no_wrong_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    slow = program(tmp_path, "slow", "exec sleep 30")
    monkeypatch.setattr(module, "_LAUNCH_TIMEOUT_MS", 500)
    made = Browser(tmp_path / "session", headless=True, executable=slow)
    with pytest.raises(ChannelGone, match="did not start within"):
        await made.start()


# --- files ---------------------------------------------------------------------------------------------------


def test_a_private_file_is_the_owners_alone_and_replaced_whole(tmp_path: Path):
    path = tmp_path / "folder" / "state.json"
    write_private(path, "first")
    path.chmod(0o644)
    write_private(path, "second")
    assert path.read_text() == "second"
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["state.json"]


def test_a_private_file_survives_a_write_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "state.json"
    write_private(path, "first")

    def full(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_private(path, "second")
    assert path.read_text() == "first"


@asynchronous
async def test_a_call_that_does_not_end_is_a_browser_that_is_gone():
    with pytest.raises(ChannelGone):
        await bounded(asyncio.Event().wait(), 0.01)
    assert await bounded(asyncio.sleep(0, "done"), 1) == "done"


# --- a browser of the test's own -----------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="session")
async def browser_alone(tmp_path: Path) -> AsyncIterator[Browser]:
    made = Browser(tmp_path / "session", headless=True, executable=None)
    yield made
    await made.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def alone(browser_alone: Browser, make_channel: MakeChannel) -> AsyncIterator[AirbnbChannel]:
    """The channel on a browser that no other test uses."""
    made = make_channel(browser_alone)
    yield made
    await made.close()


def command_of(pid: int) -> str:
    """The command line of a process; empty for a zombie, or if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found: list[int] = []
    todo = [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def driver_of(browser: Browser) -> int:
    """The process of Playwright's driver that this browser runs under."""
    profile = str(browser.session_dir)
    return next(
        pid
        for pid in descendants(os.getpid())
        if "playwright" in command_of(pid) and any(profile in command_of(below) for below in descendants(pid))
    )


@pytest.mark.browser
@asynchronous
async def test_a_login_of_the_session_only_survives_a_restart(
    site: SimulatedSite, alone: AirbnbChannel, browser_alone: Browser
):
    site.options.login_required = True
    site.options.cookie_max_age = None
    thread = fill(site, 1)[0]
    person = asyncio.create_task(alone.open_for_person(30))
    await asyncio.to_thread(site.log.wait_for, "login")
    page = browser_alone.page
    await page.fill("#phone-or-email", "host@example.org")
    await page.fill("input[type='password']", "anything")
    await page.click("[data-testid='signup-login-submit-btn']")
    await person
    assert not any(entry.kind == "send" for entry in site.log.entries)
    saved = await alone.save_login()
    assert mode(saved) == 0o600
    assert mode(browser_alone.session_dir) == 0o700
    assert {c["name"] for c in json.loads(saved.read_text())["cookies"]} >= {"_aat", "_airbed_session_id"}
    await alone.close()
    await alone.open()
    assert listed(await alone.glance(days_ago(1))) == [thread.id]
    await alone.close()
    saved.unlink()
    with pytest.raises(WallHit) as caught:
        await alone.open()
    assert caught.value.kind == "logged_out"


@pytest.mark.browser
@asynchronous
@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"cookies": 7}', '{"cookies": [7]}', '{"cookies": [{}]}']
)
async def test_a_saved_login_that_cannot_be_read_is_not_used(content: str, tmp_path: Path):
    made = Browser(tmp_path, headless=True, executable=None)
    write_private(tmp_path / module.STATE_FILE, content)
    added: list[object] = []

    class Context:
        async def cookies(self) -> list[object]:
            return []

        async def add_cookies(self, cookies: list[object]) -> None:
            added.extend(cookies)

    made._context = Context()  # type: ignore[assignment]
    await made._restore_login()
    assert added == []


@pytest.mark.browser
@asynchronous
async def test_the_driver_is_in_a_session_of_its_own_and_the_browser_leaves_nothing_behind(
    browser_alone: Browser,
):
    await browser_alone.start()
    driver = driver_of(browser_alone)
    below = descendants(driver)
    assert below
    assert os.getpgid(driver) != os.getpgid(0)
    assert os.getsid(driver) == driver
    assert await browser_alone.alive()
    await browser_alone.stop()
    await browser_alone.stop()
    assert not await browser_alone.alive()
    assert [pid for pid in (driver, *below) if command_of(pid)] == []


@pytest.mark.browser
def test_control_c_to_the_process_group_leaves_the_browser_alive(tmp_path: Path):
    child = """
import asyncio, os, signal, sys
from pathlib import Path
from src.channels.browser import Browser

async def main():
    got = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, got.set)
    browser = Browser(Path(sys.argv[1]), headless=True, executable=None)
    page = await browser.start()
    print("ready", flush=True)
    await got.wait()
    print(await page.evaluate("6 * 7"), await browser.alive(), flush=True)
    await browser.stop()

asyncio.run(main())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", child, str(tmp_path / "session")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        with process:
            assert process.stdout.readline() == "ready\n"
            os.killpg(process.pid, signal.SIGINT)
            assert process.stdout.readline() == "42 True\n"
            assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.browser
@asynchronous
async def test_a_killed_browser_is_gone_and_opened_anew(
    site: SimulatedSite, alone: AirbnbChannel, browser_alone: Browser
):
    thread = fill(site, 2)[0]
    await alone.open()
    await alone.read(thread.id)
    for pid in descendants(driver_of(browser_alone)):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(ChannelGone):
        await alone.reread(thread.id)
    assert not await browser_alone.alive()
    await alone.close()
    await alone.open()
    assert texts(await deliver(alone, thread, "Welcome!")) == ["Question 0", "Welcome!"]


@pytest.mark.browser
@asynchronous
async def test_a_killed_driver_is_gone_and_opened_anew(
    site: SimulatedSite, alone: AirbnbChannel, browser_alone: Browser, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bounded, "__defaults__", (2.0,))
    thread = fill(site, 2)[0]
    await alone.open()
    left = descendants(driver_of(browser_alone))
    os.kill(driver_of(browser_alone), signal.SIGKILL)
    with pytest.raises(ChannelGone):
        await alone.read(thread.id)
    await alone.close()
    for pid in left:
        if command_of(pid):
            os.kill(pid, signal.SIGKILL)
    await alone.open()
    assert texts(await alone.read(thread.id)) == ["Question 0"]


@pytest.mark.browser
@asynchronous
async def test_a_crashed_page_is_gone_and_opened_anew(
    site: SimulatedSite, alone: AirbnbChannel, browser_alone: Browser, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bounded, "__defaults__", (2.0,))
    thread = fill(site, 2)[0]
    await alone.open()
    await alone.read(thread.id)
    with pytest.raises(PlaywrightError):
        await browser_alone.page.goto("chrome://crash", timeout=5_000)
    assert not await browser_alone.alive()
    with pytest.raises(ChannelGone):
        await alone.glance(days_ago(1))
    await alone.close()
    await alone.open()
    assert texts(await alone.read(thread.id)) == ["Question 0"]


@pytest.mark.browser
@asynchronous
@pytest.mark.parametrize("at", ["now", "thread"])
async def test_a_page_that_hangs_is_gone_within_bounds(
    site: SimulatedSite, alone: AirbnbChannel, monkeypatch: pytest.MonkeyPatch, impatient: None, at: Any
):
    monkeypatch.setattr(bounded, "__defaults__", (2.0,))
    thread = fill(site, 2)[0]
    await alone.open()
    await alone.glance(days_ago(1))
    site.log.wait_for("live")
    site.faults.hang_renderer(at)
    with pytest.raises(ChannelGone):
        async with asyncio.timeout(40):
            with contextlib.suppress(TransientError):
                await alone.read(thread.id)
            await alone.glance(days_ago(1))
    async with asyncio.timeout(40):
        await alone.close()
    site.faults.clear()
    await alone.open()
    assert texts(await alone.read(thread.id)) == ["Question 0"]


def lock_profile(profile: Path, holder: str) -> Path:
    profile.mkdir(parents=True)
    lock = profile / "SingletonLock"
    lock.symlink_to(holder)
    return lock


@pytest.mark.parametrize("holder", ["another-host-1", f"{socket.gethostname()}-4194304", "nonsense"])
def test_the_lock_of_a_browser_that_is_gone_is_taken_away(tmp_path: Path, holder: str):
    lock = lock_profile(tmp_path / "profile", holder)
    clear_stale_lock(tmp_path / "profile")
    assert not lock.is_symlink()
    clear_stale_lock(tmp_path / "profile")


def test_the_lock_of_a_living_browser_is_left_alone(tmp_path: Path):
    lock = lock_profile(tmp_path / "profile", f"{socket.gethostname()}-{os.getpid()}")
    clear_stale_lock(tmp_path / "profile")
    assert lock.is_symlink()


def process_with(shares: object, memory: object) -> Any:
    def told(what: object) -> Any:
        if isinstance(what, Exception):
            raise what
        return what

    return SimpleNamespace(memory_full_info=lambda: told(shares), memory_info=lambda: told(memory))


def test_a_process_whose_shares_may_not_be_read_is_weighed_all_the_same():
    memory = SimpleNamespace(rss=300, shared=100)
    assert memory_of(process_with(SimpleNamespace(pss=250), memory)) == 250
    assert memory_of(process_with(psutil.AccessDenied(1), memory)) == 200
    assert memory_of(process_with(SimpleNamespace(), SimpleNamespace(rss=300))) == 300
    assert memory_of(process_with(psutil.NoSuchProcess(1), memory)) == 0
    assert memory_of(process_with(SimpleNamespace(), psutil.NoSuchProcess(1))) == 0


@pytest.mark.browser
@asynchronous
async def test_a_profile_of_a_container_that_was_replaced_opens_and_an_old_or_heavy_browser_is_worn(
    site: SimulatedSite, alone: AirbnbChannel, browser_alone: Browser, monkeypatch: pytest.MonkeyPatch
):
    lock_profile(browser_alone.session_dir / "profile", "another-host-1")
    assert await alone.worn() is None
    await alone.open()
    assert await alone.worn() is None
    monkeypatch.setattr(alone, "YOUNGEST_TO_CLOSE_SEC", 0)
    monkeypatch.setattr(alone, "_memory_limit_mb", 50.0)
    heavy = await alone.worn()
    assert heavy is not None
    assert re.fullmatch(r"it takes \d+ MB", heavy)
    assert await alone.worn() is None, "it is not weighed at every turn"
    monkeypatch.setattr(alone, "OLDEST_BROWSER_SEC", 0)
    assert await alone.worn() == "it is a day old"
    await alone.close()
    assert await alone.worn() is None


@pytest.mark.browser
@asynchronous
async def test_a_second_browser_on_the_same_profile_is_refused(browser_alone: Browser):
    await browser_alone.start()
    second = Browser(browser_alone.session_dir, headless=True, executable=None)
    with pytest.raises(ChannelGone):
        await second.start()
    assert await browser_alone.alive()


# --- on the shared browser -----------------------------------------------------------------------------------


@pytest.mark.browser
@asynchronous
async def test_a_fresh_page_after_many_uses_goes_on_where_the_old_one_was(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AirbnbChannel, "RECYCLE_AFTER", 4)
    threads = fill(site, 3)
    await channel.open()
    await channel.glance(days_ago(1))
    pages = {channel.browser.page}
    for n in range(7):
        site.inbox.guest_writes(threads[n % 3], f"news {n}")
        assert await channel.wait_for_news(10)
        glance = await channel.glance(days_ago(1))
        assert sorted(listed(glance)) == sorted(thread.id for thread in threads)
        assert glance.conversations[0].newest.text == f"news {n}"
        assert (await channel.read(threads[n % 3].id)).newest.text == f"news {n}"
        pages.add(channel.browser.page)
    assert site.log.count("document") == 3
    assert len(pages) == 3
    assert len(channel.browser.context.pages) == 1
    for _ in range(8):  # a process that only sends never glances
        assert (await channel.read(threads[0].id)).newest.text == "news 6"
        pages.add(channel.browser.page)
    assert len(pages) == 4


@pytest.mark.browser
@asynchronous
async def test_closing_does_not_ask_what_an_answer_that_is_not_understood_says(
    site: SimulatedSite, channel: AirbnbChannel
):
    thread = fill(site, 1)[0]
    await channel.open()
    await channel.read(thread.id)
    tap = channel._visit.tap
    tap.threads[thread.id].append((tap.seq + 1, ThreadPage(thread.id, {"messageData": {"messages": [7]}})))
    with pytest.raises(PageChanged):
        await channel.reread(thread.id)
    await channel.close()
    assert channel.browser.page.url == "about:blank"


@pytest.mark.browser
@asynchronous
async def test_waiting_for_a_person_ends_in_time_and_raises_no_wall(
    site: SimulatedSite, channel: AirbnbChannel
):
    site.options.login_required = True
    with pytest.raises(TimeoutError):
        await channel.open_for_person(0.5)


@pytest.mark.browser
@asynchronous
async def test_a_window_that_the_person_closes_ends_the_waiting(site: SimulatedSite, channel: AirbnbChannel):
    site.options.login_required = True
    waiting = asyncio.create_task(channel.open_for_person(30))
    await asyncio.to_thread(site.log.wait_for, "login")
    old = channel.browser.page
    await channel.browser.context.new_page()
    await old.close()
    with pytest.raises(ChannelGone):
        await waiting
    channel.browser._page = channel.browser.context.pages[-1]


@pytest.mark.browser
@asynchronous
async def test_a_picture_that_cannot_be_kept_is_none(
    site: SimulatedSite, channel: AirbnbChannel, evidence_dir: Path
):
    fill(site, 1)
    await channel.open()
    write_private(evidence_dir, "a file where the folder should be")
    assert await channel.evidence("label") is None
    os.remove(evidence_dir)  # noqa: PTH107
    kept = await channel.evidence("label")
    assert mode(kept) == 0o600
    assert kept.endswith("-label.png")
    shutil.rmtree(evidence_dir)


@pytest.mark.browser
@asynchronous
async def test_what_is_not_understood_again_and_again_is_shown_by_one_picture(
    site: SimulatedSite, channel: AirbnbChannel, evidence_dir: Path
):
    fill(site, 1)
    await channel.open()
    found = {await channel.evidence("not_understood") for _ in range(3)}
    assert [str(path) for path in pictures(evidence_dir)] == list(found)
    halts = {await channel.evidence("captcha") for _ in range(2)}
    assert len(halts) == 2, "a halt is shown as it is now"
