"""SYNC cycles and sends: ours, the raw floor, the naive design. Each has a browser and a site of its own; they are
measured in turn, while the others stand idle.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psutil
from playwright.async_api import Page

from benchmarks.floor import BareBrowser, Floor, Ledger
from benchmarks.naive import KEY_MS, Naive
from benchmarks.processes import cpu, tree
from benchmarks.remote_site import WAN, RemoteSite
from benchmarks.results import Results
from benchmarks.sizes import Size
from src.channels.airbnb import ids
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.airbnb.list_reader import ListReader
from src.channels.airbnb.settings import AirbnbSettings
from src.channels.browser import Browser
from src.db import accounts, conversations, outbox_queue
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.model.caps import Caps
from src.model.rows import Job
from src.model.values import DEFAULT_ACCOUNT, ReplyMode, utc_now
from src.services.intake import Rules
from src.services.send import Send
from src.services.sync import Sync

GROUP = "Reading and sending"
NO_LATENCY, LATENCY = "no latency", "150/40 ms"
LATENCIES = {NO_LATENCY: {"api_latency": 0.0, "asset_latency": 0.0}, LATENCY: WAN}
REPLY = (
    "Good evening and thank you for your message. The key box is to the left of the blue door; you will get its "
    "code on the morning of your arrival. There is a cot, towels are in the cupboard in the hall, and the bakery "
    "around the corner opens at seven. If you arrive late, please do not ring at the neighbour's: simply use the "
    "box. The wireless network is named on the card on the table. Have a safe journey, and write to me here at any "
    "time if something is missing. See you soon!"
)
RULES = Rules(
    max_age=timedelta(hours=24),
    grouping_delay=timedelta(0),
    grouping_max=timedelta(0),
    human_pause=timedelta(0),
    default_mode=ReplyMode.AUTO,
    caps=Caps(*[1_000_000] * 5),
)
NEVER = 1_000_000
"""The page is exchanged when the benchmark says so: one in a hundred cycles would hide among the others."""


class Ours:
    """The product's SYNC and SEND steps with their channel and a SQLite file, without the clocks around them."""

    def __init__(self, folder: Path, url: str) -> None:
        self.db = Database.open(f"sqlite:///{folder}/inbox.db")
        with self.db.write() as conn:
            accounts.ensure(conn, DEFAULT_ACCOUNT, utc_now())
        self.browser = Browser(folder / "session", headless=True, executable=None)
        settings = AirbnbSettings(base_url=url)
        self.channel = AirbnbChannel(settings, self.browser, evidence_dir=folder / "evidence")
        self.wakeup = Wakeup(self.db)
        self.sync = Sync(self.db, account=DEFAULT_ACCOUNT, rules=RULES, wakeup=self.wakeup, clock=utc_now)
        self.send = Send(
            self.db,
            account=DEFAULT_ACCOUNT,
            owner="bench",
            rules=RULES,
            wakeup=self.wakeup,
            clock=utc_now,
        )

    async def open(self) -> None:
        await self.channel.open()
        await self.sync.run_once(self.channel)

    async def close(self) -> None:
        await self.channel.close()
        self.wakeup.close()
        self.db.close()

    def enqueue(self, number: int, text: str) -> Job:
        """A reply for a conversation, due at once."""
        with self.db.write() as conn:
            external_id = ids.encode("MessageThread", number)
            conversation = conversations.ensure_named(conn, DEFAULT_ACCOUNT, external_id, utc_now())
            job, _ = outbox_queue.enqueue(
                conn,
                DEFAULT_ACCOUNT,
                conversation.id,
                text,
                request_id=None,
                idempotency_key=f"bench:{uuid4()}",
                now=utc_now(),
            )
        return job


@asynccontextmanager
async def _ours(folder: Path, url: str) -> AsyncIterator[tuple[Ours, frozenset[int]]]:
    before = _children()
    made = Ours(folder, url)
    await made.open()
    try:
        yield made, _children() - before
    finally:
        await made.close()


@asynccontextmanager
async def _bare(folder: Path) -> AsyncIterator[tuple[Page, frozenset[int]]]:
    before = _children()
    browser = BareBrowser(folder)
    page = await browser.start()
    try:
        yield page, _children() - before
    finally:
        await browser.stop()


def _children() -> frozenset[int]:
    return frozenset(child.pid for child in psutil.Process().children())


