"""Question and answer in one HTTP call: the remote is the waiting caller, and what was said is kept here.

It offers what ``src/channels/registry.py`` asks of a channel's folder. The calls come in at ``src/api/chat.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from src.channels.base import Capabilities, Place
from src.channels.chat.settings import ChatSettings

if TYPE_CHECKING:
    from src.channels.chat.channel import ChatChannel

SETTINGS = ChatSettings
CAPABILITIES = Capabilities(
    watches=False, has_history=False, longest_text=4000, takes_operator=True, ids_are_personal=True
)


def is_conversation_id(external_id: str) -> bool:
    """Whether the text can name a caller's conversation: up to 200 printable characters, no path."""
    return 0 < len(external_id) <= 200 and external_id.isprintable() and "/" not in external_id


def build(settings: ChatSettings, place: Place) -> ChatChannel:
    """The channel of one account; opens nothing."""
    from src.channels.chat.channel import ChatChannel

    return ChatChannel(settings, place)
