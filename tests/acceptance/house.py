"""The whole house for acceptance tests: a simulated site, a sandbox AI, and the real commands as processes."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src.sandbox.ai import SandboxAI
from src.sandbox.site import SimulatedSite

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SEC = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], Any], what: str, timeout: float = PATIENCE_SEC) -> None:
    """Poll something observable; AssertionError naming ``what`` when it does not come."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain for: {what}"
        time.sleep(0.05)


@dataclass
class House:
    """One inbox with its own database, profile, logs and ports. ``log`` of the site is the truth."""

    folder: Path
    site: SimulatedSite
    ai: SandboxAI
    changes: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
        ours = {
            "AIRBNB_BASE_URL": self.site.url,
            "AI_WEBHOOK_URL": self.ai.webhook_url,
            "DATABASE_URL": f"sqlite:///{self.folder}/inbox.db",
            "PLAYWRIGHT_SESSION_DIR": str(self.folder / "session"),
            "LOG_DIR": str(self.folder / "logs"),
            "API_PORT": str(self.port),
            "SCRAPE_INTERVAL_SEC": "2",
            "SEND_WORKER_INTERVAL_SEC": "2",
            "GROUPING_DELAY_SEC": "0.3",
            "GROUPING_MAX_SEC": "3",
            "HUMAN_PAUSE_MIN": "0",
        }
        return {**inherited, **ours, **self.changes}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """``python src/main.py <arguments>`` in the background, in a process group of its own."""
        process = subprocess.Popen(
            [sys.executable, "src/main.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.running.append(process)
        return process

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """A command from start to end; ``scripts/…`` are run as they are."""
        first = [sys.executable] if arguments[0].startswith("scripts/") else [sys.executable, "src/main.py"]
        return subprocess.run(
            [*first, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def stop(self, process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[int, str]:
        """Signal and wait; exit code and everything it printed."""
        if process.poll() is None:
            process.send_signal(number)
        output, _ = process.communicate(timeout=70)
        return process.returncode, output

    def kill_all(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=20)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Plain SQL on the product's database, as its users write it."""
        path = self.folder / "inbox.db"
        if not path.exists():
            return []
        connection = sqlite3.connect(path, timeout=10)
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # the first start is still making them
                return []
            raise
        finally:
            connection.close()

    def one(self, query: str) -> Any:
        return self.rows(query)[0][0]

    def presses(self) -> int:
        return len(self.site.log.presses())

    def accepted_texts(self) -> list[tuple[int, str]]:
        """What the site took, by thread."""
        return [(entry.thread or 0, entry.text or "") for entry in self.site.log.presses() if entry.accepted]
