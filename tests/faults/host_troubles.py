"""Level M's troubles: what can be done to a machine from outside, and undone."""

from __future__ import annotations

import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

DISK_MB = 96
_CHUNK = 2**16
_CLOCK = Path(__file__).with_name("jumping_clock.c")


class Impossible(Exception):
    """The trouble cannot be made here; its words say why."""


# --- a small disk ----------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """The folder is a file system of its own of DISK_MB. Needs root; Impossible without."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0700", "nightporter-test", str(folder)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise Impossible("a small disk cannot be mounted here (root is needed)")
    try:
        yield
    finally:
        if subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder: Path) -> None:
    """Take all that is left on the folder's disk, to the last byte. Repeatable; ``free`` gives it back."""
    with (folder / "filler").open("ab", buffering=0) as file:
        for size in (_CHUNK, 512, 1):
            with suppress(OSError):
                while file.write(b"x" * size):
                    pass


def free(folder: Path) -> None:
    (folder / "filler").unlink(missing_ok=True)


# --- frozen processes ------------------------------------------------------------------------------------


def signalled(processes: Iterable[psutil.Process], number: signal.Signals) -> int:
    """Send a signal to those that are still there; how many these were."""
    sent = 0
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)
            sent += 1
    return sent


# --- a clock that jumps ----------------------------------------------------------------------------------


class JumpingClock:
    """The clock on the wall of processes that are started with ``environment``, moved while they run.

    A small library of ours stands before the system's (libfaketime breaks short sleeps and Chromium). The clocks that
    count from the start of the machine, and the times of files, stay right, as on a machine whose clock is set.
    """

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None or not sys.platform.startswith("linux"):
            raise Impossible("the clock cannot be moved here (Linux and a C compiler are needed)")
        self._library, self._file = folder / "jumping_clock.so", folder / "clock"
        command = [compiler, "-O2", "-shared", "-fPIC", str(_CLOCK), "-o", str(self._library)]
        subprocess.run(command, check=True, capture_output=True)
        self._file.write_bytes(bytes(8))

    def set(self, seconds: int) -> None:
        """So far from the right time, for every process, at once."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", seconds))

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "CLOCK_OFFSET_FILE": str(self._file)}


# --- how busy it is meanwhile ----------------------------------------------------------------------------


class Load:
    """The share of a processor that each process takes, from when it is made."""

    def __init__(self, processes: Iterable[psutil.Process]) -> None:
        self._since = time.monotonic()
        self._before = {p: used for p in processes if (used := _used(p)) is not None}

    def shares(self) -> list[float]:
        """Of those that still run; at most 1 but for several threads at once."""
        passed = time.monotonic() - self._since
        after = {p: _used(p) for p in self._before}
        return [(used - self._before[p]) / passed for p, used in after.items() if used is not None]


def _used(process: psutil.Process) -> float | None:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)
