"""The server. It says what it took in ``taken``: that is the truth about what was sent."""

from __future__ import annotations

import asyncio
import base64
import email.policy
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Self, cast

STEPS = ("connect", "ehlo", "auth", "mail", "rcpt", "data", "words", "dot", "answer")
"""Where a fault may happen. ``words``: in the middle of the text. ``dot``: all of it is there, and the server dies before
it keeps it. ``answer``: it has kept it, and dies before it says so."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that the server took."""

    sender: str
    to: str
    raw: bytes

    @property
    def parsed(self) -> EmailMessage:
        return BytesParser(EmailMessage, policy=email.policy.default).parsebytes(self.raw)


@dataclass
class MailServer:
    """Runs on loopback in a thread of its own while the block runs."""

    user: str = ""
    password: str = ""
    taken: list[Mail] = field(default_factory=list)
    sessions: int = 0
    fault: Callable[[str, int], int | str | None] = lambda _step, _session: None
    """Asked at each step of each session (counted from 1): a code to refuse with, ``hang_up``, or None."""
    port: int = 0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(ready))
        self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        self.sessions += 1
        try:
            await _Session(self, self.sessions, reader, writer).run()
        except (_HungUp, ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()


class _HungUp(Exception):
    """The server goes away without a word."""


class _Session:
    def __init__(
        self, server: MailServer, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._number = number
        self._reader = reader
        self._writer = writer
        self._sender = self._to = ""
        self._let_in = not server.user

    async def run(self) -> None:
        if not await self._goes_on("connect", "220 mail.sandbox.example ready"):
            return
        while line := (await self._reader.readline()).decode("latin-1").rstrip("\r\n"):
            verb, _, rest = line.partition(" ")
            if verb.upper() == "QUIT":
                await self._say("221 bye")
                return
            await self._command(verb.upper(), rest)

    async def _command(self, verb: str, rest: str) -> None:
        if verb in ("EHLO", "HELO"):
            await self._goes_on("ehlo", "250-mail.sandbox.example\r\n250 AUTH PLAIN")
        elif verb == "AUTH":
            await self._log_in(rest)
        elif verb == "MAIL" and self._let_in:
            self._sender = rest.partition("<")[2].partition(">")[0]
            await self._goes_on("mail", "250 ok")
        elif verb == "MAIL":
            await self._say("530 log in first")
        elif verb == "RCPT":
            self._to = rest.partition("<")[2].partition(">")[0]
            await self._goes_on("rcpt", "250 ok")
        elif verb == "DATA":
            if await self._goes_on("data", "354 go on"):
                await self._take()
        elif verb == "RSET":
            await self._say("250 ok")
        else:
            await self._say("500 what?")

    async def _log_in(self, rest: str) -> None:
        _, _, given = rest.partition(" ")
        wanted = base64.b64encode(f"\0{self._server.user}\0{self._server.password}".encode()).decode()
        self._let_in = given == wanted
        await self._goes_on("auth", "235 welcome" if self._let_in else "535 wrong")

    async def _take(self) -> None:
        lines: list[bytes] = []
        while True:
            line = await self._reader.readline()
            if not line.endswith(b"\r\n"):
                raise _HungUp
            if len(lines) == 1:
                self._fault("words")
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        code = self._fault("dot")
        if code is not None:
            await self._say(f"{code} not now")
            return
        self._server.taken.append(Mail(self._sender, self._to, b"".join(lines)))
        self._fault("answer")
        await self._say("250 queued")

    def _fault(self, step: str) -> int | None:
        found = self._server.fault(step, self._number)
        if found == "hang_up":
            raise _HungUp
        return found if isinstance(found, int) else None

    async def _goes_on(self, step: str, words: str) -> bool:
        code = self._fault(step)
        await self._say(words if code is None else f"{code} refused")
        return code is None

    async def _say(self, words: str) -> None:
        self._writer.write(f"{words}\r\n".encode())
        await self._writer.drain()
