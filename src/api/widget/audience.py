"""Who watches a conversation from a page: each open stream of this process is woken when there is more to show.

One task for all of them waits for a wake-up (from any process), and looks every few seconds whether one was missed.
Nobody watching costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from starlette.concurrency import run_in_threadpool

from src.api.streams import Streams
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import TransientError
from src.services.widget import sequences_of

LOOK_EVERY_SEC = 5.0
"""The net under the wake-ups."""
AT_MOST = 1000
"""Streams of this process; a page that gets none asks by the clock."""
AT_MOST_OF_ONE = 8
"""Streams of one visitor: a tab each."""
_AT_ONCE_SEC = 0.01
"""Wake-ups within this time are one look."""


class Watcher:
    """One open stream."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen = 0
        """The number of the last message that was told."""
        self.news = asyncio.Event()


class Audience:
    """The streams of one account. Used on the event loop alone."""

    def __init__(self, db: Database, account: str, streams: Streams, shared: list[Watcher]) -> None:
        """``shared``: the streams of all accounts of this process, which share one limit."""
        self._db = db
        self._account = account
        self._streams = streams
        self._shared = shared
        self._watchers: dict[str, set[Watcher]] = {}
        self._task: asyncio.Task[None] | None = None

    def has_room(self, name: str) -> bool:
        """Whether this visitor may open one more stream."""
        return len(self._shared) < AT_MOST and len(self._watchers.get(name, ())) < AT_MOST_OF_ONE

    @contextmanager
    def watching(self, name: str, seen: int) -> Iterator[Watcher]:
        """A stream of this visitor, who has seen everything up to that number."""
        watcher = Watcher(name)
        watcher.seen = seen
        self._shared.append(watcher)
        self._watchers.setdefault(name, set()).add(watcher)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._keep_looking())
        try:
            yield watcher
        finally:
            self._shared.remove(watcher)
            mine = self._watchers[name]
            mine.discard(watcher)
            if not mine:
                del self._watchers[name]

    async def _keep_looking(self) -> None:
        wakeup = Wakeup(self._db, ["messages"])
        ending = asyncio.get_running_loop().create_task(self._streams.ended())
        ending.add_done_callback(lambda _: self._wake_all())
        try:
            while self._watchers and not self._streams.over:
                await wakeup.wait(LOOK_EVERY_SEC)
                await asyncio.sleep(_AT_ONCE_SEC)
                with suppress(TransientError):  # the next look may be luckier
                    await self._look()
        finally:
            ending.cancel()
            wakeup.close()

    async def _look(self) -> None:
        names = list(self._watchers)
        for name, last in (await run_in_threadpool(sequences_of, self._db, self._account, names)).items():
            for watcher in self._watchers.get(name, ()):
                if last > watcher.seen:
                    watcher.news.set()

    def _wake_all(self) -> None:
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.news.set()
