"""A real channel with the troubles that a story asks for, and the time of the story in place of the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from types import ModuleType
from typing import Any
from unittest.mock import patch

import sandbox.whatsapp.cloud
import sandbox.whatsapp.gateways
import src.channels.whatsapp.channel
import src.channels.whatsapp.gateway
import src.services.hearing
from src.channels.base import Channel
from src.db.engine import Database
from src.model.inbox import SeenConversation
from src.model.sending import Finding, Press, Receipt
from src.services.store import StoredHere
from tests.support.troubles import Troubles


class SpoiledChannel(Troubles):
    """A channel of the product. Its steps, and the transactions of its store, may fail; the last views are kept."""

    def __init__(self, real: Channel, store: StoredHere, pressed: Callable[[], None]) -> None:
        """``pressed`` is called after each press, however it ended."""
        super().__init__()
        self._pressed = pressed
        self.real = real
        self._store = store
        self.name = real.name
        self.capabilities = real.capabilities
        self.views: dict[str, SeenConversation] = {}
        """What was last read of each conversation."""
        self.is_conversation_id = real.is_conversation_id

    def work_on(self, db: Database) -> None:
        """From now on the store is on this database (one that fails, maybe)."""
        self._store._db = db

    async def open(self) -> None:
        self.is_open = True
        with self._call("open"):
            await self.real.open()

    async def close(self) -> None:
        self.is_open = False

    async def read(self, external_id: str, **how: Any) -> SeenConversation:
        with self._call("read"):
            await self.real.open()
            self.views[external_id] = await self.real.read(external_id, **how)
            return self.views[external_id]

    async def write(self, external_id: str, text: str) -> None:
        with self._call("write"):
            await self.real.write(external_id, text)
            self._strike("during", "write", self._count["write"], 0)

    async def clear(self, external_id: str) -> None:
        with self._call("clear"):
            await self.real.clear(external_id)

    async def reread(self, external_id: str) -> SeenConversation:
        with self._call("reread"):
            self.views[external_id] = await self.real.reread(external_id)
            return self.views[external_id]

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        with self._call("press_send"):
            try:
                return await self.real.press_send(external_id, press)
            finally:
                self._pressed()

    async def follow(
        self, external_id: str, until: Callable[[SeenConversation], bool], timeout: float
    ) -> SeenConversation | None:
        with self._call("follow"):
            return await self.real.follow(external_id, until, timeout)

    async def find(self, external_id: str, press: Press) -> Receipt | Finding:
        with self._call("find"):
            await self.real.open()
            return await self.real.find(external_id, press)


class StoryTime:
    """What a module sees in place of ``time``: the clock of the story, and a sleep that takes no time."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._last = clock()
        self._passed = 0.0

    def time(self) -> float:
        return self._clock().timestamp()

    def monotonic(self) -> float:
        now = self._clock()
        self._passed += max(0.0, (now - self._last).total_seconds())
        self._last = now
        return self._passed

    def sleep(self, seconds: float) -> None:
        self._passed += seconds


@contextmanager
def time_of_the_story(clock: Callable[[], datetime]) -> Iterator[None]:
    """The channels, and the sandbox's services, live in the story's time."""

    class Moment(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return clock().astimezone(tz)

    given: list[tuple[ModuleType, str, Any]] = [
        (src.channels.whatsapp.channel, "time", StoryTime(clock)),
        (src.channels.whatsapp.channel, "datetime", Moment),
        (src.channels.whatsapp.gateway, "time", StoryTime(clock)),
        (src.services.hearing, "time", StoryTime(clock)),
        (sandbox.whatsapp.cloud, "time", StoryTime(clock)),
        (sandbox.whatsapp.gateways, "time", StoryTime(clock)),
    ]
    patches = [patch.object(module, name, made) for module, name, made in given]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()