class Meter:
    """Wall time and CPU (Python with the browser and driver that it started) of a piece of work."""

    def __init__(self, drivers: frozenset[int]) -> None:
        self._others = _children() - drivers
        self._me = psutil.Process()

    async def measure(self, work: Callable[[], Awaitable[object]], times: int) -> tuple[list[float], float]:
        """Milliseconds of each, and milliseconds of CPU of one on average."""
        walls: list[float] = []
        below = tree(without=self._others)
        began = time.process_time() + cpu(below)
        for _ in range(times):
            start = time.perf_counter()
            await work()
            walls.append((time.perf_counter() - start) * 1000)
        used = time.process_time() + cpu(tree(without=self._others)) - began
        return walls, used * 1000 / times


async def run(size: Size, results: Results, tick: Callable[[str], None]) -> None:
    """Every N, every latency."""
    ListReader.FRESH_SEC = -1.0  # the benchmark does not wait until the list that was just told is old
    for threads in size.threads:
        for name, latency in LATENCIES.items():
            tick(f"inbox of {threads}, {name}")
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                await _one_inbox(size, results, threads, name, latency, Path(folder))


def steps(size: Size) -> int:
    """How many ticks ``run`` gives."""
    return len(size.threads) * len(LATENCIES)


async def _one_inbox(
    size: Size, results: Results, threads: int, name: str, latency: dict[str, float], folder: Path
) -> None:
    # The page is told nothing: it learns of changes only when it is asked, as the floor asks it.
    quiet = {"live": False, "mark_read_after": 86_400.0}
    with RemoteSite(**quiet) as mine, RemoteSite(**quiet) as theirs:
        numbers, same = mine.fill(threads), theirs.fill(threads)
        assert numbers == same
        async with (
            _ours(folder / "ours", mine.url) as (ours, our_drivers),
            _bare(folder / "bare") as (page, bare_drivers),
        ):
            ledger = Ledger(folder / "floor.db")
            floor, bare = Floor(page, theirs.url, ledger), Floor(page, theirs.url)
            await floor.open()
            mine.options(**latency)
            theirs.options(**latency)
            bench = _Bench(size, results, f"N={threads}, {name}", numbers)
            our_meter, bare_meter = Meter(our_drivers), Meter(bare_drivers)
            ours.channel.RECYCLE_AFTER = NEVER
            for turn in range(size.rounds):
                await bench.idle(ours, mine, our_meter, floor, bare_meter)
                await bench.busy(ours, mine, our_meter, floor, theirs, bare_meter)
                if threads == min(200, max(size.threads)):
                    await bench.sends(ours, mine, our_meter, floor, bare, bare_meter)
                if turn == 0:
                    await bench.naive(
                        Naive(page, theirs.url), threads, threads == min(200, max(size.threads))
                    )
                    await floor.open()
            await bench.exchange(ours, mine, our_meter)
            ledger.close()


