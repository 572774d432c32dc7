"""``python -m benchmarks``: every group in a process of its own, one after the other, with a progress bar."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import results as kept
from benchmarks.goals import judge
from benchmarks.inbox import LATENCIES
from benchmarks.results import Results
from benchmarks.sizes import SIZES, Size

ROOT = Path(__file__).resolve().parents[1]
GROUPS = (
    "inbox",
    "reactions",
    "claims",
    "queues",
    "throughput",
    "callbacks",
    "chat",
    "widget",
    "assistant",
    "search",
    "starts",
    "memory",
    "pages",
)
AT_MOST_SEC = 3_600


def main() -> int:
    """Measure, write the results, show the goals. 0 if everything could be measured, whatever came out."""
    # A run that is ended early still stops its servers and browsers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = _options()
    size = SIZES[options.size]
    if options.one:
        return _one_group(options.one, size, options.out)
    os.chdir(ROOT)
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False)
    groups = options.only or list(GROUPS)
    whole = Results(size.name, facts=_machine())
    load = [os.getloadavg()[0]]
    failed = []
    with (
        Progress(
            TextColumn("{task.description:<58}"), BarColumn(30), TimeElapsedColumn(), console=console
        ) as bar,
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
    ):
        task = bar.add_task("", total=sum(_steps(group, size) for group in groups))
        for group in groups:
            part = Path(folder) / f"{group}.json"

            def tick(words: str) -> None:
                bar.update(task, description=words, advance=1)

            if _run_apart(group, size, part, tick) and part.exists():
                _merge(whole, kept.load(part))
            else:
                failed.append(group)
                whole.troubles.append(f"the group {group} ended with an error; see above")
            load.append(os.getloadavg()[0])
            # Written after each group: whoever stops the run keeps what there is.
            whole.facts["load average"] = f"{min(load):.1f} to {max(load):.1f} (its own work included)"
            whole.facts["ended"] = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
            write(whole, options.out)
        bar.update(task, completed=bar.tasks[0].total, description="done")
    _show(console, whole, options.out)
    return 1 if failed else 0


def _options() -> Any:
    parser = argparse.ArgumentParser(prog="sh scripts/bench.sh", description=__doc__)
    for size in SIZES:
        parser.add_argument(f"--{size}", dest="size", action="store_const", const=size)
    parser.add_argument("--only", action="append", choices=GROUPS, help="this group; may be given again")
    parser.add_argument("--out", type=Path, default=ROOT / "test-results" / "benchmarks", help="a folder")
    parser.add_argument("--one", choices=GROUPS, help=argparse.SUPPRESS)
    parser.set_defaults(size="quick")
    return parser.parse_args()


def _steps(group: str, size: Size) -> int:
    return int(importlib.import_module(f"benchmarks.{group}").steps(size))


def _one_group(group: str, size: Size, out: Path) -> int:
    """In the process of one group: measure, tell the parent of each step, write the part."""
    from loguru import logger

    logger.remove()
    logger.add(sys.stderr, level="WARNING", format="{message}")
    measured = Results(size.name)
    run = importlib.import_module(f"benchmarks.{group}").run

    def tick(words: str) -> None:
        print(words, flush=True)

    done = run(size, measured, tick)
    if inspect.iscoroutine(done):
        asyncio.run(done)
    measured.save(out, [])
    return 0


def _run_apart(group: str, size: Size, part: Path, tick: Callable[[str], None]) -> bool:
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", f"--{size.name}", "--one", group, "--out", str(part)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        for line in child.stdout:
            tick(line.strip())
        return child.wait(timeout=AT_MOST_SEC) == 0
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait(60)


def _merge(whole: Results, part: Results) -> None:
    whole.series += part.series
    whole.counts |= part.counts
    whole.plans |= part.plans
    whole.troubles += part.troubles


def _machine() -> dict[str, Any]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "machine": f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "packages": ", ".join(
            f"{name} {version(name)}" for name in ("playwright", "sqlalchemy", "fastapi", "uvicorn")
        ),
        "began": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def write(whole: Results, out: Path) -> None:
    """``results.json``, ``results.md`` and ``cost-over-n.svg``."""
    goals = judge(whole)
    whole.save(out / "results.json", goals)
    (out / "results.md").write_text(kept.page(whole, goals), encoding="utf-8")
    drawn = kept.plot(whole, LATENCIES, SIZES[whole.size].threads)
    if drawn:
        (out / "cost-over-n.svg").write_text(drawn, encoding="utf-8")


def _show(console: Console, whole: Results, out: Path) -> None:
    for goal in judge(whole):
        verdict = {True: "[green]met[/green]", False: "[red]NOT MET[/red]", None: "–"}[goal.met]
        console.print(f"{goal.what:<76} {goal.wanted:<42} {goal.found:<24} {verdict}", soft_wrap=True)
    console.print(f"\nEverything: {out}/results.md, results.json, cost-over-n.svg")


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    if "--one" not in sys.argv:
        sys.stderr.write(json.dumps({"seconds": round(time.monotonic() - started)}) + "\n")
    sys.exit(code)
