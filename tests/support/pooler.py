"""A pooler in transaction mode, as small as can be: it lends a server connection until a transaction has ended.

It speaks PostgreSQL's protocol (version 3.0) as far as psycopg needs it on loopback without a password. What a
server process says while it is lent to nobody is thrown away, as PgBouncer does.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import URL, make_url

_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
Lend = Callable[[list[Any]], int]
LEND: dict[str, Lend] = {
    "the one given back last": lambda idle: len(idle) - 1,
    "in turns": lambda _: 0,
    "by chance": lambda idle: random.randrange(len(idle)),
}


@contextmanager
def transaction_pooler(server: str, lend: Lend, servers: int = 3) -> Iterator[str]:
    """The address of a pooler before this server, which has so many idle connections already."""
    url = make_url(server)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    pooler = _Pooler(url, lend)
    port = asyncio.run_coroutine_threadsafe(pooler.open(servers), loop).result(20)
    try:
        yield url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        asyncio.run_coroutine_threadsafe(pooler.close(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Pooler:
    def __init__(self, url: URL, lend: Lend) -> None:
        self._url, self._lend = url, lend
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._greeting = b""
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def open(self, servers: int) -> int:
        for _ in range(servers):
            self._idle.append(await self._connect())
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.sleep(0)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(self._url.host, self._url.port)
        self._writers.append(writer)
        words = b"\0".join([b"user", (self._url.username or "").encode(), b"database"])
        body = (196608).to_bytes(4) + words + b"\0" + (self._url.database or "").encode() + b"\0\0"
        writer.write((len(body) + 4).to_bytes(4) + body)
        greeting = b""
        while not greeting.endswith(b"Z\0\0\0\x05I"):
            kind, whole = await _message(reader)
            assert kind != b"E", whole
            greeting += whole
        self._greeting = greeting
        return reader, writer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int.from_bytes(await reader.readexactly(4))
                code = int.from_bytes((await reader.readexactly(length - 4))[:4])
                if code not in (_SSL_REQUEST, _GSS_REQUEST):
                    break
                writer.write(b"N")
            writer.write(self._greeting)
            while True:
                kind, whole = await _message(reader)
                if kind == b"X":
                    break
                await self._one_transaction(whole, reader, writer)
        writer.close()

    async def _one_transaction(
        self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        theirs = self._idle.pop(self._lend(self._idle)) if self._idle else await self._connect()
        from_server, to_server = theirs
        to_server.write(first)

        async def upwards() -> None:
            while True:
                to_server.write((await _message(reader))[1])

        asking = asyncio.create_task(upwards())
        begun = False
        try:
            while True:
                kind, whole = await _message(from_server)
                # A note that came first, came while this connection was lent to nobody.
                begun = begun or kind != b"A"
                if kind == b"Z" and whole[-1:] == b"I":
                    break
                if begun:
                    writer.write(whole)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        self._idle.append(theirs)
        writer.write(whole)  # given back first: whoever hears of the end may come at once


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(int.from_bytes(head[1:]) - 4)