class _Bench:
    """The measurements of one inbox."""

    def __init__(self, size: Size, results: Results, case: str, numbers: list[int]) -> None:
        self._size = size
        self._results = results
        self._case = case
        self._numbers = numbers
        self._aside = numbers[min(14, len(numbers) - 1)]
        """On the first screen, and never changed."""
        self._next = 0

    def _two(self) -> list[int]:
        """Two conversations that have not changed for a while."""
        pool = self._numbers[: min(14, len(self._numbers))]
        self._next = (self._next + 2) % len(pool)
        return [pool[self._next - 1], pool[self._next - 2]]

    def _add(self, case: str, who: str, unit: str, values: list[float], note: str = "") -> None:
        self._results.add(GROUP, f"{case}, {self._case}", who, unit, values, note)

    async def idle(
        self, ours: Ours, mine: RemoteSite, our_meter: Meter, floor: Floor, bare_meter: Meter
    ) -> None:
        mark = mine.mark()
        walls, used = await our_meter.measure(
            lambda: ours.sync.run_once(ours.channel), self._size.idle_cycles
        )
        self._results.counts[f"{self._size.idle_cycles} idle cycles, {self._case}"] = mine.counts(mark)
        self._add("idle cycle", "ours", "ms", walls)
        self._add("idle cycle", "ours", "ms CPU", [used])
        walls, used = await bare_meter.measure(floor.refresh, self._size.idle_cycles)
        self._add("idle cycle", "floor", "ms", walls)
        self._add("idle cycle", "floor", "ms CPU", [used])

    async def exchange(self, ours: Ours, mine: RemoteSite, our_meter: Meter) -> None:
        """What one cycle in a hundred costs: the one that goes on in a fresh page."""
        ours.channel.RECYCLE_AFTER, mark = 1, mine.mark()
        walls, used = await our_meter.measure(lambda: ours.sync.run_once(ours.channel), 1)
        ours.channel.RECYCLE_AFTER = NEVER
        self._results.counts[f"idle cycle in a fresh page, {self._case}"] = mine.counts(mark)
        self._add("idle cycle in a fresh page", "ours", "ms", walls)
        self._add("idle cycle in a fresh page", "ours", "ms CPU", [used])

    async def busy(
        self,
        ours: Ours,
        mine: RemoteSite,
        our_meter: Meter,
        floor: Floor,
        theirs: RemoteSite,
        bare_meter: Meter,
    ) -> None:
        for _ in range(self._size.busy_cycles):
            two = self._two()
            for site in (mine, theirs):
                for number in two:
                    site.guest_writes(number, f"News at {time.time()}")
            mark = mine.mark()
            walls, used = await our_meter.measure(lambda: ours.sync.run_once(ours.channel), 1)
            self._results.counts[f"cycle with 2 changed, {self._case}"] = mine.counts(mark)
            self._add("cycle, 2 changed", "ours", "ms", walls)
            self._add("cycle, 2 changed", "ours", "ms CPU", [used])

            async def same(two: list[int] = two) -> None:
                await floor.refresh()
                for number in two:
                    await floor.read(number)

            walls, used = await bare_meter.measure(same, 1)
            self._add("cycle, 2 changed", "floor", "ms", walls)
            self._add("cycle, 2 changed", "floor", "ms CPU", [used])

    async def sends(
        self,
        ours: Ours,
        mine: RemoteSite,
        our_meter: Meter,
        floor: Floor,
        bare: Floor,
        bare_meter: Meter,
    ) -> None:
        """Replies, each with the cycle after it: only that one reads the conversation once more."""
        for _ in range(self._size.sends):
            number = self._two()[0]
            mine.guest_writes(number, "One more question")
            await ours.sync.run_once(ours.channel)
            await ours.channel.read(ids.encode("MessageThread", self._aside))  # away from it
            await asyncio.to_thread(ours.enqueue, number, REPLY)
            mark = mine.mark()
            walls, used = await our_meter.measure(lambda: ours.send.run_once(ours.channel), 1)
            accepted = mine.requests("send", mark)
            assert [one["text"] for one in accepted] == [REPLY], "the reply is not in its conversation"
            self._results.counts[f"one send, {self._case}"] = mine.counts(mark)
            self._add("one send", "ours", "ms", walls)
            self._add("one send", "ours", "ms CPU", [used])
            mark = mine.mark()
            walls, used = await our_meter.measure(lambda: ours.sync.run_once(ours.channel), 1)
            self._results.counts[f"cycle after a reply, {self._case}"] = mine.counts(mark)
            self._add("cycle after a reply", "ours", "ms", walls)
            self._add("cycle after a reply", "ours", "ms CPU", [used])
            for who, clicks in (("bare clicks", bare), ("floor", floor)):
                await clicks.read(self._aside)

                async def same(clicks: Floor = clicks, number: int = number) -> None:
                    await clicks.read(number)
                    await clicks.write(REPLY)

                walls, used = await bare_meter.measure(same, 1)
                self._add("one send", who, "ms", walls)
                self._add("one send", who, "ms CPU", [used])

            async def after(number: int = number) -> None:
                await floor.refresh()
                await floor.read_again(self._aside, number)

            walls, used = await bare_meter.measure(after, 1)
            self._add("cycle after a reply", "floor", "ms", walls)
            self._add("cycle after a reply", "floor", "ms CPU", [used])

    async def naive(self, naive: Naive, threads: int, with_send: bool) -> None:
        began = time.perf_counter()
        await naive.see_list()
        listed = (time.perf_counter() - began) * 1000
        visits: list[float] = []
        most = threads if self._size.name == "full" and threads <= 200 else self._size.naive_visits
        for number in self._numbers[:most]:
            began = time.perf_counter()
            await naive.visit(number)
            visits.append((time.perf_counter() - began) * 1000)
        note = "" if len(visits) == threads else f"calculated from {len(visits)} visits"
        whole = listed + sum(visits) / len(visits) * threads
        self._add("cycle, 2 changed", "naive", "ms", [whole], note)
        if with_send:
            began = time.perf_counter()
            await naive.send(self._numbers[0], REPLY)
            spent = (time.perf_counter() - began) * 1000
            by_hand = spent / 1000 + len(REPLY) * KEY_MS / 1000
            typed = f"typed at 1 ms a character; at {KEY_MS:g} ms it were {by_hand:.0f} s"
            self._add("one send", "naive", "ms", [spent], typed)
