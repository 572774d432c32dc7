"""Memory over many cycles and sends, and what a further account costs in the same browser or in one of its own."""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import BrowserContext, Page, async_playwright

from benchmarks.floor import Floor
from benchmarks.inbox import REPLY, Ours
from benchmarks.processes import pss_mib, tree, uss_mib
from benchmarks.remote_site import RemoteSite
from benchmarks.results import Results
from benchmarks.sizes import Size
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.airbnb.list_reader import ListReader
from src.channels.airbnb.settings import AirbnbSettings
from src.channels.browser import Browser, find_browsers, launch_options

GROUP = "Memory"
SENDS = 50
SAMPLES = 40
ACCOUNTS = 4
TIME_LIMIT_SEC = 2_400.0
"""The cycles end then, however many there were."""


def steps(_size: Size) -> int:
    return 2


async def run(size: Size, results: Results, tick: Callable[[str], None]) -> None:
    """Cycles first, then the accounts."""
    tick(f"memory over {size.cycles:,} cycles")
    ListReader.FRESH_SEC = -1.0
    await _over_cycles(size, results)
    tick("memory of a further account")
    await _accounts(results)


async def _over_cycles(size: Size, results: Results) -> None:
    before = frozenset(child.pid for child in psutil.Process().children())
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        RemoteSite(mark_read_after=86_400.0) as site,
    ):
        numbers = site.fill(min(200, max(size.threads)))
        others = before | {child.pid for child in psutil.Process().children()}
        ours = Ours(Path(folder), site.url)
        await ours.open()
        try:
            await _cycles(size, results, site, ours, numbers, frozenset(others))
        finally:
            await ours.close()


async def _cycles(
    size: Size,
    results: Results,
    site: RemoteSite,
    ours: Ours,
    numbers: list[int],
    others: frozenset[int],
) -> None:
    python, browser = list[float](), list[float]()
    # The warm-up is long enough for one fresh page, so that both ends are seen after one.
    warm_up = AirbnbChannel.RECYCLE_AFTER + 50 if size.name != "tiny" else 10
    every, each_send = max(1, size.cycles // SAMPLES), max(1, size.cycles // SENDS)
    began, done = time.monotonic(), 0
    for cycle in range(warm_up + size.cycles):
        if time.monotonic() - began > TIME_LIMIT_SEC:
            break
        if cycle % each_send == 0:
            await _send(site, ours, numbers[(cycle // each_send) % 14])
        await ours.sync.run_once(ours.channel)
        if cycle >= warm_up:
            done += 1
            if done % every == 0:
                gc.collect()
                python.append(uss_mib([psutil.Process()]))
                browser.append(pss_mib(tree(without=others)))
    part = max(1, len(python) // 5)
    first, last = statistics.median(python[:part]), statistics.median(python[-part:])
    note = f"{done:,} cycles, {done // each_send} sends, after {warm_up} to warm up; first and last fifth"
    results.add(GROUP, "Python", "ours", "MiB USS", python)
    results.add(GROUP, "browser and driver", "ours", "MiB PSS", browser)
    results.add(GROUP, "Python, growth", "ours", "MiB", [last - first], note)
    first, last = statistics.median(browser[:part]), statistics.median(browser[-part:])
    results.add(GROUP, "browser and driver, growth", "ours", "%", [(last / first - 1) * 100], note)


async def _send(site: RemoteSite, ours: Ours, number: int) -> None:
    site.guest_writes(number, f"A question at {time.time()}")
    await ours.sync.run_once(ours.channel)
    ours.enqueue(number, REPLY)
    await ours.send.run_once(ours.channel)


# --- accounts ------------------------------------------------------------------------------------------------


class _Beside(Browser):
    """The product's browser object on a context of a browser that others use, too."""

    def __init__(self, folder: Path, browser: PlaywrightBrowser) -> None:
        super().__init__(folder, headless=True, executable=None)
        self._shared = browser

    async def start(self) -> Page:
        self._context = await _context(self._shared)
        self._page = await self._context.new_page()
        return self._page

    async def stop(self) -> None:
        context = self._context
        self._page = self._context = None
        if context is not None:
            await context.close()


async def _context(browser: PlaywrightBrowser) -> BrowserContext:
    return await browser.new_context(viewport={"width": 1280, "height": 900}, service_workers="block")


@asynccontextmanager
async def _shared_browser() -> AsyncIterator[PlaywrightBrowser]:
    async with async_playwright() as playwright:
        executable = find_browsers(None, playwright.chromium.executable_path)[0]
        browser = await playwright.chromium.launch(
            executable_path=executable, headless=True, **launch_options()
        )
        try:
            yield browser
        finally:
            await browser.close()


async def _accounts(results: Results) -> None:
    with RemoteSite(mark_read_after=86_400.0) as site, tempfile.TemporaryDirectory(prefix="bench-") as name:
        site.fill(200)
        for turn in range(2):
            for who in ("bare context and page", "ours, same browser"):
                await _accounts_in_one(results, who, site, Path(name) / f"{who}{turn}")
            await _accounts_apart(results, site, Path(name) / f"apart{turn}")


async def _accounts_in_one(results: Results, who: str, site: RemoteSite, folder: Path) -> None:
    others = frozenset(child.pid for child in psutil.Process().children())
    async with _shared_browser() as browser:
        seen: list[tuple[float, float]] = []
        for n in range(ACCOUNTS):
            if who.startswith("bare"):
                page = await (await _context(browser)).new_page()
                await Floor(page, site.url).open()
            else:
                channel = AirbnbChannel(
                    AirbnbSettings(base_url=site.url),
                    _Beside(folder / str(n), browser),
                    evidence_dir=folder / "evidence",
                )
                await channel.open()
            await asyncio.sleep(1.0)
            seen.append((pss_mib(tree(without=others)), uss_mib(tree(without=others))))
        further = ACCOUNTS - 1
        results.add(GROUP, "a further account", who, "MiB PSS", [(seen[-1][0] - seen[0][0]) / further])
        results.add(GROUP, "a further account", who, "MiB USS", [(seen[-1][1] - seen[0][1]) / further])
        results.add(GROUP, "the first account", who, "MiB PSS", [seen[0][0]])


async def _accounts_apart(results: Results, site: RemoteSite, folder: Path) -> None:
    others = frozenset(child.pid for child in psutil.Process().children())
    opened: list[Ours] = []
    seen: list[tuple[float, float]] = []
    try:
        for n in range(2):
            own = folder / str(n)
            own.mkdir(parents=True)
            opened.append(Ours(own, site.url))
            await opened[-1].open()
            await asyncio.sleep(1.0)
            seen.append((pss_mib(tree(without=others)), uss_mib(tree(without=others))))
    finally:
        for one in opened:
            await one.close()
    who = "ours, a browser of its own"
    results.add(GROUP, "a further account", who, "MiB PSS", [seen[1][0] - seen[0][0]])
    results.add(GROUP, "a further account", who, "MiB USS", [seen[1][1] - seen[0][1]])
