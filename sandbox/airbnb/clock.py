"""Times, in the forms that the site uses."""

from __future__ import annotations

from datetime import UTC, datetime

When = datetime | int | None
"""A moment: an aware datetime, milliseconds since 1970, or None for now."""


def now_ms() -> int:
    """The present, in milliseconds since 1970."""
    return int(datetime.now(UTC).timestamp() * 1000)


def as_ms(at: datetime | int) -> int:
    """A moment in milliseconds since 1970. Raises ValueError for a datetime without a zone."""
    if isinstance(at, int):
        return at
    if at.tzinfo is None:
        raise ValueError("a datetime without a time zone")
    return int(at.timestamp() * 1000)
