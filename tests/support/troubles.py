"""What goes wrong at the steps of a channel, when a test asks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from src.errors import ChannelGone, Halt


class Crash(BaseException):
    """Kill -9: what was in memory is lost. Go on with new objects on the same database and site."""


class Troubles:
    """A channel that can be spoiled: ``before``, ``during``, ``after``, ``fail`` and ``fail_call``.

    A moment is the name of a method. ``during`` exists for ``write`` only.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.is_open = True
        """Tests of the services get it open, as a turn hands it over."""
        self._count: Counter[str] = Counter()
        self.touched_after_halt: list[str] = []
        """What was asked of the site after it had shown a wall."""
        self._halted = False
        self._troubles: dict[tuple[str, str, int | None], Callable[[], object]] = {}

    def before(self, method: str, do: Callable[[], object], *, nth: int | None = 1) -> None:
        """Call ``do`` before the nth call of a method does anything (None: every one); it may raise."""
        self._troubles["before", method, nth] = do

    def during(self, method: str, do: Callable[[], object], *, nth: int | None = 1) -> None:
        """The same in the middle of it."""
        self._troubles["during", method, nth] = do

    def after(self, method: str, do: Callable[[], object], *, nth: int | None = 1) -> None:
        """The same when it has done everything, before it returns."""
        self._troubles["after", method, nth] = do

    def fail(self, method: str, error: BaseException, *, nth: int | None = 1, after: bool = False) -> None:
        """Raise at the nth call of a method: before it has done anything, or ``after`` it has done everything."""
        self._troubles["after" if after else "before", method, nth] = _raiser(error)

    def fail_call(
        self, number: int, error: BaseException | Callable[[], object], *, after: bool = False
    ) -> None:
        """The same for the call with this number, counted over all methods, from 1; or call something then."""
        do = _raiser(error) if isinstance(error, BaseException) else error
        self._troubles["after" if after else "before", "*", number] = do

    @contextmanager
    def _call(self, method: str) -> Iterator[None]:
        self.calls.append(method)
        self._count[method] += 1
        number, own = len(self.calls), self._count[method]
        if self._halted:
            self.touched_after_halt.append(method)
        if method != "open" and not self.is_open:
            raise ChannelGone("The inbox is not open.")
        try:
            self._strike("before", method, own, number)
            yield
            self._strike("after", method, own, number)
        except ChannelGone:
            self.is_open = False
            raise
        except Halt:
            self._halted = True
            raise

    def _strike(self, moment: str, method: str, own: int, number: int) -> None:
        for key in ((moment, method, own), (moment, method, None), (moment, "*", number)):
            trouble = self._troubles.get(key)
            if trouble is not None:
                trouble()


def _raiser(error: BaseException) -> Callable[[], object]:
    def strike() -> None:
        raise error

    return strike
