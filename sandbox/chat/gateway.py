"""A gateway as people write them: it hands messages in by HTTP, waits for the reply, and has an address for late ones.

It keeps a log of everything that reached it. It knows nothing of the product but three paths and one key.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Late:
    """A reply that came to the gateway's own address."""

    id: str
    conversation_id: str
    text: str
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Gateway:
    """What reached it, and how it behaves."""

    url: str = ""
    late: list[Late] = field(default_factory=list)
    """What it took, in its order; a reply that came twice stands there twice."""
    answers: list[int] = field(default_factory=list)
    """The statuses of the next answers; then 200."""
    loses_answers: int = 0
    """So many times it takes the reply and says nothing."""
    retry_after: int = 1
    on_late: Callable[[Late], None] = lambda _: None
    """Called with each reply that it takes."""

    def texts(self, conversation_id: str) -> list[str]:
        return [one.text for one in self.late if one.conversation_id == conversation_id]

    # --- asking ------------------------------------------------------------------------------------------

    async def ask(
        self, client: httpx.AsyncClient, number: str, text: str, *, key: str | None = None
    ) -> httpx.Response:
        """Hand a message in and wait for the reply."""
        headers = {"idempotency-key": key} if key else {}
        return await client.post("/whatsapp", json={"number": number, "text": text}, headers=headers)

    async def ask_and_hang_up(
        self, client: httpx.AsyncClient, number: str, text: str, *, after_sec: float
    ) -> None:
        """Hand a message in and go before anybody could answer."""
        with suppress(httpx.TimeoutException):
            await client.post("/whatsapp", json={"number": number, "text": text}, timeout=after_sec)

    # --- taking what comes late --------------------------------------------------------------------------

    def take(self, body: bytes, headers: dict[str, str]) -> tuple[int, bool]:
        """A reply came: the status of the answer, and whether the answer is lost."""
        status = self.answers.pop(0) if self.answers else 200
        if status >= 400:
            return status, False
        said = json.loads(body)
        late = Late(said["id"], said["conversation_id"], said["text"], said, headers)
        self.late.append(late)
        self.on_late(late)
        if self.loses_answers:
            self.loses_answers -= 1
            return status, True
        return status, False


@contextmanager
def running_gateway() -> Iterator[Gateway]:
    """A gateway that listens on a port of this machine."""
    gateway = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, lost = gateway.take(body, {k.lower(): v for k, v in self.headers.items()})
            if lost:
                self.close_connection = True
                return
            self.send_response(status)
            if status in (429, 503):
                self.send_header("retry-after", str(gateway.retry_after))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    gateway.url = f"http://127.0.0.1:{server.server_address[1]}/replies"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
