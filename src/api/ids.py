"""What an id or a time in a request may look like, before anybody looks for it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from src.services.refusals import Malformed, NotFound

OUR_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
SITE_ID = re.compile(r"[\w.:=+/-]{1,200}", re.ASCII)


def check_conversation_id(text: str) -> None:
    """NotFound for what cannot be a site's id: there is no such conversation, and nobody needs to look."""
    if not SITE_ID.fullmatch(text):
        raise NotFound("there is no conversation with this id")


def moment_of(text: str, field: str) -> datetime:
    """A time in ISO 8601 with its zone. ``Malformed`` if it is none."""
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Malformed(field, "is not a time with a time zone")
