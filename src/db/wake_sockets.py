"""Wake-ups beside a SQLite file: one Unix datagram socket for each listener, named after what it listens to.

inbox.db.wake/outbox.4f1c….9a.sock        topics . process . a number
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Self

_SUFFIX = ".sock"
_GONE = {errno.ECONNREFUSED, errno.ENOENT}


def folder_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.wake")


class Socket:
    """A listener's end."""

    def __init__(self, path: Path, end: socket.socket) -> None:
        self._path = path
        self._end = end

    @classmethod
    def open(cls, database: Path, topics: Collection[str], process: str) -> Socket:
        """OSError if it cannot be made."""
        folder = folder_of(database)
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{'+'.join(sorted(topics))}.{process}.{secrets.token_hex(4)}{_SUFFIX}"
        end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            end.settimeout(0)
            with _Short(folder) as short:
                end.bind(short.path(path.name))
        except OSError:
            end.close()
            raise
        return cls(path, end)

    def fileno(self) -> int:
        return self._end.fileno()

    def drain(self) -> bool:
        """Take everything that has arrived; True if there was something. Does not block."""
        some = False
        with suppress(BlockingIOError):
            while self._end.recv(16):
                some = True
        return some

    def close(self) -> None:
        self._end.close()
        with suppress(OSError):
            self._path.unlink()


class Sender:
    """Writes to every listener of a topic. Safe to use from several threads."""

    def __init__(self, database: Path) -> None:
        self._folder = folder_of(database)
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.settimeout(0)

    def send(self, topic: str, *, but_not: str) -> None:
        """Wake the listeners of the topic in other processes than ``but_not``. OSError only for strange reasons."""
        try:
            names = [entry.name for entry in self._folder.iterdir()]
        except FileNotFoundError:
            return  # nobody has ever listened
        wanted = [name for name in names if _listens(name, topic, but_not)]
        if not wanted:
            return
        with _Short(self._folder) as short:
            for name in wanted:
                try:
                    self._end.sendto(b"!", short.path(name))
                except BlockingIOError:
                    continue  # its queue is full of wake-ups: it will wake
                except OSError as error:
                    if error.errno not in _GONE:
                        raise
                    # Its process died without tidying up. Names are never used again, so this is nobody else's.
                    with suppress(OSError):
                        (self._folder / name).unlink()

    def close(self) -> None:
        self._end.close()


def _listens(name: str, topic: str, but_not: str) -> bool:
    topics, _, rest = name.partition(".")
    return name.endswith(_SUFFIX) and topic in topics.split("+") and rest.partition(".")[0] != but_not


class _Short:
    """A short name for a folder: the path of a Unix socket has room for about 100 bytes only."""

    _LONGEST = 90

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle: int | None = None

    def __enter__(self) -> Self:
        longest_name = 60
        if len(os.fsencode(self._folder)) + longest_name > self._LONGEST and Path("/proc/self/fd").is_dir():
            self._handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self

    def path(self, name: str) -> str:
        return str(self._folder / name) if self._handle is None else f"/proc/self/fd/{self._handle}/{name}"

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            os.close(self._handle)
