"""Commands that a person waits for, and may break off at any moment: within five seconds, whatever hangs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

END_SEC = 4.0
T = TypeVar("T")


def run_briefly(work: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` for a command that a person waits for and that sends nothing.

    Ctrl-C and SIGTERM break it off: what is open is put away, for END_SEC at most. KeyboardInterrupt then, or the
    exit code that shells have for SIGTERM.
    """
    asked: list[int] = []

    async def until_asked() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)

        def end(number: int) -> None:
            if not asked:
                loop.call_later(END_SEC, _leave, number)
                task.cancel()
            asked.append(number)

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end, number)
        return await task

    try:
        return asyncio.run(until_asked())
    except asyncio.CancelledError:
        if asked == [] or asked[0] == signal.SIGINT:
            raise KeyboardInterrupt from None
        raise SystemExit(_code_of(asked[0])) from None


def _code_of(number: int) -> int:
    return 128 + number


def _leave(number: int) -> None:
    """What hangs (a browser that does not close) ends with the process."""
    sys.stderr.write("\x1b[?25h" if sys.stderr.isatty() else "")  # a spinner hides the cursor
    os._exit(_code_of(number))
