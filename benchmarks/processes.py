"""CPU time and memory of this process and of those that it started."""

from __future__ import annotations

import os
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of CPU so far."""

    python: float
    below: float
    """The browser and its driver."""

    def __sub__(self, other: Usage) -> Usage:
        return Usage(self.python - other.python, self.below - other.below)

    @property
    def whole(self) -> float:
        return self.python + self.below


def tree(root: int | None = None, *, without: frozenset[int] = frozenset()) -> list[psutil.Process]:
    """The descendants of a process, but not those in ``without`` nor what they started."""
    top = psutil.Process(root or os.getpid())
    found: list[psutil.Process] = []
    waiting = [one for one in top.children() if one.pid not in without]
    while waiting:
        one = waiting.pop()
        found.append(one)
        try:
            waiting += [child for child in one.children() if child.pid not in without]
        except psutil.NoSuchProcess:
            continue
    return found


def cpu(processes: list[psutil.Process]) -> float:
    """What they have used together; who has ended meanwhile counts nothing."""
    used = 0.0
    for one in processes:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += times.user + times.system
    return used


def pss_mib(processes: list[psutil.Process]) -> float:
    """Memory with what is shared divided among those who share it."""
    return sum(_memory(one, "pss") for one in processes) / 2**20


def uss_mib(processes: list[psutil.Process]) -> float:
    """Memory that nobody else has: what would be free again without them."""
    return sum(_memory(one, "uss") for one in processes) / 2**20


def _memory(process: psutil.Process, kind: str) -> int:
    try:
        return int(getattr(process.memory_full_info(), kind))
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
