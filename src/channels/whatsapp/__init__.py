"""WhatsApp, by Meta's Cloud API or a gateway. All knowledge of the service is in this folder.

It offers what ``src/channels/registry.py`` asks of a channel's folder. The service calls ``/hooks/<account>``.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from src.channels.base import Capabilities, Place
from src.channels.whatsapp.settings import WhatsappSettings

if TYPE_CHECKING:
    from src.channels.whatsapp.channel import WhatsappChannel

SETTINGS = WhatsappSettings
CAPABILITIES = Capabilities(
    watches=False,
    hears=True,
    has_history=False,
    shows_typing=True,
    fetches=True,
    bubbles=3,
    gap_sec=6.0,
    longest_text=4096,
    tells_delivery=True,
    takes_operator=True,
    at_once=8,
    answers_within=timedelta(hours=24),
    ids_are_personal=True,
)
"""``gap_sec``: one message in 6 s to one person; ``longest_text``: a text's body; ``answers_within``: the customer
service window (Meta's Cloud API documentation: Throughput, Text messages, Sending messages). ``at_once`` is ours.
"""

_NUMBER = re.compile(r"[1-9][0-9]{7,19}")
_HIDDEN = re.compile(r"[0-9]{5,20}@lid")
"""A person who hides the number, as WhatsApp's own clients know them."""
_USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[0-9A-Za-z]{1,128}")
"""Meta's business-scoped user id: a person who hides the number behind a username (documentation of May 2026)."""


def is_conversation_id(external_id: str) -> bool:
    """Whether the text can name a person: the digits of a number, or an id that stands for a hidden number."""
    return any(one.fullmatch(external_id) for one in (_NUMBER, _USER_ID, _HIDDEN))


def build(settings: WhatsappSettings, place: Place) -> WhatsappChannel:
    """The channel of one account; opens nothing. SettingsError names what the chosen mode lacks."""
    # The HTTP client takes its time to load, which `status` need not pay.
    if settings.mode != "cloud":
        from src.channels.whatsapp.gateway import GatewayChannel

        return GatewayChannel(settings, place)
    from src.channels.whatsapp.channel import WhatsappChannel

    return WhatsappChannel(settings, place)
