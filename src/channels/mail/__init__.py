"""Mail, out only: confirmations from the host's own templates. Nothing is read, and no AI writes here.

It offers what ``src/channels/registry.py`` asks of a channel's folder. Jobs come from ``POST /api/mail``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from src.channels.base import Capabilities, Place
from src.channels.mail.settings import MailSettings
from src.channels.mail.wire import is_address

if TYPE_CHECKING:
    from src.channels.mail.channel import MailChannel

SETTINGS = MailSettings
CAPABILITIES = Capabilities(
    watches=False, has_history=False, longest_text=100_000, starts=True, ids_are_personal=True
)


def is_conversation_id(external_id: str) -> bool:
    """Whether the text is a plain mail address."""
    return is_address(external_id)


def build(settings: MailSettings, place: Place) -> MailChannel:
    """The channel of one account; connects to nothing. SettingsError names what is missing."""
    from src.channels.mail.channel import MailChannel

    return MailChannel(settings, place)
