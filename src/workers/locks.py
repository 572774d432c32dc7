"""File locks (flock): freed by the system when their process ends, however it ends."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import time
from pathlib import Path


def place_of(folder: Path) -> str:
    """Identifies this folder on this boot. Two processes with the same value share file locks."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    facts = folder.stat()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = socket.gethostname()
    return f"{boot}:{facts.st_dev}:{facts.st_ino}"


class FileLock:
    """An exclusive lock on a file. Not re-entrant; one object for each holder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        return self._handle is not None

    def try_acquire(self) -> bool:
        """Take it if it is free; True if it is ours now."""
        if self._handle is not None:
            return True
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._handle = handle
        return True

    async def acquire(self, timeout: float | None = None, every: float = 0.1) -> bool:
        """Wait for it, at most ``timeout`` seconds (None: for ever); True if it is ours now."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.try_acquire():
            if deadline is not None and time.monotonic() >= deadline:
                return False
            await asyncio.sleep(every)
        return True

    def release(self) -> None:
        """Give it back; harmless if it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def is_taken(self) -> bool:
        """Whether somebody holds it at this moment."""
        if self._handle is not None:
            return True
        probe = FileLock(self.path)
        free = probe.try_acquire()
        probe.release()
        return not free
