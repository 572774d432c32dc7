"""The simulated site in a process of its own: what it works is not counted as ours, and nobody shares its GIL.

The parent writes a line of JSON (``["fill", 20]``) and reads one back. Run as a module it is the child.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite

ROOT = Path(__file__).resolve().parents[1]
WAN = {"api_latency": 0.150, "asset_latency": 0.040}
ASSETS = 40


class RemoteSite:
    """The parent's end. ``options`` are those of the simulated site."""

    def __init__(self, **options: Any) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.remote_site"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url: str = self.ask("start", {"telemetry": False, "assets": ASSETS, **options})

    def ask(self, what: str, *arguments: Any) -> Any:
        """One question, one answer. Blocks; RuntimeError if the child has ended."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps([what, *arguments]) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"the simulated site ended at {what!r}")
        return json.loads(line)

    def fill(self, threads: int, messages: int = 3) -> list[int]:
        """So many conversations, newest first; their numbers."""
        found: list[int] = self.ask("fill", threads, messages)
        return found

    def guest_writes(self, number: int, text: str) -> float:
        """When it was there (``time.monotonic``, which all processes of a machine share)."""
        return float(self.ask("guest_writes", number, text))

    def options(self, **changes: Any) -> None:
        """They count from the next page load on; latencies at once."""
        self.ask("options", changes)

    def mark(self) -> int:
        """The number of the newest request, for ``counts`` and ``sends``."""
        return int(self.ask("mark"))

    def counts(self, since: int = 0) -> dict[str, int]:
        """How many requests of each kind came since then."""
        found: dict[str, int] = self.ask("counts", since)
        return found

    def requests(self, kind: str, since: int = 0) -> list[dict[str, Any]]:
        """The requests of a kind: ``clock``, ``at``, ``thread``, ``text``."""
        found: list[dict[str, Any]] = self.ask("requests", kind, since)
        return found

    def close(self) -> None:
        if self._child.poll() is None:
            assert self._child.stdin is not None
            self._child.stdin.close()
            try:
                self._child.wait(10)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# --- the child ---------------------------------------------------------------------------------------------


def _fill(site: SimulatedSite, threads: int, messages: int) -> list[int]:
    now = datetime.now(UTC)
    made: list[Thread] = []
    for n in range(threads):
        # All of them are older than what is answered by default, and none is older than another's newest.
        at = now - timedelta(days=2, minutes=30 * n)
        thread = site.inbox.add_thread(guest=f"Guest {n}", says=f"Question {n}", at=at)
        for m in range(1, messages):
            write = site.inbox.host_writes if m % 2 else site.inbox.guest_writes
            write(thread, f"Line {m} of conversation {n}", at=at + timedelta(minutes=m))
        thread.unread = False
        made.append(thread)
    return [t.number for t in sorted(made, key=lambda t: t.activity_ms, reverse=True)]


def _answer(site: SimulatedSite, what: str, given: list[Any]) -> Any:
    if what == "start":
        for name, value in given[0].items():
            setattr(site.options, name, value)
        site.start()
        return site.url
    if what == "fill":
        return _fill(site, *given)
    if what == "guest_writes":
        moment = time.monotonic()
        site.inbox.guest_writes(site.inbox.thread(given[0]), given[1])
        return moment
    if what == "options":
        for name, value in given[0].items():
            setattr(site.options, name, value)
        return None
    if what == "mark":
        return site.log.mark
    if what == "counts":
        return Counter(entry.kind for entry in site.log.find(since=given[0]))
    if what == "requests":
        return [
            {"clock": e.clock, "at": e.at, "thread": e.thread, "text": e.text, "accepted": e.accepted}
            for e in site.log.find(given[0], since=given[1])
        ]
    raise ValueError(what)


def main() -> None:
    """Answer until the parent closes the pipe."""
    site = SimulatedSite()
    try:
        for line in sys.stdin:
            what, *given = json.loads(line)
            print(json.dumps(_answer(site, what, given)), flush=True)
    finally:
        site.stop()


if __name__ == "__main__":
    main()
