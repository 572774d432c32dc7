"""Pictures and bodies of what was not understood: few, small in sum, for the owner alone. They show guests' words.

How long they are kept is in ``workers/housekeeping``; ``forget`` deletes them all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

NOT_UNDERSTOOD = "not_understood"
"""The kind that may come again and again while the work goes on; each other one is a halt and stops it."""
_SUFFIXES = frozenset({".png", ".body"})
INTERVAL_SEC = 600.0
KEEP = 20
KEEP_BYTES = 20_000_000


def files_in(folder: Path) -> list[Path]:
    """Everything that is kept there, oldest first by its name; empty if there is no such folder."""
    return sorted(path for path in folder.glob("*") if path.suffix in _SUFFIXES)


def recent(folder: Path, kind: str) -> Path | None:
    """The newest picture of this kind if it is younger than INTERVAL_SEC: another one would show the same."""
    now = time.time()
    younger = (
        path
        for path, _, made_at in reversed(_pictures(folder))
        if path.stem.endswith(f"-{kind}") and abs(now - made_at) < INTERVAL_SEC
    )
    return next(younger, None)


def keep(folder: Path, kind: str, content: bytes, suffix: str = ".png") -> Path:
    """Write it (mode 0600) and return its path; the oldest beyond KEEP and KEEP_BYTES go. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{kind}{suffix}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    for old in _too_many(folder):
        if old != path:
            with suppress(OSError):
                old.unlink()
    return path


def _too_many(folder: Path) -> Iterator[Path]:
    size = 0
    for number, (path, length, _) in enumerate(reversed(_pictures(folder)), start=1):
        size += length
        if number > KEEP or size > KEEP_BYTES:
            yield path


def _pictures(folder: Path) -> list[tuple[Path, int, float]]:
    """Path, bytes and time of each, oldest first by its name; without what another process deletes meanwhile."""
    found = []
    for path in files_in(folder):
        with suppress(OSError):
            facts = path.stat()
            found.append((path, facts.st_size, facts.st_mtime))
    return found
