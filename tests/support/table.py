"""A channel whose remote is a table, in memory: own ids, compare-and-insert, a sure answer to ``find``.

What ``src/channels/pgnotify`` is on a real database; the services are tested on this one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid5

from src.channels.base import Capabilities
from src.errors import NotPressed
from src.model.inbox import InboxGlance, SeenConversation
from src.model.sending import Finding, Press, Receipt
from tests.support.channel import FakeChannel
from tests.support.site import FakeConversation, FakeSite

T = TypeVar("T")
NAMESPACE = UUID("7a4f6a80-19a5-4c2c-9c5d-2f4f5d0e6f11")


class TableChannel(FakeChannel):
    """Presses only if nothing stands there that was not read, and can always say what became of a press."""

    name = "table"
    capabilities = Capabilities(watches=True, takes_key=True, compares=True)

    async def glance(self, since: datetime, *, thorough: bool = False) -> InboxGlance:
        glance = await super().glance(since, thorough=thorough)
        found = (self.site.conversations[c.external_id] for c in glance.conversations)
        return replace(glance, conversations=tuple(self._whole(self.site.look(c), c) for c in found))

    async def read(
        self,
        external_id: str,
        *,
        enough: Callable[[SeenConversation], bool] = lambda _: True,
        anew: bool = False,
    ) -> SeenConversation:
        view = await super().read(external_id, enough=enough, anew=anew)
        self._last = self._whole(view, self._here(external_id))
        return self._last

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        with self._call("press_send"):
            here = self._here(external_id)
            text, self._composer, self._written = self._composer, "", None
            if self._last is None or self._last.version != _version(here):
                raise NotPressed("There is something in the conversation that was not read.")
            self._strike("during", "press_send", self._count["press_send"], 0)
            # What a table takes it shows at once, and what it refuses it says.
            self.site.acceptance = replace(self.site.acceptance, hidden_for=0, named=False)
            if not self.site.acceptance.taken:
                raise NotPressed("The table did not take it.")
            message = self.site.press(here, text, self._last, external_id=_id_of(press))
        return Receipt(_id_of(press), message.sent_at) if message else None

    async def find(self, external_id: str, press: Press) -> Receipt | Finding:
        with self._call("find"):
            there = self.site.conversations[external_id].messages
            found = next((m for m in there if m.external_id == _id_of(press)), None)
        return Receipt(found.external_id, found.sent_at) if found else Finding.NOT_SENT

    def _look(self, external_id: str) -> SeenConversation:
        self._last = self._whole(super()._look(external_id), self._here(external_id))
        return self._last

    @staticmethod
    def _whole(view: SeenConversation, where: FakeConversation) -> SeenConversation:
        return replace(view, version=_version(where), compared=True)


class WideChannel(TableChannel):
    """The same with several conversations in hand: what is ready in one stays while another one is read."""

    name = "wide"
    capabilities = replace(TableChannel.capabilities, at_once=4)
    pause: Callable[[], Awaitable[None]] | None = None
    """Awaited before each step, where a test wants that."""
    _OF_ONE = ("_seen", "_oldest", "_last", "_composer", "_written")

    def __init__(self, site: FakeSite) -> None:
        super().__init__(site)
        self._others: dict[str, dict[str, Any]] = {}
        self.in_hand: set[str] = set()
        """Conversations with something ready to be sent."""
        self.most_in_hand = 0

    async def glance(self, since: datetime, *, thorough: bool = False) -> InboxGlance:
        self._others.clear()
        return await super().glance(since, thorough=thorough)

    async def close(self) -> None:
        self._others.clear()
        self.in_hand.clear()
        await super().close()

    async def read(self, external_id: str, **how: Any) -> SeenConversation:
        return await self._in(external_id, super().read(external_id, **how))

    async def write(self, external_id: str, text: str) -> None:
        await self._in(external_id, super().write(external_id, text))
        self.in_hand.add(external_id)
        self.most_in_hand = max(self.most_in_hand, len(self.in_hand))

    async def clear(self, external_id: str) -> None:
        await self._in(external_id, super().clear(external_id))

    async def reread(self, external_id: str) -> SeenConversation:
        return await self._in(external_id, super().reread(external_id))

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        self.in_hand.discard(external_id)
        return await self._in(external_id, super().press_send(external_id, press))

    async def follow(self, external_id: str, *how: Any) -> SeenConversation | None:
        return await self._in(external_id, super().follow(external_id, *how))

    async def _in(self, external_id: str, step: Coroutine[Any, Any, T]) -> T:
        if self.pause is not None:
            try:
                await self.pause()
            except BaseException:
                step.close()
                raise
        kept = {name: getattr(self, name) for name in self._OF_ONE}
        empty = {name: "" if name == "_composer" else None for name in self._OF_ONE}
        self.__dict__ |= self._others.get(external_id, empty)
        try:
            return await step  # it waits for nothing, so no other step comes between
        finally:
            self._others[external_id] = {name: getattr(self, name) for name in self._OF_ONE}
            self.__dict__ |= kept


def _id_of(press: Press) -> str:
    return str(uuid5(NAMESPACE, press.key))


def _version(where: FakeConversation) -> str:
    """Of everything that stands there, in no order."""
    lines = sorted(f"{m.external_id}|{m.text}|{m.edited_at}|{m.deleted}" for m in where.messages)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
