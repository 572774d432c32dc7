"""How channels read that have no page: a conversation as it is stored here, and a proof that is waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from src.channels.base import Store
from src.errors import PermanentError
from src.model.inbox import SeenConversation

FIRST_LOOK = 50
"""How many of the newest messages are read first; four times as many each time that is not far enough."""


async def stored_view(
    store: Store, external_id: str, most: int = FIRST_LOOK, *, lacking: str | None = None
) -> SeenConversation:
    """The newest ``most`` messages that are stored. PermanentError (``no_such_conversation``, in the words of
    ``lacking``) if nothing was ever heard of it. Repeatable.
    """
    view = await store.view(external_id, most)
    if view is None:
        raise PermanentError(lacking, reason="no_such_conversation")
    return view


async def read_stored(
    store: Store, external_id: str, enough: Callable[[SeenConversation], bool], *, lacking: str | None = None
) -> SeenConversation:
    """The same, back until ``enough`` holds or the beginning is reached. Repeatable."""
    most = FIRST_LOOK
    view = await stored_view(store, external_id, most, lacking=lacking)
    while view.has_older and not enough(view):
        most *= 4
        view = await stored_view(store, external_id, most, lacking=lacking)
    return view


async def follow_by_reading(
    reread: Callable[[], Awaitable[SeenConversation]],
    until: Callable[[SeenConversation], bool],
    timeout: float,
    every: float,
) -> SeenConversation | None:
    """Read again, at most ``every`` seconds apart, until ``until`` holds; None after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        view = await reread()
        if until(view):
            return view
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        await asyncio.sleep(min(left, every))
