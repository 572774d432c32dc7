"""Finds a channel by the name of its folder, so that a further site needs no edit in the core.

What a channel's package offers is ``ChannelFolder``.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from src.channels.base import Channel
from src.settings import Variables

DEFAULT_CHANNEL = "airbnb"


class ChannelFolder(Protocol):
    """What the package of a channel offers."""

    SETTINGS: type[Variables]
    """Its variables, with a prefix of their own."""

    def build(
        self,
        settings: Any,
        *,
        session_dir: Path,
        executable: str | None,
        evidence_dir: Path,
        memory_limit_mb: float = ...,
        headless: bool | None = None,
    ) -> Channel:
        """A channel on the saved login in ``session_dir``, worn when its browser takes more memory than the limit.
        ``headless`` None: as the settings say.
        """
        ...

    def is_conversation_id(self, external_id: str) -> bool:
        """Whether the text has the form of the site's conversation ids. Pure; needs no browser."""
        ...


def find(name: str = DEFAULT_CHANNEL) -> ChannelFolder:
    """The package of a channel. ModuleNotFoundError if there is none of that name."""
    return cast("ChannelFolder", import_module(f"src.channels.{name}"))
