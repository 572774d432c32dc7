"""The Airbnb inbox behind the port ``src/channels/base.py``: reading, writing and evidence put together."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from loguru import logger
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Locator, Page

from src.channels import base, evidence
from src.channels.airbnb import CAPABILITIES, ids, probes, selectors, walls
from src.channels.airbnb.list_reader import ListReader
from src.channels.airbnb.page_errors import PageErrors
from src.channels.airbnb.pages import ComposerState, OpenConversation, on_inbox_address, plain
from src.channels.airbnb.settings import AirbnbSettings
from src.channels.airbnb.thread_reader import ThreadReader
from src.channels.airbnb.visit import Visit
from src.channels.browser import Browser, bounded
from src.channels.screen import Screen
from src.errors import (
    CannotWrite,
    ChannelGone,
    ComposerBusy,
    Halt,
    NotPressed,
    PageChanged,
    TransientError,
)
from src.model.inbox import InboxGlance, SeenConversation
from src.model.sending import Finding, Press, Receipt


class AirbnbChannel:
    """One host's inbox. The port says what each method promises; only what is particular stands here."""

    name = "airbnb"
    capabilities = CAPABILITIES

    RECYCLE_AFTER = 100
    """After this many glances and readings the page is replaced, to keep memory flat. Only between jobs."""
    OLDEST_BROWSER_SEC = 86_400.0
    """The browser is restarted once a day."""
    WEIGH_EVERY_SEC = 30.0
    SETTLED_SEC = 10.0
    """How long after a press the page may take to tell what came of it, and what others wrote meanwhile."""
    YOUNGEST_TO_CLOSE_SEC = 600.0
    """A browser that is too heavy from its beginning is not closed again and again."""

    def __init__(
        self,
        settings: AirbnbSettings,
        browser: Browser,
        *,
        evidence_dir: Path,
        memory_limit_mb: float = math.inf,
    ) -> None:
        self.browser = browser
        self._memory_limit_mb = memory_limit_mb
        self._weighed_at = -math.inf
        self._visit = Visit(browser, settings)
        self._list = ListReader(self._visit)
        self._thread = ThreadReader(self._visit)
        self._evidence_dir = evidence_dir
        self._written: str | None = None
        self._uses = 0

    @property
    def problem(self) -> Halt | None:
        """What stopped this visit, if anything did."""
        return self._visit.problem

    async def stopped_by(self) -> Halt | None:
        """The same after an error, which may be the first sign that the page moves on to a wall."""
        return await self._visit.problem_soon()

    def stop_at(self, halt: Halt) -> None:
        """From now on every call raises this, until the channel is opened again."""
        self._visit.stop_at(halt)

    async def go_offline(self) -> None:
        """No further request leaves the page."""
        await self.browser.go_offline()

    def is_conversation_id(self, external_id: str) -> bool:
        return ids.thread_number(external_id) is not None

    async def open(self) -> None:
        async with PageErrors(self):
            await self.browser.start()
            self._visit.listen()
            await self._visit.go_to_inbox()

    async def open_for_person(
        self, timeout: float, shown: Callable[[base.Screen], None] = lambda _: None
    ) -> None:
        async with PageErrors(self):
            page = await self.browser.start()
        screen = Screen(self.browser.context, page)
        try:
            await page.goto(self._visit.settings.base_url + selectors.INBOX_PATH, wait_until="commit")
            shown(screen)
            deadline = time.monotonic() + timeout
            while time.monotonic() < deadline:
                if await self._person_is_in(page):
                    return
                await asyncio.sleep(1.0)
        except PlaywrightError:
            raise TransientError("The site does not answer.") from None
        finally:
            await screen.stop()
        raise TimeoutError

    async def _person_is_in(self, page: Page) -> bool:
        """The inbox with its list is shown, and no wall. A page that is just moving on is asked again later."""
        if page.is_closed():
            raise ChannelGone("The window was closed.")
        try:
            seen = await probes.look(page, probes.ROWS) if on_inbox_address(page.url) else {}
            return bool(seen.get("rows", {}).get("numbers")) and walls.by_elements(seen["wall"]) is None
        except PlaywrightError:
            return False

    async def close(self) -> None:
        self._thread.forget()
        self._visit.stop_listening()
        await self.browser.stop()

    async def save_login(self) -> Path:
        """Keep the login beside the profile (mode 0600)."""
        async with PageErrors(self):
            return await self.browser.save_login()

    async def worn(self) -> str | None:
        now, since = time.monotonic(), self.browser.started_at
        if since is None:
            return None
        if now - since > self.OLDEST_BROWSER_SEC:
            return "it is a day old"
        if now - since < self.YOUNGEST_TO_CLOSE_SEC or now - self._weighed_at < self.WEIGH_EVERY_SEC:
            return None
        self._weighed_at = now
        weight = await asyncio.to_thread(self.browser.memory_mb)
        return f"it takes {weight:.0f} MB" if weight > self._memory_limit_mb else None

    # -- reading --------------------------------------------------------------------------------------------

    async def glance(self, since: datetime, *, thorough: bool = False) -> InboxGlance:
        async with PageErrors(self):
            self._thread.leave()
            await self._recycle_if_due(self.RECYCLE_AFTER)
            self._visit.tap.raise_problem()
            if not on_inbox_address(self._visit.page.url):
                await self._visit.go_to_inbox()
            glance = await self._list.glance(since, thorough=thorough)
            self._visit.tap.forget()
            return replace(glance, conversations=tuple(self._with_own(c) for c in glance.conversations))

    async def wait_for_news(self, timeout: float) -> bool:
        async with PageErrors(self):
            return await self._list.wait_for_news(timeout)

    async def read(
        self,
        external_id: str,
        *,
        enough: Callable[[SeenConversation], bool] = lambda _: True,
        anew: bool = False,
    ) -> SeenConversation:
        async with PageErrors(self):
            self._written = None
            if not anew:  # twice as long: beside a worker that glances, a glance is the better moment
                await self._recycle_if_due(2 * self.RECYCLE_AFTER)
            return self._with_own(await self._thread.read(external_id, enough=enough, anew=anew))

    async def reread(self, external_id: str) -> SeenConversation:
        async with PageErrors(self):
            view, composer = await self._thread.reread(external_id)
            if self._written is not None and (composer is None or composer.text != plain(self._written)):
                raise TransientError("The composer does not hold the reply any more.")
            return self._with_own(view)

    async def follow(
        self, external_id: str, until: Callable[[SeenConversation], bool], timeout: float
    ) -> SeenConversation | None:
        deadline = time.monotonic() + timeout
        patience = min(1.5, timeout / 4)
        tap = self._visit.tap
        async with PageErrors(self):
            while True:
                view = self._with_own(self._thread.now(external_id))
                if until(view):
                    return view
                left, seq = deadline - time.monotonic(), tap.seq
                if await self._only_one(view, last=left <= 0):
                    continue
                if left <= 0:
                    return None
                told = await tap.wait_for_more(seq, min(patience, left))
                if told or not await self._visit.ask_for_news():
                    await self._visit.check_walls()
                if not told:
                    patience = min(patience * 2, 5.0)

    def _with_own(self, view: SeenConversation) -> SeenConversation:
        return replace(view, made=self._visit.own_sends.made_in(view.external_id))

    async def _only_one(self, view: SeenConversation, *, last: bool) -> bool:
        """Whether the message of the last press is known now, by there being no other that it could be.

        Asked for last of all, when whatever else was on its way has had its time.
        """
        own = self._visit.own_sends.last
        if own is None or own.made is not None or own.conversation != view.external_id:
            return False
        if not last and time.monotonic() - own.pressed_at < self.SETTLED_SEC:
            return False
        if own.emptied is None and own.page == self._visit.this_page:
            composer = await self._composer_now(focus=False)
            own.emptied = composer is not None and composer.text == ""
        if own.emptied:
            own.made = own.only_candidate(view)
        return own.made is not None

    # -- writing --------------------------------------------------------------------------------------------

    async def write(self, external_id: str, text: str) -> None:
        async with PageErrors(self):
            self._thread.here(external_id)
            if await self._write_at_once(external_id, text):
                return
            thread = OpenConversation(self._visit.page)
            composer = await self._composer(thread)
            await self._visit.check_walls()
            self._thread.check_address(external_id)
            await self._insert(thread, composer, text)
            await self._visit.check_walls()
            self._thread.check_address(external_id)
            if await thread.send_button() is None:
                await self._give_up_sending(thread, composer)

    async def clear(self, external_id: str) -> None:
        async with PageErrors(self):
            written, self._written = self._written, None
            self._thread.check_address(external_id)
            thread = OpenConversation(self._visit.page)
            composer = await thread.composer(timeout_ms=1_000)
            if composer is not None and written is not None:
                await thread.empty(composer)

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        async with PageErrors(self):
            try:
                self._thread.check_address(external_id)
            except TransientError as error:
                raise NotPressed(f"Send was not pressed: {error}") from None
            written, self._written = self._written, None
            if written is not None:
                before = self._thread.now(external_id)
                self._visit.own_sends.begin(press, before, written, self._visit.this_page)
            button = self._visit.page.locator(selectors.SEND_BUTTON).locator("visible=true").first
            await button.click(timeout=5_000, no_wait_after=True)
        return None  # what came of it is told in the views of the conversation

    async def find(self, external_id: str, press: Press) -> Finding:  # noqa: ARG002
        return Finding.UNKNOWN  # what the page said of a press is gone with it; the thread is read

    async def evidence(self, label: str) -> str | None:
        try:
            if label == evidence.NOT_UNDERSTOOD and (known := evidence.recent(self._evidence_dir, label)):
                return str(known)
            return str(evidence.keep(self._evidence_dir, label, await self._picture()))
        except (PlaywrightError, ChannelGone, OSError) as error:
            logger.debug("No screenshot: {}", type(error).__name__)
            return None

    async def _picture(self) -> bytes:
        """What the page shows; tried twice, because a page that is just moving on cannot be drawn."""
        try:
            return await bounded(self._visit.page.screenshot(timeout=5_000), 8.0)
        except PlaywrightError:
            return await bounded(self._visit.page.screenshot(timeout=5_000), 8.0)

    async def _write_at_once(self, external_id: str, text: str) -> bool:
        """The usual case in three steps: an empty composer, nothing over it, takes the text, and Send is ready.

        False if anything is not so; what was inserted then is ours and taken out again by the slower way.
        """
        before = await self._composer_now(focus=True)
        self._thread.check_address(external_id)
        if before is None or before.text or not (before.free and before.focused):
            return False
        self._written = text
        await OpenConversation(self._visit.page).insert_here(text)
        after = await self._composer_now(focus=False)
        self._thread.check_address(external_id)
        return after is not None and after.text == plain(text) and after.ready

    async def _composer_now(self, *, focus: bool) -> ComposerState | None:
        return ComposerState.of((await self._visit.look(probes.composer(focus=focus)))["composer"])

    async def _composer(self, thread: OpenConversation) -> Locator:
        composer = await thread.composer()
        if composer is not None:
            return composer
        await self._visit.check_walls()
        if await thread.has_other_editable():
            raise PageChanged("the composer", "the conversation")
        raise CannotWrite

    async def _insert(self, thread: OpenConversation, composer: Locator, text: str) -> None:
        """Insert and read back; an editor that does not take inserted text gets it once more key by key."""
        left_over = await thread.text_in(composer)
        if self._written == text and left_over == plain(text):
            return
        if self._written is None and left_over not in ("", plain(text)):
            raise ComposerBusy
        for insert in (thread.insert, thread.type_keys):
            if (
                left_over or self._written is not None
            ):  # of a try of ours that ended before the press, or just now
                await thread.empty(composer)
            self._written = text
            await insert(composer, text)
            if await thread.text_in(composer) == plain(text):
                return
            await self._visit.check_walls()
        await thread.empty(composer)
        self._written = None
        raise TransientError("The composer does not take the text as it is.")

    async def _give_up_sending(self, thread: OpenConversation, composer: Locator) -> None:
        await self._visit.check_walls()
        await thread.empty(composer)
        self._written = None
        if await self._visit.page.locator(selectors.SEND_BUTTON).count():
            raise TransientError("Send cannot be pressed although the text is there.")
        raise PageChanged("the Send button", "the conversation")

    async def _recycle_if_due(self, most: int) -> None:
        self._uses += 1
        if self._uses > most:
            self._uses = 0
            self._thread.forget()
            await self._visit.tap.settle()
            await self._visit.check_walls()
            await self.browser.fresh_page()
            self._visit.listen()
            await self._visit.go_to_inbox()
