"""Tells a worker in this or another process that there is work, so that it need not wait for its next look.

A wake-up is a hint and may get lost: who waits looks at the database after every wake *and* every timeout.

    SQLite       a named pipe for each process that listens, in the folder ``<database>.wake`` (0700)
    PostgreSQL   LISTEN/NOTIFY on one more connection of each such process, opened again when it is lost
    this process the listeners directly
"""

from __future__ import annotations

import asyncio
import os
import secrets
import selectors
import threading
import weakref
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from typing import Literal, get_args

from loguru import logger

from src.db import wake_pipes, wake_postgres
from src.db.engine import Connection, Database, after_commit

Topic = Literal["inbox", "outbox", "messages"]
"""What there may be more of: requests, replies, messages that visitors of a page are shown."""

_PROCESS = secrets.token_hex(8)
"""Marks our own notes: listeners in this process are woken without them."""
_LISTENERS: weakref.WeakSet[Wakeup] = weakref.WeakSet()
_LINES: dict[Database, _Line] = {}
_LOCK = threading.Lock()
"""For these two."""
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
        self._listens = False
        self._closed = False
        if self._topics:
            with _LOCK:
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
            with self._db.write(durable=False) as conn:  # a hint: nobody waits for the disk
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
        _wake({topic}, lambda db: db.database_id == self._db.database_id)

    # --- waiting -----------------------------------------------------------------------------------------

    async def wait(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; True as soon as there may be something new since the last ``wait``.

        Also True when the way from other processes was opened (again): something may have happened in between.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._bell = loop, asyncio.Event()
        self._listen()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self._woken.is_set():
                    self._bell.clear()
                    if not self._woken.is_set():
                        await self._bell.wait()
        woken = self._woken.is_set()
        self._woken.clear()
        return woken

    def close(self) -> None:
        """Stop listening. May be called twice."""
        with _LOCK:
            self._closed = True
            _LISTENERS.discard(self)
            alone = all(one._db is not self._db for one in _LISTENERS)  # noqa: SLF001 - its own class
            line = _LINES.pop(self._db, None) if alone else None
        if line is not None:
            line.stop()

    def _listen(self) -> None:
        if self._listens or self._closed or not self._topics:
            return
        self._listens = True
        with _LOCK:
            line = _LINES.get(self._db)
            if line is None:
                line = _LINES[self._db] = _Line(self._db)
            if line.is_open:
                self._woken.set()

    def _wake(self) -> None:
        self._woken.set()
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # that loop has been closed
                loop.call_soon_threadsafe(self._bell.set)


def _wake(topics: Collection[str], of: Callable[[Database], bool]) -> None:
    """Wake this process's listeners for any of the topics on the database."""
    with _LOCK:
        listeners = [one for one in _LISTENERS if not one._topics.isdisjoint(topics) and of(one._db)]  # noqa: SLF001
    for listener in listeners:
        listener._wake()  # noqa: SLF001


class _Line:
    """The way from other processes: a thread for all who listen on a database in this process.

    It only waits. Without it, while it cannot be opened, waiting is polling.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._stopped = False
        self._stop_read, self._stop_write = os.pipe()
        self.is_open = False
        self._thread = threading.Thread(target=self._run, name="wake-ups", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close it. If it is being opened just now, it is closed as soon as it is open."""
        waits = self.is_open
        self._stopped = True
        os.write(self._stop_write, b"!")
        if waits:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            try:
                with closing(self._open()) as source:
                    self._follow(source)
            except Exception as error:  # noqa: BLE001 - whatever it is, looking at intervals goes on
                logger.debug("wake-ups from other processes do not work now: {}", type(error).__name__)
            if self.is_open:  # something may be missed until it is open again
                self.is_open = False
                self._tell(get_args(Topic))
            elif not self._stopped:
                self._await_stop(_REOPEN_AFTER_SEC)
        os.close(self._stop_read)
        os.close(self._stop_write)

    def _open(self) -> wake_pipes.Pipe | wake_postgres.Listener:
        if self._db.path is not None:
            return wake_pipes.Pipe.open(self._db.path, _PROCESS)
        return wake_postgres.Listener.open(self._db.url, _PROCESS)

    def _follow(self, source: wake_pipes.Pipe | wake_postgres.Listener) -> None:
        with _LOCK:
            self.is_open = not self._stopped
        if self.is_open:
            self._tell(get_args(Topic))
        with selectors.DefaultSelector() as ready:
            ready.register(source, selectors.EVENT_READ)
            ready.register(self._stop_read, selectors.EVENT_READ)
            while not self._stopped:
                ready.select()
                self._tell(source.drain())

    def _await_stop(self, timeout: float) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(self._stop_read, selectors.EVENT_READ)
            ready.select(timeout)

    def _tell(self, topics: Collection[str]) -> None:
        _wake(topics, lambda db: db is self._db)


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
