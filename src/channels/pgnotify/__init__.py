"""An app's own PostgreSQL tables as an inbox. All knowledge of somebody else's tables is in this folder.

It offers what ``src/channels/registry.py`` asks of a channel's folder.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from src.channels.base import Capabilities, Place
from src.channels.pgnotify.settings import PgnotifySettings

if TYPE_CHECKING:
    from src.channels.pgnotify.channel import PgnotifyChannel

SETTINGS = PgnotifySettings
CAPABILITIES = Capabilities(
    watches=True,
    bubbles=5,
    shows_typing=True,
    starts=True,
    takes_key=True,
    compares=True,
    takes_operator=True,
    at_once=8,
)
"""``takes_key`` and ``compares`` as far as the app's tables allow; ``pgnotify check`` says what they do."""

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.:-]{0,127}")


def is_conversation_id(external_id: str) -> bool:
    """Whether the text can be the key of a row: a uuid, a number, or a short text without spaces or slashes."""
    return _ID.fullmatch(external_id) is not None


def build(settings: PgnotifySettings, place: Place) -> PgnotifyChannel:
    """The channel of one account; reads the mapping. SettingsError if that, or the address, is missing or wrong."""
    # psycopg takes its time to load, which `status` need not pay.
    from src.channels.pgnotify.channel import PgnotifyChannel

    return PgnotifyChannel(settings, place)
