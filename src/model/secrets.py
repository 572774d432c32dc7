"""Secrets in a reply: placeholders that are filled in while it is typed, and taken out of all that is read. Pure.

A text that is stored has ``{{door_code}}``; the value is on the site alone. Where values come from, and when they
may be told, is behind the port ``Secrets``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from src.errors import SecretWithheld

PLACEHOLDER = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")
_LONGEST_VALUE = 200


class Secrets(Protocol):
    """What is told at the keystroke alone. Blocking; may be asked from any thread."""

    def fill(self, text: str, listing_id: str | None, stay: Mapping[str, Any], now: datetime) -> str:
        """The text as it is typed. ``stay`` is what the inbox shows of the stay, ``now`` is aware.

        Raises SecretWithheld if a placeholder's window is closed now, or nobody knows the placeholder.
        """
        ...

    def mask(self, text: str, listing_id: str | None) -> str:
        """The text as it may be stored: every value is its placeholder again. Repeatable."""
        ...


class NoSecrets:
    """Nobody has any: a placeholder is unknown, and no text hides a value."""

    def fill(self, text: str, listing_id: str | None, stay: Mapping[str, Any], now: datetime) -> str:  # noqa: ARG002
        if PLACEHOLDER.search(text):
            raise SecretWithheld(reason="unknown_placeholder")
        return text

    def mask(self, text: str, listing_id: str | None) -> str:  # noqa: ARG002
        return text


NO_SECRETS: Secrets = NoSecrets()


def is_filled_in(stored: str, shown: str) -> bool:
    """Whether ``shown`` may be ``stored`` with its placeholders filled in, whatever their values were then."""
    if not PLACEHOLDER.search(stored):
        return False
    parts = [re.escape(part) for part in PLACEHOLDER.split(stored)[::2]]
    return re.fullmatch(f".{{1,{_LONGEST_VALUE}}}?".join(parts), shown, re.DOTALL) is not None
