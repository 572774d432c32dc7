"""Identifiers in the forms that Airbnb uses (field guide, section 2.4)."""

from __future__ import annotations

import base64
import json


def global_id(kind: str, number: int) -> str:
    """The base64 form of an id, e.g. ``MessageThread:1234567`` (field guide, section 2.4)."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def number_of(identifier: str) -> int:
    """The number inside a global id or a bare number.

    Raises ValueError when it is neither.
    """
    if identifier.isdecimal():
        return int(identifier)
    try:
        decoded = base64.b64decode(identifier, validate=True).decode()
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"not an id: {identifier!r}") from error
    number = decoded.rpartition(":")[2]
    if not number.isdecimal():
        raise ValueError(f"not an id: {identifier!r}")
    return int(number)


def opaque_id(message_number: int, created_at_ms: int) -> str:
    """A message's ``opaqueId``: ``$1$<number>$<createdAtMs>`` (field guide, section 2.4)."""
    return f"$1${message_number}${created_at_ms}"


def list_cursor(direction: str, newest_ms: int, oldest_ms: int, updated_ms: int, next_rank: int) -> str:
    """An opaque list cursor: base64 of a JSON object (field guide, section 2.5)."""
    content = {
        "syncToken": None,
        "direction": direction,
        "newestMostRecentMessageAt": newest_ms / 1000,
        "oldestMostRecentMessageAt": oldest_ms / 1000,
        "newestUpdatedAt": updated_ms / 1000,
        "searchId": None,
        "nextPageStartingRank": next_rank,
        "version": 1,
    }
    return base64.b64encode(json.dumps(content).encode()).decode()


def rank_in(cursor: str) -> int:
    """Where the page after this list cursor starts.

    Raises ValueError for a cursor that this site did not make.
    """
    try:
        return int(json.loads(base64.b64decode(cursor, validate=True))["nextPageStartingRank"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("not a list cursor of this site") from error


def message_cursor(message_number: int) -> str:
    """The opaque cursor of one message in a thread; digits, like the real ones (field guide, section 2.6)."""
    return str(1_600_000_000_000_000_000 + message_number)


def message_number_in(cursor: str) -> int:
    """The message that a cursor made by ``message_cursor`` points at. Raises ValueError otherwise."""
    return int(cursor) - 1_600_000_000_000_000_000
