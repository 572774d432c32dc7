"""How long the commands take from the start of their process."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.floor import BareBrowser, Floor
from benchmarks.house import ROOT, InstantAI, Product, environment, wait_for
from benchmarks.remote_site import RemoteSite
from benchmarks.results import Results
from benchmarks.sizes import Size
from src.db import accounts
from src.db.engine import Database
from src.model.values import DEFAULT_ACCOUNT, utc_now
from tests.support.assistant import FILES, write_folder

GROUP = "Start"
ONE_LINER = (
    "from src.services.message_queue import MessageQueue; print(len(MessageQueue.dequeue_send(limit=10)))"
)


READY = "syncsend without a browser (chat alone)"
WITH, WITHOUT = "with the assistant", "with a webhook"
_QUIET_SEC = 2.0


def steps(_size: Size) -> int:
    return 3


def run(size: Size, results: Results, tick: Callable[[str], None]) -> None:
    """Short commands, then ``syncsend`` in turn with a bare launch of the browser."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        RemoteSite() as site,
        InstantAI() as ai,
    ):
        site.fill(20)
        folder = Path(name)
        tick("start of the short commands")
        product = Product(folder / "short", site.url, ai.url)
        db = Database.open(product.database)
        with db.write() as conn:
            accounts.ensure(conn, DEFAULT_ACCOUNT, utc_now())
        db.close()
        commands = {
            "status": ["src/main.py", "status"],
            "the one-liner": ["-c", ONE_LINER],
            "doctor --help": ["src/main.py", "doctor", "--help"],
            "bare Python": ["-c", "pass"],
        }
        for turn in range(size.starts + 1):
            for what, command in commands.items():
                seconds = product.run(*command)
                if turn:  # the first one compiles
                    results.add(GROUP, what, "ours" if what != "bare Python" else "floor", "s", [seconds])
        tick("start of syncsend")
        for turn in range(size.starts):
            _bare_launch(results, folder / f"bare{turn}", site)
            _syncsend(results, Product(folder / f"whole{turn}", site.url, ai.url), site)
        measure_ready(size, results, tick, folder, ai)


def measure_ready(
    size: Size, results: Results, tick: Callable[[str], None], folder: Path, ai: InstantAI
) -> None:
    """Until the API answers, and what the process has in memory once nothing happens in it any more."""
    tick("start and memory of syncsend, with and without the assistant")
    for turn in range(size.starts + 1):
        for who in (WITHOUT, WITH):
            place = folder / f"ready{turn}{who[-7:]}"
            place.mkdir()
            accounts_file = place / "accounts.toml"
            accounts_file.write_text('[[account]]\nname = "chat"\nchannel = "chat"\n')
            product = Product(place, "http://127.0.0.1:9", ai.url, ACCOUNTS_FILE=str(accounts_file))
            if who == WITH:
                del product.environment["AI_WEBHOOK_URL"]
                product.environment |= {
                    "ASSISTANT_BASE_URL": f"http://127.0.0.1:{ai.port}/v1",
                    "ASSISTANT_MODEL": "main",
                    "ASSISTANT_KNOWLEDGE_DIR": str(write_folder(place / "knowledge", FILES)),
                    "ASSISTANT_EMBEDDINGS": "off",
                }
            began = time.monotonic()
            with product:
                process = psutil.Process(product.start("syncsend").pid)
                wait_for(lambda port=product.port: _answers(port), "the API")
                ready, used = time.monotonic() - began, _cpu(process)
                while True:
                    before = _cpu(process)
                    time.sleep(_QUIET_SEC)
                    if _cpu(process) - before < 0.1:
                        break
                if turn:  # the first one compiles
                    results.add(GROUP, READY, who, "s", [ready])
                    results.add(GROUP, f"{READY}, CPU until it is ready", who, "s CPU", [used])
                    results.add(GROUP, f"{READY}, CPU until it is idle", who, "s CPU", [_cpu(process)])
                    memory = process.memory_full_info()
                    results.add(GROUP, f"{READY}, idle", who, "MiB RSS", [memory.rss / 2**20])
                    results.add(GROUP, f"{READY}, idle", who, "MiB PSS", [memory.pss / 2**20])


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _bare_launch(results: Results, folder: Path, site: RemoteSite) -> None:
    """A process that only launches the browser, then only loads the inbox."""
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.starts", str(folder), site.url, str(time.monotonic())],
        cwd=ROOT,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    launched, loaded = ended.stdout.split()
    results.add(GROUP, "browser launched", "floor", "s", [float(launched)])
    results.add(GROUP, "inbox read", "floor", "s", [float(loaded)])


def _syncsend(results: Results, product: Product, site: RemoteSite) -> None:
    mark, began = site.mark(), time.monotonic()
    with product:
        product.start("syncsend")
        first = wait_for(lambda: site.requests("list", mark), "the first look at the inbox")[0]["clock"]
        db = wait_for(lambda: _opened(product), "the database")
        try:
            ready = wait_for(lambda: _first_cycle(db), "the first cycle")
        finally:
            db.close()
    results.add(GROUP, "inbox asked for", "ours", "s", [first - began])
    results.add(GROUP, "inbox read", "ours", "s", [ready - (time.time() - time.monotonic()) - began])


def _opened(product: Product) -> Database | None:
    return Database.open(product.database) if (product.folder / "inbox.db").exists() else None


def _first_cycle(db: Database) -> float | None:
    """When SYNC had gone round for the first time (seconds since 1970)."""
    with db.read() as conn:
        for beat in accounts.workers(conn, DEFAULT_ACCOUNT):
            if beat.worker == "sync" and beat.last_cycle_at is not None:
                return beat.last_cycle_at.timestamp()
    return None


async def _launch(folder: Path, url: str, began: float) -> None:
    browser = BareBrowser(folder)
    page = await browser.start()
    launched = time.monotonic() - began
    await Floor(page, url).open()
    print(launched, time.monotonic() - began)
    await browser.stop()


if __name__ == "__main__":
    asyncio.run(_launch(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
