"""The real commands as processes on the simulated site, and an AI that answers at once and notes when."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**changes: str) -> dict[str, str]:
    """What a command inherits; compiled files are kept, as on a user's machine."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, **changes}


@dataclass(slots=True)
class Asked:
    """One request of the product to the AI (``time.monotonic``)."""

    payload: dict[str, Any]
    came: float
    answered: float = 0.0
    """When the callback left."""
    status: int = 0


@dataclass
class InstantAI:
    """Takes the webhook and calls back without thinking. In a thread of this process; loopback only."""

    text: str = "Thank you, this is the answer."
    think_sec: float = 0.0
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="ai", daemon=True)
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhook"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._take, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, ValueError):
            _, body = await read_http(reader)
            asked = Asked(json.loads(body), time.monotonic())
            writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            self.asked.append(asked)
            task = asyncio.create_task(self._call_back(asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        writer.close()

    async def _call_back(self, asked: Asked) -> None:
        url = urlsplit(asked.payload["callback_url"])
        body = {"conversation_id": asked.payload["conversation_id"], "message": self.text}
        await asyncio.sleep(self.think_sec)
        asked.answered = time.monotonic()
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
            writer.write(http_post(f"{url.path}?{url.query}", json.dumps(body).encode(), url.port or 80))
            asked.status, _ = await read_http(reader)
            writer.close()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the AI did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


def http_post(target: str, body: bytes, port: int, headers: str = "") -> bytes:
    """A request as it goes over the wire."""
    return (
        f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"{headers}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def read_http(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status (0 for a request) and body of one message with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    length = next((int(line[15:]) for line in lines if line.lower().startswith("content-length:")), 0)
    status = int(first.split(" ")[1]) if first.startswith("HTTP/") else 0
    return status, await reader.readexactly(length)


class Product:
    """``python src/main.py <command>`` with a database, profile and logs of its own."""

    def __init__(self, folder: Path, site_url: str, ai_url: str, **changes: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.database = f"sqlite:///{folder}/inbox.db"
        self.environment = environment(
            AIRBNB_BASE_URL=site_url,
            AI_WEBHOOK_URL=ai_url,
            DATABASE_URL=self.database,
            PLAYWRIGHT_SESSION_DIR=str(folder / "session"),
            LOG_DIR=str(folder / "logs"),
            API_PORT=str(self.port),
            GROUPING_DELAY_SEC="0",
            HUMAN_PAUSE_MIN="0",
            **changes,
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """In a session of its own, so that a Ctrl-C in the terminal stops the benchmark alone."""
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "src/main.py", *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self.process

    def run(self, *command: str) -> float:
        """A command from start to end; its seconds. CalledProcessError if it fails."""
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=120,
        )
        return time.perf_counter() - began

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def wait_for(condition: Any, what: str, timeout: float = 60.0) -> Any:
    """What ``condition()`` gives as soon as it is true. TimeoutError naming ``what``."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(0.02)
    return found
