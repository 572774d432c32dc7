"""Calls that come in at the same time share a transaction: one wait for the disk instead of one each.

    call ─┐                 ┌─ BEGIN · call · call · call · COMMIT (on the disk) ─┬─▶ answer
    call ─┼─▶ those that ───┘                                                     ├─▶ answer
    call ─┘   wait by now                                                         └─▶ answer

While one transaction is on its way to the disk, the next calls gather. Nobody is answered before the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from src.db.engine import Connection, Database
from src.errors import TransientError

T = TypeVar("T")
Work = Callable[[Connection], T]

MOST_AT_ONCE = 32
"""Others who write wait for a whole transaction, so it stays short."""


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


class SharedWrites:
    """For one event loop. A failing call undoes nothing but itself."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._at_work: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shared-writes")

    async def write(self, work: Work[T]) -> T:
        """What ``work(conn)`` returns, once it is committed; what it raises, when it is undone.

        ``work`` runs in another thread, maybe twice: together with others, and if one of them fails, alone. It
        does nothing but read and write through ``conn`` (``after_commit`` for the rest), and does not wait.
        TransientError as with ``db.write()``.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.append((work, done))
        if self._at_work is None:
            self._at_work = loop.create_task(self._work(loop))
        return await done

    async def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                results = await loop.run_in_executor(self._thread, self._all_of, [work for work, _ in batch])
                for (_, done), result in zip(batch, results, strict=True):
                    if done.done():  # the caller has gone; what it wanted is written all the same
                        continue
                    if isinstance(result, _Failed):
                        done.set_exception(result.error)
                    else:
                        done.set_result(result)
        finally:
            self._at_work = None

    def _all_of(self, works: list[Work[Any]]) -> list[Any]:
        if len(works) > 1:
            try:
                with self._db.write() as conn:
                    return [work(conn) for work in works]
            except TransientError as error:  # the database: it would keep each of them waiting as long
                return [_Failed(TransientError(str(error))) for _ in works]
            except Exception:  # noqa: BLE001, S110 - one of them; who it was shows next, and only that one is told
                pass
        return [self._one(work) for work in works]

    def _one(self, work: Work[Any]) -> Any:
        try:
            with self._db.write() as conn:
                return work(conn)
        except Exception as error:  # noqa: BLE001 - raised where it belongs: at the caller
            return _Failed(error)
