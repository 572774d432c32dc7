"""The Airbnb web inbox as a channel. All knowledge of the site is in this folder.

``SETTINGS``, ``build`` and ``is_conversation_id`` are what ``src/channels/registry.py`` looks for.
"""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from src.channels.airbnb import ids
from src.channels.airbnb.settings import AirbnbSettings

if TYPE_CHECKING:
    from src.channels.airbnb.channel import AirbnbChannel

SETTINGS = AirbnbSettings


def is_conversation_id(external_id: str) -> bool:
    """Whether the text is a conversation id of Airbnb: base64 of ``MessageThread:<number>``."""
    return ids.thread_number(external_id) is not None


def build(
    settings: AirbnbSettings,
    *,
    session_dir: Path,
    executable: str | None,
    evidence_dir: Path,
    memory_limit_mb: float = inf,
    headless: bool | None = None,
) -> AirbnbChannel:
    """The channel of one account. ``headless`` overrides the setting (a person's login needs a window)."""
    # Playwright takes 0.1 s to import, which `status` need not pay.
    from src.channels.airbnb.channel import AirbnbChannel
    from src.channels.browser import Browser

    shown = settings.headless if headless is None else headless
    browser = Browser(session_dir, headless=shown, executable=executable)
    return AirbnbChannel(settings, browser, evidence_dir=evidence_dir, memory_limit_mb=memory_limit_mb)
