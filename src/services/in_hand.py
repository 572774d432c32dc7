"""Several conversations in hand at once: after a halt in one of them no step of any other touches the remote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from src.channels.base import Channel
from src.errors import Halt


class _OneHalt:
    """The channel as it is; once it has raised a halt, every further step raises that halt and asks nothing."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._halt: Halt | None = None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._channel, name)
        return self._guarded(name, found) if name in _STEPS else found

    def _guarded(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        async def guarded(*what: Any, **more: Any) -> Any:
            if self._halt is not None:
                raise _again(self._halt, nothing_sent=name == "press_send")
            try:
                return await step(*what, **more)
            except Halt as halt:
                self._halt = halt
                raise

        return guarded


def _again(halt: Halt, *, nothing_sent: bool) -> Halt:
    """The same for another conversation, of which the remote was asked nothing."""
    same = type(halt).__new__(type(halt))
    same.__dict__.update(vars(halt), nothing_sent=nothing_sent)
    same.args = halt.args
    return same


_STEPS = frozenset({"read", "write", "clear", "reread", "press_send", "follow", "find", "typing"})


def with_one_halt(channel: Channel) -> Channel:
    """The channel for replies that are in hand together."""
    return cast("Channel", _OneHalt(channel))
