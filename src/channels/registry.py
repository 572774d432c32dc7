"""Finds a channel by its name, so that a further one needs no edit in the core.

What a channel's package offers is ``ChannelFolder``.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from src.channels.base import Capabilities, Channel, Place
from src.settings import Variables

DEFAULT_CHANNEL = "airbnb"


class ChannelFolder(Protocol):
    """What the package of a channel offers."""

    SETTINGS: type[Variables]
    """Its variables, with a prefix of their own."""
    CAPABILITIES: Capabilities
    """What its channels can do, known before one is made."""

    def build(self, settings: Any, place: Place) -> Channel:
        """A channel of one account; opens nothing yet."""
        ...

    def is_conversation_id(self, external_id: str) -> bool:
        """Whether the text has the form of the remote's conversation ids. Pure; needs no connection."""
        ...


def find(name: str = DEFAULT_CHANNEL) -> ChannelFolder:
    """The package of a channel: a folder beside this file, or a package elsewhere by its dotted name.

    ModuleNotFoundError if there is none of that name.
    """
    return cast("ChannelFolder", import_module(name if "." in name else f"src.channels.{name}"))


def address_of(name: str, settings: Any, external_id: str) -> str | None:
    """Where a person sees a conversation on the remote's own pages; None for a channel that has none. Pure.

    A folder that has such pages offers ``address_of(settings, external_id)``.
    """
    made = getattr(find(name), "address_of", None)
    return None if made is None else cast("str | None", made(settings, external_id))


def ids_are_personal(name: str) -> bool:
    """Whether a conversation's id of this channel is a phone number or the like: forgotten with the rest."""
    return find(name).CAPABILITIES.ids_are_personal


def names() -> list[str]:
    """The channels whose folders are here."""
    return sorted(place.parent.name for place in Path(__file__).parent.glob("*/settings.py"))
