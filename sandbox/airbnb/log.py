"""Every request that reached the simulated site: the truth in all tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "document",
    "asset",
    "list",
    "thread",
    "send",
    "mark_read",
    "typing",
    "details",
    "telemetry",
    "live",
    "login",
    "wall",
    "guest",
    "other",
]
"""What a request was for. ``wall`` is a person solving one; ``guest`` comes from the guest page."""


@dataclass
class Entry:
    """One request. ``status`` is None while it is being answered, 0 when it never got an answer."""

    seq: int
    kind: Kind
    method: str
    path: str
    thread: int | None = None
    text: str | None = None
    uuid: str | None = None
    operation: str | None = None
    accepted: bool | None = None
    """For a send: whether the site took the message."""
    status: int | None = None
    wall: str | None = None
    fault: str | None = None
    at: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.monotonic)


class RequestLog:
    """The entries, in order, with the questions that tests ask. Safe from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._entries: list[Entry] = []

    @property
    def entries(self) -> list[Entry]:
        """A copy of all entries."""
        with self._changed:
            return list(self._entries)

    def add(
        self, kind: Kind, method: str, path: str, thread: int | None = None, **facts: str | None
    ) -> Entry:
        """Note a request as soon as it arrives."""
        with self._changed:
            entry = Entry(len(self._entries) + 1, kind, method, path, thread)
            for name, value in facts.items():
                setattr(entry, name, value)
            self._entries.append(entry)
            self._changed.notify_all()
        return entry

    def finish(self, entry: Entry, status: int) -> None:
        """Note how it was answered."""
        with self._changed:
            entry.status = status
            self._changed.notify_all()

    def accept(self, entry: Entry) -> None:
        """Note that a send was taken."""
        with self._changed:
            entry.accepted = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._entries.clear()

    def find(
        self, kind: Kind | None = None, thread: int | None = None, since: Entry | int | None = None
    ) -> list[Entry]:
        """The entries of a kind, of a thread, after another entry (or its ``seq``)."""
        after = since.seq if isinstance(since, Entry) else since or 0
        return [
            entry
            for entry in self.entries
            if (kind is None or entry.kind == kind)
            and (thread is None or entry.thread == thread)
            and entry.seq > after
        ]

    def count(
        self, kind: Kind | None = None, thread: int | None = None, since: Entry | int | None = None
    ) -> int:
        """How many such entries there are."""
        return len(self.find(kind, thread, since))

    def sends(self, thread: int | None = None) -> list[Entry]:
        """Every send that reached the site, taken or not."""
        return self.find("send", thread)

    def presses(self, thread: int | None = None) -> list[Entry]:
        """The sends without those that a browser repeated by itself: one for each time Send was pressed."""
        first: dict[str | None, Entry] = {}
        for entry in self.sends(thread):
            first.setdefault(entry.uuid, entry)
        return list(first.values())

    @property
    def mark(self) -> int:
        """The ``seq`` of the newest entry, to ask later what came ``since``."""
        with self._changed:
            return len(self._entries)

    def touched(self, since: int = 0) -> list[Entry]:
        """What a product did to the site: everything but the guest page and a person at a wall."""
        return [entry for entry in self.find(since=since) if entry.kind not in ("guest", "wall", "login")]

    def wait_until(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait for ``condition()``, looked at after each change of the log. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                kinds = [f"{entry.kind}:{entry.status}" for entry in self._entries[-12:]]
                raise TimeoutError(f"not within {timeout} s; the last requests: {kinds}")

    def wait_for(
        self,
        kind: Kind,
        thread: int | None = None,
        count: int = 1,
        since: Entry | int | None = None,
        timeout: float = 10.0,
    ) -> list[Entry]:
        """Wait until that many such requests were *answered*; returns them. Raises TimeoutError."""

        def answered() -> list[Entry]:
            return [entry for entry in self.find(kind, thread, since) if entry.status is not None]

        self.wait_until(lambda: len(answered()) >= count, timeout)
        return answered()
