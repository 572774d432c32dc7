"""What the API asks of a remote view. ``src/workers/remote.py`` is one; it is handed in, as it drives a browser."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from src.model.remote import Gesture, Link, Picture, RemoteState


class RemoteView(Protocol):
    """One browser, shown to one person. Every refusal is a ``LinkRefused``. Links and keys end with their halt."""

    @property
    def state(self) -> RemoteState:
        """How far it has come."""
        ...

    async def link(self, account: str | None = None) -> Link:
        """A new one-time link, for the named account (default: the first); the one before it is void."""
        ...

    async def enter(self, token: str) -> str:
        """Use a link up; returns the viewer's key."""
        ...

    async def check(self, viewer: str) -> None:
        """Refuses everyone but the viewer who was let in."""
        ...

    async def again(self, viewer: str) -> None:
        """Open the browser once more for the same person."""
        ...

    def watch(self, viewer: str) -> AsyncGenerator[Picture | RemoteState]:
        """State and pictures. Another watch of the same viewer ends this one."""
        ...

    async def act(self, viewer: str, gestures: list[Gesture]) -> None:
        """What the person did."""
        ...

    async def finish(self, viewer: str) -> None:
        """The person says that the inbox is there."""
        ...
