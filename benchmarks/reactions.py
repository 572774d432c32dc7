"""From outside, with the real ``syncsend`` at SCRAPE_INTERVAL_SEC=45 and SEND_WORKER_INTERVAL_SEC=15: a guest
writes → the AI is asked → the reply is verified; and what the workers use while nothing happens.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.floor import BareBrowser, Floor, Ledger
from benchmarks.house import InstantAI, Product, wait_for
from benchmarks.inbox import LATENCIES, REPLY
from benchmarks.naive import POLL_INBOX_SEC, POLL_OUTBOX_SEC
from benchmarks.processes import cpu, tree
from benchmarks.remote_site import RemoteSite
from benchmarks.results import Results
from benchmarks.sizes import Size
from src.db import outbox_views
from src.db.engine import Database
from src.model.rows import Job
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT

GROUP = "Reaction"
THREADS = 200
PACE = {"SCRAPE_INTERVAL_SEC": "45", "SEND_WORKER_INTERVAL_SEC": "15"}


def steps(_size: Size) -> int:
    return len(LATENCIES) + 1


def run(size: Size, results: Results, tick: Callable[[str], None]) -> None:
    """With and without latency; then the idle workers."""
    threads = min(THREADS, max(size.threads))
    for name, latency in LATENCIES.items():
        tick(f"guest writes → verified reply, {name}")
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            RemoteSite(mark_read_after=86_400.0) as site,
            InstantAI(text=REPLY) as ai,
            Product(Path(folder), site.url, ai.url, **PACE) as product,
        ):
            numbers = site.fill(threads)
            product.start("syncsend")
            wait_for(lambda: site.counts().get("list"), "the first look at the inbox")
            _wait_until_quiet(site)
            site.options(**latency)
            _replies(size, results, name, site, ai, product, numbers)
            if name == next(iter(LATENCIES)):
                tick("idle workers")
                _idle(size, results, site, product)
            _floor_replies(size, results, name, threads, latency, Path(folder) / "bare")
        naive = (POLL_INBOX_SEC / 2 + POLL_OUTBOX_SEC / 2) * 1000
        results.add(
            GROUP,
            f"guest writes → verified reply, {name}",
            "naive",
            "ms",
            [naive],
            "half of both intervals alone, calculated; its page loads come on top",
        )


def _wait_until_quiet(site: RemoteSite) -> None:
    """Until no request has come for a second: everything that the start causes is done."""
    mark, since, deadline = site.mark(), time.monotonic(), time.monotonic() + 60
    while time.monotonic() - since < 1.0 and time.monotonic() < deadline:
        time.sleep(0.05)
        if (now := site.mark()) != mark:
            mark, since = now, time.monotonic()


def _replies(
    size: Size,
    results: Results,
    name: str,
    site: RemoteSite,
    ai: InstantAI,
    product: Product,
    numbers: list[int],
) -> None:
    db = Database.open(product.database)
    latency = LATENCIES[name]["api_latency"]
    pool = numbers[:14]
    try:
        for n in range(size.replies):
            number, already, mark = pool[n % len(pool)], len(ai.asked), site.mark()
            sent_before = {job.id for job in _sent(db)}
            wrote = site.guest_writes(number, f"Question {n} of {time.time()}")
            asked = wait_for(lambda a=already: ai.asked[a:], "the AI to be asked")[0]
            job = wait_for(lambda b=sent_before: _new(db, b), "the reply to be sent")
            accepted = site.requests("send", mark)[-1]
            told = site.requests("list", mark)[0]["clock"] + latency
            opened = site.requests("thread", mark)[0]
            proved = job.processed_at or datetime.now(UTC)
            verified = accepted["clock"] + (proved.timestamp() - accepted["at"])
            thinking = asked.answered - asked.came
            _add(results, f"message told to the page → AI asked, {name}", "ours", asked.came - told)
            _add(
                results,
                f"the same without the page's fetch of the conversation, {name}",
                "ours",
                asked.came - told - (latency if opened["clock"] < asked.came else 0.0),
            )
            _add(
                results,
                f"guest writes → verified reply, {name}",
                "ours",
                verified - wrote - thinking,
            )
            _add(results, f"guest writes → the site has the reply, {name}", "ours", accepted["clock"] - wrote)
            results.counts[f"guest writes → verified reply, {name}"] = site.counts(mark)
            _wait_until_quiet(site)
    finally:
        db.close()


def _sent(db: Database) -> list[Job]:
    with db.read() as conn:
        return outbox_views.list_jobs(conn, DEFAULT_ACCOUNT, OutboxStatus.SENT, 1_000)


def _new(db: Database, known: set[str]) -> Job | None:
    return next((job for job in _sent(db) if job.id not in known), None)


def _add(results: Results, case: str, who: str, seconds: float) -> None:
    results.add(GROUP, case, who, "ms", [seconds * 1000])


def _floor_replies(
    size: Size, results: Results, name: str, threads: int, latency: dict[str, float], folder: Path
) -> None:
    with RemoteSite(mark_read_after=86_400.0) as site:
        numbers = site.fill(threads)
        asyncio.run(_bare_replies(size, results, name, site, numbers, latency, folder))


async def _bare_replies(
    size: Size,
    results: Results,
    name: str,
    site: RemoteSite,
    numbers: list[int],
    latency: dict[str, float],
    folder: Path,
) -> None:
    browser, ledger = BareBrowser(folder), Ledger(folder.with_suffix(".db"))
    try:
        page = await browser.start()
        floor, bare = Floor(page, site.url, ledger), Floor(page, site.url)
        await floor.open()
        await asyncio.sleep(1)
        site.options(**latency)
        for n in range(size.replies):
            for k, (who, clicks) in enumerate((("bare clicks", bare), ("floor", floor))):
                number = numbers[:14][(2 * n + k) % 14]
                coming = asyncio.create_task(clicks.list_with(number))
                await asyncio.sleep(0.05)
                words = f"Question {n} of {time.time()}"
                wrote = await asyncio.to_thread(site.guest_writes, number, words)
                await coming
                await clicks.read(number)
                await clicks.write(REPLY)
                _add(results, f"guest writes → verified reply, {name}", who, time.monotonic() - wrote)
                await asyncio.sleep(0.7)
    finally:
        ledger.close()
        await browser.stop()


def _idle(size: Size, results: Results, site: RemoteSite, product: Product) -> None:
    """CPU of the process with both workers and the API, and of its browser, over some time without any news."""
    assert product.process is not None
    worker = psutil.Process(product.process.pid)
    _wait_until_quiet(site)
    mark, began = site.mark(), time.monotonic()
    below = tree(worker.pid)
    python, browser = cpu([worker]), cpu(below)
    time.sleep(size.idle_sec)
    spent = time.monotonic() - began
    facts: dict[str, Any] = {"syncsend": cpu([worker]) - python, "browser and driver": cpu(below) - browser}
    for who, used in facts.items():
        results.add(GROUP, "idle", who, "% of a core", [used / spent * 100], f"over {spent:.0f} s")
    results.counts[f"idle for {spent:.0f} s at SCRAPE_INTERVAL_SEC=45"] = site.counts(mark)
