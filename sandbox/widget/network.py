"""The way from a visitor's browser to the chat's server, with switches: away, slow, cut, losing answers, buffering.

It passes bytes and knows nothing of the chat but how an HTTP call looks. It keeps a log of what reached it.
"""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import suppress
from dataclasses import dataclass, field

_CALL = re.compile(rb"^(GET|POST|OPTIONS) (\S+) HTTP/1\.1\r\n", re.MULTILINE)
_STREAM = b"text/event-stream"


@dataclass
class Network:
    """A proxy on loopback. Everything happens on the loop on which it was started."""

    target_port: int
    port: int = 0
    away: bool = False
    """New connections are closed at once."""
    delay_sec: float = 0.0
    """Before each piece that goes to the server."""
    buffers: bool = False
    """Streams are held back until they end, which they never do."""
    loses_answers: int = 0
    """So many times a POST to /messages reaches the server, and its answer is lost."""
    log: list[str] = field(default_factory=list)
    """``POST /api/…``: each call that was passed on."""
    _server: asyncio.Server | None = None
    _streams: dict[asyncio.StreamWriter, None] = field(default_factory=dict)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        self._server = None

    def cut(self) -> None:
        """Every connection breaks."""
        for writer in list(self._open):
            writer.transport.abort()

    def cut_some(self, most: int, dice: random.Random) -> int:
        """Some streams break, each on its visitor's side; returns how many."""
        cut = dice.sample(list(self._streams), min(most, len(self._streams)))
        for writer in cut:
            writer.transport.abort()
        return len(cut)

    def count(self, call: str) -> int:
        """How many calls began like that."""
        return sum(one.startswith(call) for one in self.log)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            theirs, ours = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        self._open.add(ours)
        losing = asyncio.Event()
        passing = [
            asyncio.ensure_future(self._pass_up(reader, ours, losing)),
            asyncio.ensure_future(self._pass_down(theirs, writer, losing)),
        ]
        with suppress(asyncio.CancelledError):
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        for one in passing:
            one.cancel()
        await asyncio.gather(*passing, return_exceptions=True)
        for end in (writer, ours):
            self._open.discard(end)
            self._streams.pop(end, None)
            with suppress(OSError, RuntimeError):
                end.close()

    async def _pass_up(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            for method, path in _CALL.findall(data):
                self.log.append(f"{method.decode()} {path.decode()}")
                if self.loses_answers and method == b"POST" and path.endswith(b"/messages"):
                    self.loses_answers -= 1
                    losing.set()
            await asyncio.sleep(self.delay_sec)
            writer.write(data)
            await writer.drain()

    async def _pass_down(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        held = False
        while data := await reader.read(65536):
            if losing.is_set():
                writer.transport.abort()
                return
            if _STREAM in data:
                self._streams[writer] = None
            held = held or (self.buffers and _STREAM in data)
            if not held:
                writer.write(data)
                await writer.drain()
