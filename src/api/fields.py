"""Fields of a row as JSON has them."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any


def show(row: object, names: str) -> dict[str, Any]:
    """These fields, with spaces between their names: times and days by ISO 8601, statuses as their words."""
    return {name: _plain(getattr(row, name)) for name in names.split()}


def _plain(value: Any) -> Any:
    if isinstance(value, date):  # a time is one, too
        return value.isoformat()
    return str(value) if isinstance(value, StrEnum) else value
