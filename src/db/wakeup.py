"""Tells a worker in this or another process that there is work, so that it need not wait for its next look.

A wake-up is a hint and may get lost: who waits looks at the database after every wake *and* every timeout.

    SQLite       one named pipe for each listener, in the folder ``<database>.wake`` (0700)
    PostgreSQL   LISTEN/NOTIFY on a connection of its own, opened again when it is lost
    this process the listener directly
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
import weakref
from collections.abc import Collection
from contextlib import suppress
from typing import Literal

from loguru import logger

from src.db import wake_pipes, wake_postgres
from src.db.engine import Connection, Database, after_commit

Topic = Literal["inbox", "outbox"]

_PROCESS = secrets.token_hex(8)
"""Marks our own notes: listeners in this process are woken without them."""
_LISTENERS: weakref.WeakSet[Wakeup] = weakref.WeakSet()
_LISTENERS_LOCK = threading.Lock()
_REOPEN_AFTER_SEC = 5.0


class Wakeup:
    """Notifies about any topic; waits for those named in ``topics`` (none: it only notifies).

    ``notify`` and ``notify_in`` may be called from any thread, ``wait`` by one task at a time.
    """

    def __init__(self, db: Database, topics: Collection[Topic] = ()) -> None:
        self._db = db
        self._topics = frozenset(topics)
        self._woken = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell = asyncio.Event()
        self._source: wake_pipes.Pipe | wake_postgres.Listener | None = None
        self._arrived: wake_postgres.Listener | None = None
        """Opened in a thread, and not yet taken up on the loop, which may be ending."""
        self._arrival = threading.Lock()
        self._handle = -1  # a connection that was lost does not tell its own any more
        self._opening: asyncio.Task[None] | None = None
        self._open_again_at = 0.0
        self._closed = False
        if self._topics:
            with _LISTENERS_LOCK:
                _LISTENERS.add(self)

    # --- telling -----------------------------------------------------------------------------------------

    def notify(self, topic: Topic) -> None:
        """Wake who waits for the topic, in every process. Call it after the commit. Never raises."""
        self._notify_here(topic)
        if self._db.path is None and _on_a_loop():  # the server's answer is not waited for on the loop
            asyncio.get_running_loop().run_in_executor(None, self._notify_others, topic)
        else:
            self._notify_others(topic)

    def _notify_others(self, topic: Topic) -> None:
        try:
            if self._db.path is not None:
                wake_pipes.notify(self._db.path, topic, _PROCESS)
                return
            with self._db.write() as conn:
                wake_postgres.notify(conn, topic, _PROCESS)
        except Exception as error:  # noqa: BLE001 - a hint that is lost costs a moment, an error here a job
            logger.debug("wake-up for {} was not sent: {}", topic, type(error).__name__)

    def notify_in(self, conn: Connection, topic: Topic) -> None:
        """The same for a transaction of ``db.write()``: it takes effect with the commit, and only then."""
        if self._db.path is None:
            wake_postgres.notify(conn, topic, _PROCESS)
            after_commit(conn, lambda: self._notify_here(topic))
        else:
            after_commit(conn, lambda: self.notify(topic))

    def _notify_here(self, topic: Topic) -> None:
        with _LISTENERS_LOCK:
            listeners = [one for one in _LISTENERS if topic in one._topics]  # noqa: SLF001 - its own class
        for listener in listeners:
            if listener._db.database_id == self._db.database_id:  # noqa: SLF001
                listener._wake()  # noqa: SLF001

    # --- waiting -----------------------------------------------------------------------------------------

    async def wait(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; True as soon as there may be something new since the last ``wait``.

        Also True when the listener had to be opened (again): something may have happened in between.
        """
        self._settle_in()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self._woken.is_set():
                    self._keep_open()
                    self._bell.clear()
                    if not self._woken.is_set():
                        await self._until_bell()
        woken = self._woken.is_set()
        self._woken.clear()
        return woken

    def close(self) -> None:
        """Stop listening. To be called on the loop that waited, if there was one. May be called twice."""
        with self._arrival:
            self._closed = True
            arrived, self._arrived = self._arrived, None
        if arrived is not None:
            arrived.close()
        with _LISTENERS_LOCK:
            _LISTENERS.discard(self)
        self._drop_source()

    def _wake(self) -> None:
        self._woken.set()
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # that loop has been closed
                loop.call_soon_threadsafe(self._bell.set)

    async def _until_bell(self) -> None:
        # While the listener is out of order the wait is cut, to try opening it again.
        lost = bool(self._topics) and self._source is None
        with suppress(TimeoutError):
            async with asyncio.timeout(_REOPEN_AFTER_SEC if lost else None):
                await self._bell.wait()

    def _settle_in(self) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._drop_source()
            self._loop, self._bell = loop, asyncio.Event()
            self._opening, self._open_again_at = None, 0.0

    # --- the way from other processes --------------------------------------------------------------------

    def _keep_open(self) -> None:
        """See to it that the listener is open, or being opened; without it, waiting is polling."""
        if not self._topics or self._closed or self._source is not None:
            return
        if self._opening is not None and not self._opening.done():
            return
        if time.monotonic() >= self._open_again_at:
            self._open_again_at = time.monotonic() + _REOPEN_AFTER_SEC
            self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        try:
            source = await self._open_source()
        except Exception as error:  # noqa: BLE001 - whatever it is, looking at intervals goes on
            logger.debug("wake-ups from other processes do not work now: {}", type(error).__name__)
            return
        with self._arrival:
            self._arrived = None
        if self._closed:
            source.close()
            return
        self._source, self._handle = source, source.fileno()
        asyncio.get_running_loop().add_reader(self._handle, self._on_readable)
        self._wake()

    async def _open_source(self) -> wake_pipes.Pipe | wake_postgres.Listener:
        if self._db.path is not None:
            return wake_pipes.Pipe.open(self._db.path, self._topics, _PROCESS)
        return await asyncio.to_thread(self._connect)

    def _connect(self) -> wake_postgres.Listener:
        listener = wake_postgres.Listener.open(self._db.url, self._topics, _PROCESS)
        with self._arrival:
            if not self._closed:
                self._arrived = listener
                return listener
        listener.close()  # closed while it connected; nobody may be there any more to do it
        raise ConnectionAbortedError

    def _on_readable(self) -> None:
        source = self._source
        if source is None:
            return
        try:
            if source.drain():
                self._wake()
        except Exception as error:  # noqa: BLE001 - the connection is gone, in whatever way
            logger.debug("the listener for wake-ups was lost: {}", type(error).__name__)
            self._drop_source()
            self._open_again_at = 0.0
            self._wake()

    def _drop_source(self) -> None:
        source, self._source = self._source, None
        if source is None:
            return
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._handle)
        source.close()


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
