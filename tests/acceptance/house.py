"""The whole house for acceptance tests: a simulated site, a sandbox AI, and the real commands as processes."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.ai import SandboxAI
from sandbox.airbnb.site import SimulatedSite
from tests.support.ports import free_port
from tests.support.waiting import came

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SEC = 60.0
_TELLING = 12
"""A text of so many letters does not stand in a line by chance."""
CANARIES = (
    "canary-in-the-address-7f3a",
    "canary-api-key-91c2",
    "whsec_Y2FuYXJ5LXNlY3JldC1jYW5hcnktc2VjcmV0LTE2",
)
"""Secrets that every run has, and that must not turn up anywhere."""


def wait_until(condition: Callable[[], Any], what: str, timeout: float = PATIENCE_SEC) -> None:
    """Poll something observable; AssertionError naming ``what`` when it does not come."""
    assert came(condition, timeout, every_sec=0.05), f"waited {timeout:g} s in vain for: {what}"


@dataclass
class House:
    """One inbox with its own database, profile, logs and ports. ``log`` of the site is the truth."""

    folder: Path
    site: SimulatedSite
    ai: SandboxAI
    changes: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    running: list[subprocess.Popen[str]] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    """What the commands in the background have written to the terminal."""

    @property
    def environment(self) -> dict[str, str]:
        inherited = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
        ours = {
            "AIRBNB_BASE_URL": self.site.url,
            "AI_WEBHOOK_URL": f"{self.ai.webhook_url}?key={CANARIES[0]}",
            "API_KEY": CANARIES[1],
            "WEBHOOK_SECRET": CANARIES[2],
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
        return self.start_script("src/main.py", *arguments)

    def start_script(self, *arguments: str) -> subprocess.Popen[str]:
        """``python <arguments>`` in the same way."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
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
        self.printed.append(output)
        return process.returncode, output

    def wait_to_print(self, process: subprocess.Popen[str], what: re.Pattern[str]) -> str:
        """Read what it prints until this is in it (or it ends). Its words are among ``printed`` but for the find."""
        assert process.stdout is not None
        seen = ""
        for line in process.stdout:
            seen += line
            self.printed.append(what.sub("", line))
            found = what.search(line)
            if found:
                return found.group()
        raise AssertionError(f"it never printed {what.pattern}: {seen}")

    def wait_for(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Until it ends by itself; exit code and the rest of what it printed."""
        output, _ = process.communicate(timeout=PATIENCE_SEC)
        self.printed.append(output)
        return process.returncode, output

    def log(self) -> str:
        """Everything in the product's own log so far."""
        path = self.folder / "logs" / "app.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def kill_all(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            if process.stdout is not None and not process.stdout.closed:
                self.printed.append(process.communicate(timeout=20)[0] or "")

    def _cookies(self) -> list[str]:
        saved = self.folder / "session" / "storage_state.json"
        state = json.loads(saved.read_text(encoding="utf-8")) if saved.exists() else {"cookies": []}
        return [cookie["value"] for cookie in state["cookies"]]

    def leaks(self) -> list[str]:
        """Where a secret, a token, a cookie or somebody's words stand in the open; and files that others may read."""
        words = {text for _, text in self.accepted_texts()} | set(self._cookies())
        words |= {request.payload["callback_url"].rpartition("token=")[2] for request in self.ai.received}
        words |= {message.text for thread in self.site.inbox.threads for message in thread.messages}
        secrets = {*CANARIES, *(word for word in words if len(word) >= _TELLING)}
        found = [
            f"{secret[:12]}… was printed" for secret in secrets for text in self.printed if secret in text
        ]
        for file in (self.folder / "logs").rglob("*"):
            content = file.read_bytes() if file.is_file() else b""
            found += [f"{secret[:12]}… is in {file.name}" for secret in secrets if secret.encode() in content]
        ours = [
            *self.folder.glob("session/*"),
            *self.folder.glob("logs/**/*"),
            *self.folder.glob("inbox.db*"),
        ]
        ours += [self.folder / "session", self.folder / "logs"]
        open_to_others = [file.name for file in ours if file.exists() and file.stat().st_mode & 0o077]
        return found + [f"{name} is open to others" for name in open_to_others]

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
