"""The Airbnb web inbox as a channel. All knowledge of the site is in this folder.

It offers what ``src/channels/registry.py`` asks of a channel's folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from src.channels.airbnb import ids, selectors
from src.channels.airbnb.settings import AirbnbSettings
from src.channels.base import Capabilities, Place

if TYPE_CHECKING:
    from src.channels.airbnb.channel import AirbnbChannel

SETTINGS = AirbnbSettings
CAPABILITIES = Capabilities(watches=True, takes_operator=True)


def is_conversation_id(external_id: str) -> bool:
    """Whether the text is a conversation id of Airbnb: base64 of ``MessageThread:<number>``."""
    return ids.thread_number(external_id) is not None


def address_of(settings: AirbnbSettings, external_id: str) -> str | None:
    """The page of a conversation (field guide, section 1); None if the text is no id of Airbnb. Pure."""
    number = ids.thread_number(external_id)
    return None if number is None else f"{settings.base_url}{selectors.INBOX_PATH}/{number}"


def build(settings: AirbnbSettings, place: Place) -> AirbnbChannel:
    """The channel of one account. ``place.headless`` overrides the setting (a person's login needs a window)."""
    # Playwright takes 0.1 s to import, which `status` need not pay.
    from src.channels.airbnb.channel import AirbnbChannel
    from src.channels.browser import Browser

    headless = settings.headless if place.headless is None else place.headless
    browser = Browser(
        place.session_dir,
        headless=headless,
        executable=place.executable,
        common=place.common_browser and headless,
    )
    return AirbnbChannel(
        settings, browser, evidence_dir=place.evidence_dir, memory_limit_mb=place.memory_limit_mb
    )
