"""The live channel: tells open pages that something changed (field guide, section 6).

The payload of the real one is unknown, so this one says no more than which thread; the page then asks again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

HEARTBEAT_SECONDS = 15.0


class Hub:
    """Sends messages to everybody who listens. Use it only inside the server's loop."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[dict[str, Any] | None]] = set()

    @property
    def listeners(self) -> int:
        """How many pages are connected."""
        return len(self._queues)

    def publish(self, message: dict[str, Any]) -> None:
        """Send to all."""
        for queue in self._queues:
            queue.put_nowait(message)

    def close(self) -> None:
        """End every stream."""
        for queue in self._queues:
            queue.put_nowait(None)

    async def stream(self) -> AsyncIterator[str]:
        """Server-sent events, one for each message, until closed."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield ": connected\n\n"
            while True:
                try:
                    message = await asyncio.wait_for(queue.get(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if message is None:
                    return
                yield f"data: {json.dumps(message)}\n\n"
        finally:
            self._queues.discard(queue)
