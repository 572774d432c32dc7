"""The edge of the program: however a command ends, the person sees plain lines, and no value of any variable."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from src.errors import ExitCode, NightporterError, SettingsError


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


def _short(error: Exception) -> str:
    from src.logs import safe_error  # `status` does not log, and loading this takes as long as its work

    return safe_error(error)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
