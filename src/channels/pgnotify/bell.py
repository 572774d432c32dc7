"""The bell: a connection that only listens. A note says "look at this conversation" and nothing more.

What it says may be lost, doubled or late: the rows are the truth, and a look at an interval is the net. A
connection that died without a word looks like a quiet one, so the bell is rung by us, over the working connection,
and one that does not hear it is opened again. After each opening everything is looked at.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from secrets import token_hex
from typing import Any

import psycopg
from loguru import logger
from psycopg import sql

from src.channels.pgnotify.link import connect, hang_up
from src.errors import Halt, TransientError

HEARD_WITHIN_SEC = 5.0
WAITS_SEC = (0.0, 1.0, 2.0, 5.0, 10.0)
"""The pause before each try to open it again; the last one repeats. A fifth more or less, so that many spread."""
_NAMES = ("match_id", "conversation_id", "conversation", "chat_id", "id")
"""Under which a note may name the conversation, after the mapping's own column."""


class Bell:
    """One for each database in a process; its listeners hear what rang."""

    _shared: dict[tuple[str, tuple[str, ...]], Bell] = {}  # noqa: RUF012 - one for the process, on purpose

    def __init__(self, conninfo: str, channels: tuple[str, ...]) -> None:
        self._conninfo = conninfo
        self._channels = channels
        self.own = f"nightporter_{token_hex(6)}"
        """What we ring ourselves."""
        self._ears: set[Ear] = set()
        self._task: asyncio.Task[None] | None = None
        self._conn: psycopg.AsyncConnection[Any] | None = None
        self._number = -1
        """The socket that is read."""
        self._lost = asyncio.Event()
        self._heard = asyncio.Event()
        self.openings = 0

    @classmethod
    def at(cls, conninfo: str, channels: tuple[str, ...], ear: Ear) -> Bell:
        """The process's bell at this address, with one listener more."""
        return cls._shared.setdefault((conninfo, channels), cls(conninfo, channels)).join(ear)

    def join(self, ear: Ear) -> Bell:
        """One listener more."""
        self._ears.add(ear)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def leave(self, ear: Ear) -> None:
        """One listener less; the last one closes it. Never raises."""
        self._ears.discard(ear)
        if self._ears:
            return
        self._shared.pop((self._conninfo, self._channels), None)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def is_open(self) -> bool:
        return self._conn is not None

    async def heard_within(self, ring: Callable[[], Any], timeout: float = HEARD_WITHIN_SEC) -> bool:
        """Ring it by ``ring`` and wait for it; a bell that does not hear it is opened again. False then."""
        self._heard.clear()
        await ring()
        try:
            async with asyncio.timeout(timeout):
                await self._heard.wait()
        except TimeoutError:
            if self._conn is not None:
                logger.info("The bell at the app's database does not ring any more; opening it again")
                self._lost.set()
            return False
        return True

    async def _run(self) -> None:
        failures = 0
        while True:
            wait = WAITS_SEC[min(failures, len(WAITS_SEC) - 1)]
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311 - so that many do not come at once
            try:
                conn = await connect(self._conninfo)
            except (TransientError, Halt) as error:
                # The working connection meets the same, and says it to who must know.
                failures += 1
                logger.debug("The bell could not be opened: {}", type(error).__name__)
                continue
            try:
                if await self._listen(conn):
                    failures = 0
                    self._tell_all(None)
                    await self._lost.wait()
                else:
                    failures += 1
            finally:
                self._end(conn)
                await _closed(conn)

    async def _listen(self, conn: psycopg.AsyncConnection[Any]) -> bool:
        give_up = asyncio.get_running_loop().call_later(HEARD_WITHIN_SEC, hang_up, conn)
        try:
            for channel in (*self._channels, self.own):
                await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        except psycopg.Error as error:
            logger.debug("The bell could not listen: {}", type(error).__name__)
            return False
        finally:
            give_up.cancel()
        self._lost.clear()
        self._conn = conn
        self.openings += 1
        self._number = conn.fileno()
        asyncio.get_running_loop().add_reader(self._number, self._read)
        self._read()  # what came between the LISTEN and here
        return True

    def _read(self) -> None:
        if self._conn is None:
            return
        wire = self._conn.pgconn
        try:
            wire.consume_input()
            while (note := wire.notifies()) is not None:
                self._take(note.relname.decode(), note.extra.decode("utf-8", "replace"))
        except psycopg.Error:
            self._stop_reading()
            self._lost.set()

    def _take(self, channel: str, payload: str) -> None:
        self._heard.set()
        if channel != self.own:
            self._tell_all(payload)

    def _tell_all(self, payload: str | None) -> None:
        for ear in tuple(self._ears):
            ear.told(payload)

    def _end(self, conn: psycopg.AsyncConnection[Any]) -> None:
        """Stop reading before the socket is closed: its number is used again by the next connection."""
        self._conn = None
        self._stop_reading()
        hang_up(conn)

    def _stop_reading(self) -> None:
        # By its number: a connection that is lost has closed its socket already and does not know it any more.
        number, self._number = self._number, -1
        if number >= 0:
            asyncio.get_running_loop().remove_reader(number)


async def _closed(conn: psycopg.AsyncConnection[Any]) -> None:
    with suppress(psycopg.Error, OSError):
        await conn.close()


class Ear:
    """What one account has heard since its last look."""

    def __init__(self, column: str, is_id: Callable[[str], bool]) -> None:
        """``column`` is the mapping's name of the conversation; ``is_id`` says whether a text can be one's id."""
        self._names = (column, *_NAMES)
        self._is_id = is_id
        self.news = asyncio.Event()
        self.named: set[str] = set()
        self.unnamed = False
        """It rang without a name that could be understood."""
        self.everything = False
        """It was opened (anew): what was said meanwhile is lost."""
        self.rang = False
        """The app has rung at least once."""

    def told(self, payload: str | None) -> None:
        """A note; None: the bell was just opened."""
        self.rang = self.rang or payload is not None
        if payload is None:
            self.everything = True
        elif (name := self._name_in(payload)) is not None:
            self.named.add(name)
        else:
            self.unnamed = True
        self.news.set()

    def _name_in(self, payload: str) -> str | None:
        return next((name for name in _named(payload, self._names) if self._is_id(name)), None)

    def take(self) -> tuple[set[str], bool, bool]:
        """What was heard: the conversations, whether it rang without one, whether all must be looked at."""
        taken = self.named, self.unnamed, self.everything
        self.named, self.unnamed, self.everything = set(), False, False
        self.news.clear()
        return taken


def _named(payload: str, names: tuple[str, ...]) -> Iterator[str]:
    try:
        note = json.loads(payload)
    except ValueError:
        return
    # A trigger on a table often sends the row inside: {"record": {…}}, {"new": {…}}.
    inner = [one for one in note.values() if isinstance(one, dict)] if isinstance(note, dict) else []
    for one in (note, *inner):
        if isinstance(one, dict):
            yield from (str(one[name]) for name in names if isinstance(one.get(name), (str, int)))
