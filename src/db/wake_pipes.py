"""Wake-ups beside a SQLite file: one named pipe for each listener, named after what it listens to.

inbox.db.wake/outbox.4f1c….9a.pipe        topics . process . a number

For ``api`` and ``workers`` as two processes on one SQLite file (``pm2.json``): a reply is claimed within
milliseconds, and nobody polls. What polling costs instead is in ADR 0045.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

_SUFFIX = ".pipe"


def folder_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.wake")


class Pipe:
    """A listener's end."""

    def __init__(self, path: Path, end: int) -> None:
        self._path = path
        self._end = end

    @classmethod
    def open(cls, database: Path, topics: Collection[str], process: str) -> Pipe:
        """OSError if it cannot be made."""
        folder = folder_of(database)
        folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{'+'.join(sorted(topics))}.{process}.{secrets.token_hex(4)}"
        new, path = folder / f"{name}.new", folder / f"{name}{_SUFFIX}"
        os.mkfifo(new, 0o600)
        # For both directions: it opens at once, and does not end with the last who writes.
        end = os.open(new, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        new.rename(
            path
        )  # under this name only once it is read: else it would count as left by a dead process
        return cls(path, end)

    def fileno(self) -> int:
        return self._end

    def drain(self) -> bool:
        """Take everything that has arrived; True if there was something. Does not block."""
        some = False
        with suppress(BlockingIOError):
            while os.read(self._end, 4096):
                some = True
        return some

    def close(self) -> None:
        os.close(self._end)
        with suppress(OSError):
            self._path.unlink()


def notify(database: Path, topic: str, process: str) -> None:
    """Wake the topic's listeners in processes other than ``process``. OSError only for strange reasons.

    May be called from any thread, and never blocks.
    """
    with suppress(FileNotFoundError):  # no folder: nobody has ever listened
        for path in folder_of(database).iterdir():
            if _listens(path.name, topic, process):
                _wake(path)


def _wake(path: Path) -> None:
    try:
        end = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # nobody reads it: its process died without tidying up; names are never used again
        with suppress(OSError):
            path.unlink()
        return
    with suppress(
        BlockingIOError, BrokenPipeError
    ):  # full of wake-ups: it will wake; closed just now: no need
        os.write(end, b"!")
    os.close(end)


def _listens(name: str, topic: str, but_not: str) -> bool:
    topics, _, rest = name.partition(".")
    return name.endswith(_SUFFIX) and topic in topics.split("+") and rest.partition(".")[0] != but_not
