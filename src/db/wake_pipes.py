"""Wake-ups beside a SQLite file: a named pipe for each process that listens.

inbox.db.wake/4f1c….9a.pipe        process . a number

For ``api`` and ``workers`` as two processes on one SQLite file (``pm2.json``): a reply is claimed within
milliseconds, and nobody polls. What polling costs instead is in ADR 0045.
"""

from __future__ import annotations

import os
import secrets
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
    def open(cls, database: Path, process: str) -> Pipe:
        """OSError if it cannot be made."""
        folder = folder_of(database)
        folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{process}.{secrets.token_hex(4)}"
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

    def drain(self) -> set[str]:
        """Take every note that has arrived: the topics. Does not block."""
        topics = set[str]()
        with suppress(BlockingIOError):
            while notes := os.read(self._end, 4096):
                topics.update(notes.decode().split())
        return topics

    def close(self) -> None:
        os.close(self._end)
        with suppress(OSError):
            self._path.unlink()


def notify(database: Path, topic: str, process: str) -> None:
    """Tell the processes that listen, all but ``process``. OSError only for strange reasons.

    May be called from any thread, and never blocks.
    """
    with suppress(FileNotFoundError):  # no folder: nobody has ever listened
        for path in folder_of(database).iterdir():
            if path.suffix == _SUFFIX and path.name.partition(".")[0] != process:
                _tell(path, topic)


def _tell(path: Path, topic: str) -> None:
    try:
        end = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # nobody reads it: its process died without tidying up; names are never used again
        with suppress(OSError):
            path.unlink()
        return
    with suppress(BlockingIOError, BrokenPipeError):  # full of notes: it will wake; closed just now: no need
        os.write(end, f"{topic} ".encode())  # so short a note is written whole or not at all
    os.close(end)
