"""The folder while the program runs: read again when a file has changed, and forgiving for a day."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

from src.assistant.knowledge.files import ReadFile, find_files, stamp_of
from src.assistant.knowledge.loading import Knowledge, load
from src.assistant.secrets import Secret

GOOD_FOR_SEC = 86_400.0
"""How long the last good version of a file is used when the file cannot be read."""


class LiveFolder:
    """What the folder says now. May be asked from any thread."""

    def __init__(
        self,
        folder: Path,
        agents: Callable[[], Collection[str] | None] = lambda: None,
        *,
        look_every_sec: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``agents`` gives the names that facts may belong to; ``clock`` counts seconds."""
        self._folder = folder
        self._agents = agents
        self._look_every = look_every_sec
        self._clock = clock
        self._lock = threading.Lock()
        self._knowledge: Knowledge | None = None
        self._looked_at = 0.0
        self._seen: object = None
        self._good: dict[str, ReadFile] = {}
        self._failing_since: dict[str, float] = {}
        self._ever_secret: dict[str, dict[Secret, None]] = {}

    def current(self, *, at_once: bool = False) -> Knowledge:
        """The folder as it is, at most ``look_every_sec`` old (``at_once``: looked at now). Blocking: reads files.

        A file that fails now is replaced by its last good version for 24 hours; one that is gone is gone.
        """
        with self._lock:
            now = self._clock()
            if self._knowledge is not None and not at_once and now - self._looked_at < self._look_every:
                return self._knowledge
            self._looked_at = now
            seen = (self._stamps(), frozenset(self._agents() or ()))
            dropped = self._drop_old(now)
            if self._knowledge is None or dropped or seen != self._seen:
                self._seen = seen
                self._knowledge = self._load(now)
            return self._knowledge

    def ever_secret(self, listing_id: str | None) -> tuple[Secret, ...]:
        """``Knowledge.secrets_of``, and before it what was changed or taken away since this process began."""
        listing = self.current().listing(listing_id)
        with self._lock:
            if listing is not None:
                return tuple(self._ever_secret.get(listing.id, ()))
            return tuple(one for known in self._ever_secret.values() for one in known)

    def _stamps(self) -> tuple[object, ...]:
        stamps: list[object] = []
        for place in find_files(self._folder):
            try:
                stamps.append((place.path, stamp_of(self._folder / place.path)))
            except OSError:
                stamps.append((place.path, None))
        return tuple(stamps)

    def _drop_old(self, now: float) -> bool:
        """Drop what has stood in for too long. Whether there was any."""
        old = [path for path, since in self._failing_since.items() if now - since > GOOD_FOR_SEC]
        dropped = [self._good.pop(path, None) for path in old]
        return any(dropped)

    def _load(self, now: float) -> Knowledge:
        known = self._knowledge.files if self._knowledge else {}
        knowledge = load(self._folder, self._agents(), known=known, good=self._good)
        for path, file in knowledge.files.items():
            if path in knowledge.used:
                self._good[path] = file
                self._failing_since.pop(path, None)
            else:
                self._failing_since.setdefault(path, now)
        for listing in knowledge.listings:
            self._ever_secret.setdefault(listing.id, {}).update(dict.fromkeys(listing.secrets))
        self._ever_secret.setdefault("", {}).update(dict.fromkeys(knowledge.hidden))
        for gone in self._good.keys() - knowledge.files.keys():
            del self._good[gone]
        self._failing_since = {p: at for p, at in self._failing_since.items() if p in knowledge.files}
        return knowledge
