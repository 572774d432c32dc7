"""Values out of JSON of which nothing is certain: what must be there and is not raises ``PageChanged``. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from src.errors import PageChanged

Json = Any


def time_of(value: Json, where: str) -> datetime:
    """Milliseconds since 1970, as text or number."""
    try:
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise PageChanged("a time in milliseconds", where) from None


def yes(node: Json, key: str, where: str) -> bool:
    """A yes or no that must be there: true or false, or "YES" or "NO" (2.6)."""
    value = need(node, key, (bool, str), where)
    if value not in (True, False, "YES", "NO"):
        raise PageChanged(f"yes or no as {key}", where)
    return value in (True, "YES")


def list_of(value: Json, where: str) -> list[Json]:
    """A list that may be missing or null."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise PageChanged("a list", where)
    return value


def dig(value: Json, *keys: str) -> Json:
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def need(value: Json, key: str, kinds: type | tuple[type, ...], where: str) -> Json:
    if not isinstance(value, dict) or key not in value or not isinstance(value[key], kinds):
        raise PageChanged(f"{key}", where)
    return value[key]
