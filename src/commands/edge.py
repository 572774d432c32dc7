"""The edge of the program: however a command ends, the person sees plain lines, and no value of any variable."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from src.errors import ExitCode, NightporterError, SettingsError

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_OWN_PYTHON = Path(__file__).resolve().parents[2] / ".venv" / "bin" / "python"


def run_script(load: Callable[[], Callable[[], int]]) -> int:
    """``to_the_end`` for a script; ``load`` imports its command.

    A script that was started with the system's Python, which lacks the packages and may be too old, goes on with
    the project's own.
    """
    try:
        command = load()
    except ImportError:
        if _OWN_PYTHON.exists() and Path(sys.prefix) != _OWN_PYTHON.parent.parent:
            os.execv(_OWN_PYTHON, [str(_OWN_PYTHON), *sys.argv])  # noqa: S606 (our own script and interpreter)
        raise
    return to_the_end(command)


def to_the_end(command: Callable[[], int]) -> int:
    """Run a command and return its exit code. A wrong configuration is 2, with a line for each problem.

    What nobody expected is one line and 70, which a supervisor may start again. Ctrl-C is 130, as shells have it.
    """
    try:
        return int(command())
    except SettingsError as error:
        _say("\n".join(error.problems))
        return ExitCode.SETTINGS
    except NightporterError as error:  # before the logs were set up: the database, most often
        _say(f"{_short(error)}; try again")
    except KeyboardInterrupt:
        _say("Interrupted.")
        return 130
    except Exception as error:  # noqa: BLE001 - a traceback may show what is secret
        where = traceback.extract_tb(error.__traceback__)[-1]
        _say(f"{_short(error)} (at {Path(where.filename).name}:{where.lineno})")
    return ExitCode.WATCHDOG


def until_stopped(command: Callable[[], int]) -> int:
    """``to_the_end`` for a command that runs for long: SIGINT and SIGTERM end it with 0, however many come.

    This is for the time until the command itself listens to them (``process.listen_to_signals``): what has been
    begun is undone as after any exception.
    """

    def asked(*_: int | FrameType | None) -> None:
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise _Stopped

    for number in _STOP_SIGNALS:
        signal.signal(number, asked)
    try:
        return to_the_end(command)
    except _Stopped:
        _say(f"Stopped ({ExitCode.STOPPED})")
        return ExitCode.STOPPED


class _Stopped(BaseException):
    """A person or a supervisor asked for the end. Nothing catches it, as KeyboardInterrupt."""


def _short(error: Exception) -> str:
    from src.logs import safe_error  # `status` does not log, and loading this takes as long as its work

    return safe_error(error)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
