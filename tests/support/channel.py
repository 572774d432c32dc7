"""A channel on the made-up site, with every kind of trouble that a test may ask for."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from src.channels.base import Capabilities
from src.errors import CannotWrite, ComposerBusy, PermanentError, TransientError
from src.model.inbox import InboxGlance, SeenConversation
from src.model.sending import Finding, Press, Receipt
from tests.support.site import FakeConversation, FakeMessage, FakeSite
from tests.support.troubles import Crash, Troubles

__all__ = ["Crash", "FakeChannel"]

LOOKS_IN_A_FOLLOW = 3


class FakeChannel(Troubles):
    """Behaves as the port promises, but for the troubles. In the middle of ``write`` half of the text is typed."""

    name = "fake"
    capabilities = Capabilities(watches=True)

    def __init__(self, site: FakeSite) -> None:
        super().__init__()
        self.site = site
        self.logins_saved = 0
        self.is_worn: str | None = None
        self.tells_sent_alone = False
        """After a press only the new message is told, not what came meanwhile: a page that fetches nothing more."""
        self._seen: FakeConversation | None = None
        self._oldest: FakeMessage | None = None
        self._last: SeenConversation | None = None
        self._composer = ""
        self._written: str | None = None
        self._news_version = -1
        self.made: dict[str, str] = {}
        """What this channel heard of the messages that its presses made, by the key of the press."""

    # --- the port --------------------------------------------------------------------------------------------

    def is_conversation_id(self, external_id: str) -> bool:
        return external_id.startswith("thread-")

    async def open(self) -> None:
        self.is_open = True
        with self._call("open"):
            self._leave()

    async def open_for_person(self, timeout: float, shown: Any = lambda _: None) -> None:
        await self.open()

    async def close(self) -> None:
        self.calls.append("close")
        self.is_open = False
        self._leave()

    async def glance(self, since: datetime, *, thorough: bool = False) -> InboxGlance:
        with self._call("glance"):
            self._leave()
            site = self.site
            self._news_version = site.version
            newest_first = sorted(site.conversations.values(), key=lambda c: c.last_activity_at, reverse=True)
            told = [c for c in newest_first if c.last_activity_at >= since]
            views = tuple(self._told(site.look(c, opened=False)) for c in told)
            return InboxGlance(site.viewer_id, views, site.list_complete)

    async def wait_for_news(self, timeout: float) -> bool:
        with self._call("wait_for_news"):
            deadline = asyncio.get_running_loop().time() + timeout
            while self.site.version == self._news_version:
                if asyncio.get_running_loop().time() >= deadline:
                    return False
                await asyncio.sleep(min(timeout, 0.005))
            self._news_version = self.site.version
        return True

    async def read(
        self,
        external_id: str,
        *,
        enough: Callable[[SeenConversation], bool] = lambda _: True,
        anew: bool = False,
    ) -> SeenConversation:
        with self._call("read"):
            self._leave()
            found = self.site.conversations.get(external_id)
            if found is None:
                raise PermanentError("The site does not have it.", reason="no_such_conversation")
            view = self._told(self.site.look(found))
            while view.has_older and not enough(view):
                first = _place(found, view)
                older = found.messages[max(0, first - self.site.stretch)]
                view = self._told(self.site.look(found, oldest=older))
            self._seen, self._composer = found, found.draft
            self._oldest = found.messages[_place(found, view)] if view.messages else None
            self._last = view
        return view

    async def write(self, external_id: str, text: str) -> None:
        with self._call("write"):
            here = self._here(external_id)
            if not here.has_composer:
                raise CannotWrite
            if self._composer not in ("", text):
                raise ComposerBusy
            self._written = text
            self._composer = text[: len(text) // 2] if here.takes_text else ""
            self._strike("during", "write", self._count["write"], 0)
            if not here.takes_text:
                self._written = None
                raise TransientError("The composer does not take the text as it is.")
            self._composer = text

    async def clear(self, external_id: str) -> None:
        with self._call("clear"):
            self._here(external_id)
            if self._written is not None:
                self._composer, self._written = "", None

    async def reread(self, external_id: str) -> SeenConversation:
        with self._call("reread"):
            view = self._look(external_id)
            if self._written is not None and self._composer != self._written:
                raise TransientError("The composer does not hold the reply any more.")
        return view

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        with self._call("press_send"):
            here = self._here(external_id)
            text, self._composer, self._written = self._composer, "", None
            message = self.site.press(here, text, self._last)
            if message is not None and self.site.acceptance.named:
                self.made[press.key] = message.external_id
                message.answered = True
        return None

    async def follow(
        self, external_id: str, until: Callable[[SeenConversation], bool], timeout: float
    ) -> SeenConversation | None:
        found = None
        with self._call("follow"):
            for _ in range(LOOKS_IN_A_FOLLOW):
                before, view = self._last, self._look(external_id)
                if self.tells_sent_alone and before is not None and before.newest != view.newest:
                    alone = (*before.messages, view.messages[-1])
                    view = self._last = replace(view, messages=alone, gapless=False)
                if until(view):
                    found = view
                    break
        return found

    async def find(self, external_id: str, press: Press) -> Receipt | Finding:
        with self._call("find"):
            return Finding.UNKNOWN

    async def save_login(self) -> None:
        with self._call("save_login"):
            self.logins_saved += 1

    async def worn(self) -> str | None:
        return self.is_worn

    async def evidence(self, label: str) -> str | None:
        return None

    # --- for tests -------------------------------------------------------------------------------------------

    @property
    def composer(self) -> str:
        """What stands in the composer of the open conversation."""
        return self._composer

    def overwrite(self, text: str) -> None:
        """A person changes what stands in the composer."""
        self._composer = text

    def _look(self, external_id: str) -> SeenConversation:
        self._last = self._told(self.site.look(self._here(external_id), oldest=self._oldest))
        return self._last

    def _told(self, view: SeenConversation) -> SeenConversation:
        return replace(view, made=dict(self.made))

    def _here(self, external_id: str) -> FakeConversation:
        if self._seen is None or self._seen.external_id != external_id:
            raise TransientError("The conversation is not the open one.")
        return self._seen

    def _leave(self) -> None:
        self._seen = self._oldest = self._last = self._written = None
        self._composer = ""


def _place(where: FakeConversation, view: SeenConversation) -> int:
    first = view.messages[0].external_id if view.messages else None
    return next(i for i in itertools.count() if where.messages[i].external_id == first)
