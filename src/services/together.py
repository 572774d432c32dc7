"""Steps of several replies that come at the same moment share a transaction.

The first one goes alone, at once; those that come meanwhile go together, in the next transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from src.errors import TransientError

T = TypeVar("T")
R = TypeVar("R")


class Together(Generic[T, R]):
    """For one event loop. A call that fails undoes itself and no other one."""

    def __init__(self, one: Callable[[T], R], several: Callable[[list[T]], list[R]]) -> None:
        """Both block, in a transaction each. ``several`` gives the results in order, or raises and did nothing."""
        self._one = one
        self._several = several
        self._is_at_work = False
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []

    async def __call__(self, what: T) -> R:
        """What ``one(what)`` returns or raises, committed."""
        if self._is_at_work:
            done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
            self._waiting.append((what, done))
            return await done
        self._is_at_work = True
        try:
            return await asyncio.to_thread(self._one, what)
        finally:
            self._next()

    def _next(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._is_at_work = bool(waiting)
        if waiting:
            self._task = asyncio.get_running_loop().create_task(self._work(waiting))

    async def _work(self, waiting: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await asyncio.to_thread(self._all_of, [what for what, _ in waiting])
            for (_, done), result in zip(waiting, results, strict=True):
                if done.done():
                    continue  # the caller was cancelled meanwhile
                if isinstance(result, _Failed):
                    done.set_exception(result.error)
                else:
                    done.set_result(result)
        finally:
            self._next()

    def _all_of(self, whats: list[T]) -> list[R | _Failed]:
        if len(whats) > 1:
            try:
                return list(self._several(whats))
            except TransientError as error:  # the database: it would keep each of them waiting as long
                return [_Failed(error) for _ in whats]
            except Exception:  # noqa: BLE001, S110 - one of them; which one shows next
                pass
        return [self._alone(what) for what in whats]

    def _alone(self, what: T) -> R | _Failed:
        try:
            return self._one(what)
        except BaseException as error:  # noqa: BLE001 - raised where it belongs: at the caller
            return _Failed(error)


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error
