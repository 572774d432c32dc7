"""``python -m tests.faults.soak``: the long run. Writes a report with counts, also when it is ended early."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tests.faults.levels import LEVELS, Level
from tests.faults.plan import prepared
from tests.faults.report import as_markdown
from tests.faults.tally import Tally

ROOT = Path(__file__).resolve().parents[2]
WRITE_EVERY_SEC = 30.0


@dataclass
class Part:
    """What came out of one level on one database."""

    level: str
    database: str
    first_seed: int
    wanted: int
    done: int = 0
    seconds: float = 0.0
    tally: Tally = field(default_factory=Tally)


def main() -> int:
    """Run the wanted levels. 0 if every promise was kept and nothing was left out."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    given = _options()
    console = Console(highlight=False)
    given.out.mkdir(parents=True, exist_ok=True)
    started = datetime.now(UTC)
    name = given.out / f"soak-{started:%Y%m%d-%H%M%S}"
    parts: list[Part] = []
    ended = "complete"
    try:
        with _bar(console) as bar:
            for key in given.only or LEVELS:
                for database in _databases(LEVELS[key], given.database):
                    wanted = _wanted(key, LEVELS[key], given)
                    if wanted:
                        parts.append(Part(key, database, given.seed, wanted))
                        _run(parts[-1], bar, lambda: _write(name, parts, started, "running"))
    except KeyboardInterrupt:
        ended = "ended early by a signal"
    _write(name, parts, started, ended)
    console.print(as_markdown(_facts(parts, started, ended)), markup=False)
    console.print(f"Written to {name}.md and {name}.json")
    broken = any(part.tally.broken for part in parts)
    return 1 if broken or ended != "complete" else 0


def _options() -> Any:
    words = argparse.ArgumentParser(
        prog="sh scripts/soak.sh", description="The promises under faults, for long."
    )
    words.add_argument("--size", choices=("quick", "full"), default="quick")
    words.add_argument("--only", action="append", choices=LEVELS, help="only this level; may be repeated")
    words.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="sqlite")
    words.add_argument("--seed", type=int, default=1, help="of the first trial; each later one has the next")
    words.add_argument(
        "--trials", action="append", default=[], metavar="LEVEL=N", help="another number of trials"
    )
    words.add_argument("--out", type=Path, default=ROOT / "logs", help="where the report goes")
    return words.parse_args()


def _wanted(key: str, level: Level, given: Any) -> int:
    own = dict(pair.split("=", 1) for pair in given.trials)
    return int(own.get(key, level.full if given.size == "full" else level.quick))


def _databases(level: Level, wanted: str) -> list[str]:
    asked = ("sqlite", "postgresql") if wanted == "both" else (wanted,)
    return [one for one in level.databases if one in asked]


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<46}"),
        BarColumn(24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[broken]} broken"),
        TimeElapsedColumn(),
        console=console,
    )


def _run(part: Part, bar: Progress, write: Any) -> None:
    level = LEVELS[part.level]
    task: TaskID = bar.add_task(f"{part.level} {level.words} ({part.database})", total=part.wanted, broken=0)
    began = written = time.monotonic()
    with prepared(part.wanted, part.first_seed, part.database) as plan:
        trials = level.trials(plan)
        try:
            for tally in trials:
                part.done += tally.trials
                part.tally.add(tally)
                part.seconds = time.monotonic() - began
                bar.update(task, advance=tally.trials, broken=len(part.tally.broken))
                if time.monotonic() - written > WRITE_EVERY_SEC:
                    written = time.monotonic()
                    write()
        finally:
            trials.close()  # type: ignore[attr-defined]


def _facts(parts: list[Part], started: datetime, ended: str) -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "command": "sh scripts/soak.sh " + " ".join(sys.argv[1:]),
        "commit": commit.stdout.strip() or "unknown",
        "started": f"{started:%Y-%m-%d %H:%M} UTC",
        "ended": ended,
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}",
        "parts": [
            {
                "level": part.level,
                "words": LEVELS[part.level].words,
                "database": part.database,
                "seeds": [part.first_seed, part.first_seed + part.done - 1],
                "trials": part.done,
                "wanted": part.wanted,
                "seconds": round(part.seconds, 1),
                "counts": dict(sorted(part.tally.counts.items())),
                "longest": {name: round(value, 2) for name, value in sorted(part.tally.longest.items())},
                "broken": part.tally.broken_by_promise(),
                "lines": part.tally.broken,
            }
            for part in parts
        ],
    }


def _write(name: Path, parts: list[Part], started: datetime, ended: str) -> None:
    facts = _facts(parts, started, ended)
    for suffix, text in ((".json", json.dumps(facts, indent=1)), (".md", as_markdown(facts))):
        new = name.with_suffix(suffix + ".new")
        new.write_text(text + "\n", encoding="utf-8")
        new.replace(name.with_suffix(suffix))


if __name__ == "__main__":
    sys.exit(main())
