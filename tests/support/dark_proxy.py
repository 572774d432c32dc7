"""A proxy that can go dark: it keeps every connection open, takes what is sent, and says nothing more."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self


class DarkProxy:
    """Between a client and a server on loopback. ``darken`` holds for the connections that are there then."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._pairs: list[dict[str, bool]] = []
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._came, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    def darken(self) -> None:
        """The connections that are there say nothing more, ever."""
        for pair in self._pairs:
            pair["dark"] = True

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._there)
        pair = {"dark": False}
        self._pairs.append(pair)
        self._writers += [back, writer]
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pass(source, sink, pair))
            self._tasks.add(task)

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, pair: dict[str, bool]
    ) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                if not pair["dark"]:
                    sink.write(data)
                    await sink.drain()
        if not pair["dark"]:
            sink.close()
