"""A visit to the inbox: the page, what it has told since it was loaded, and where it stands."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, NoReturn

from loguru import logger
from playwright.async_api import Page

from src.channels.airbnb import probes, selectors, walls
from src.channels.airbnb.comebacks import Comebacks
from src.channels.airbnb.coverage import Coverage
from src.channels.airbnb.own_sends import OwnSends
from src.channels.airbnb.pages import on_inbox_address
from src.channels.airbnb.settings import AirbnbSettings, is_own_host
from src.channels.airbnb.wiretap import Wiretap
from src.channels.browser import Browser, bounded
from src.errors import ChannelGone, Halt, NotUnderstood, PageChanged, TransientError
from src.model.inbox import SeenConversation


class Visit:
    """Owns the wiretap of the browser's page. Everything that reads or writes goes through it."""

    LOAD_SEC = 30.0
    """How long the inbox may take to appear, two looks together."""
    REFRESH_SEC = 2.5
    """How long the page may take to fetch its news when asked gently, before it is reloaded."""
    PROMPT_SEC = 0.5
    """A page that reacts to being asked begins to fetch within this time; a later fetch has another cause.

    Measured: a page that reacts has begun when the script that asked it returns, or some milliseconds later.
    """

    MOVING_SEC = 0.3
    """How long after an error the page is watched for a wall that it moves on to."""

    def __init__(self, browser: Browser, settings: AirbnbSettings) -> None:
        self.browser = browser
        self.settings = settings
        self.own_sends = OwnSends()
        self.known: dict[str, SeenConversation] = {}
        """Conversations of the list since the page was loaded, as last told."""
        self.coverage = Coverage()
        self.taken_seq = 0
        """Everything told up to this seq is in ``known`` and ``coverage``."""
        self.fresh: set[int] = set()
        """Conversations told since the last glance: these must have their rows."""
        self.loaded_at_seq = 0
        self.list_told_at = 0.0
        """Monotonic time at which the page last told the list."""
        self.comebacks = Comebacks()
        self._tap: Wiretap | None = None
        self._going_offline: asyncio.Task[None] | None = None

    @property
    def page(self) -> Page:
        return self.browser.page

    @property
    def this_page(self) -> tuple[Page, int]:
        """Equal as long as the page has not been reloaded."""
        return self.page, self.loaded_at_seq

    @property
    def tap(self) -> Wiretap:
        if self._tap is None:
            raise ChannelGone("The inbox is not open.")
        return self._tap

    @property
    def problem(self) -> Halt | None:
        """The wall or unknown answer that was noticed, if any."""
        return self._tap.problem if self._tap else None

    async def problem_soon(self) -> Halt | None:
        """``problem``, with a moment for a page that is just moving on."""
        if self._tap is not None:
            with contextlib.suppress(Halt):
                await self._tap.wait(lambda: False, self.MOVING_SEC)
        return self.problem

    def stop_at(self, halt: Halt) -> None:
        """Remember what stopped us; every later look raises it again."""
        if self._tap is not None and self._tap.problem is None:
            self._tap.problem = halt

    @property
    def refreshes_gently(self) -> bool:
        """Whether there is a way left of making this page fetch its news without reloading it."""
        return self.comebacks.way is not None

    def listen(self) -> None:
        """Attach to the browser's page, which is new. What stopped the old one stops this one."""
        problem = self.problem
        self.stop_listening()
        self._tap = Wiretap(self.page, self.is_own_host, self._cut_off, self.own_sends)
        self._tap.problem = problem
        self.comebacks = Comebacks()
        self._forget_page()

    def stop_listening(self) -> None:
        """Detach; may be called twice."""
        if self._tap is not None:
            self._tap.detach()
        self._tap = None
        self._forget_page()

    def is_own_host(self, url: str) -> bool:
        return is_own_host(url, self.settings.base_url)

    async def go(self, path: str) -> None:
        """Load a page of the site by address."""
        await self.tap.all_answered(self.REFRESH_SEC)
        self.tap.raise_problem()
        self._forget_page()
        response = await self.page.goto(
            self.settings.base_url.rstrip("/") + path,
            wait_until="domcontentloaded",
            timeout=self.LOAD_SEC * 1000,
        )
        self.tap.raise_problem()
        if response is not None and response.status >= 400:
            wall = await walls.by_words(self.page)
            if wall is not None:
                raise wall
            raise TransientError(f"The page answered {response.status}.")

    async def go_to_inbox(self) -> None:
        """Load the inbox and prove it: right address, list on the page, list in the data (walls.py, rule 4)."""
        for look in range(2):
            await self.go(selectors.INBOX_PATH)
            if await self._inbox_appears(self.LOAD_SEC / 2):
                return
            await self.check_walls()
            if self.tap.troubles_since(self.loaded_at_seq):
                break
            logger.debug("The inbox did not appear (look {})", look + 1)
        await self._explain_missing_inbox()

    def raise_trouble(self, what: str) -> None:
        """Raise NotUnderstood (TransientError if the site itself failed) if an answer was of no use."""
        trouble = self.tap.trouble_since(self.loaded_at_seq, what)
        if trouble is not None:
            raise trouble

    async def check_walls(self) -> None:
        """Raise the wall that was met or is shown."""
        await self.look()

    async def look(self, *questions: probes.Question) -> dict[str, Any]:
        """The answers to these questions by name; raises the wall that was met or is shown. One round trip."""
        self.tap.raise_problem()
        wall = walls.by_address(self.page.url)
        if wall is not None:
            raise wall
        answers = await bounded(probes.look(self.page, *questions))
        wall = walls.by_elements(answers["wall"])
        if wall is not None:
            raise wall
        return answers

    async def ask_for_news(self) -> bool:
        """Ask the page, as by coming back to it, to fetch its news; False if it is known not to react.

        Raises the wall that is shown: then nothing is asked.
        """
        way = self.comebacks.way
        if way is not None:
            await self.look(probes.come_back(way))
        return way is not None

    async def try_news(self) -> bool:
        """Ask for news once, in the way that works here or is tried next; True if the list was told again.

        What is told was asked after this call began. A page that does not begin to fetch is not waited for.
        """
        tap = self.tap
        await tap.all_answered(self.REFRESH_SEC)
        start, began = tap.seq, time.monotonic()
        if not await self.ask_for_news():
            return False
        until = time.monotonic() + self.PROMPT_SEC
        asks = await tap.wait(lambda: tap.asked_since(began), self.PROMPT_SEC)
        told = asks and await tap.wait_for_list(start, self.REFRESH_SEC)
        if told or not asks:  # else it did ask; that the site said nothing, or too late, is another matter
            self.comebacks.learn(answered=told and tap.list_asked_within(began, until))
        return told

    async def refresh_gently(self) -> bool:
        """Have the page fetch its list without reloading it; remembers which way works here, if any."""
        while self.refreshes_gently:
            way = self.comebacks.way
            if await self.try_news():
                return True
            if way == self.comebacks.way:
                return False  # it has worked before, or the site is in trouble: no reason to try another way
        return False

    def _forget_page(self) -> None:
        self.known.clear()
        self.coverage = Coverage()
        self.fresh.clear()
        self.loaded_at_seq = self.taken_seq = self._tap.seq if self._tap else 0
        self.list_told_at = 0.0

    def _cut_off(self) -> None:
        """A wall was met: from here on nothing more may reach the site (contract, promise 6)."""
        self._going_offline = asyncio.get_running_loop().create_task(self.browser.go_offline())

    async def _inbox_appears(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            rows = (await self.look(probes.ROWS))["rows"]
            if self.tap.lists_since(self.loaded_at_seq) and on_inbox_address(self.page.url) and rows["list"]:
                return True
            seq = self.tap.seq
            await self.tap.wait_for_more(seq, 0.25)
        return False

    async def _explain_missing_inbox(self) -> NoReturn:
        if not on_inbox_address(self.page.url):
            raise PageChanged("the inbox", f"the address (its path should begin with {selectors.INBOX_PATH})")
        state = (await self.look(probes.ROWS))["rows"]
        if not state["list"]:
            wall = await walls.by_words(self.page)
            if wall is not None:
                raise wall
        told = bool(self.tap.lists_since(self.loaded_at_seq))
        self.raise_trouble("The inbox")
        if state["blank"]:
            raise NotUnderstood("The inbox did not load: the page is blank.")
        if told or (not state["list"] and state["complete"]):
            raise PageChanged("the list of conversations", "the inbox")
        raise NotUnderstood("The inbox did not load: the data of the list did not come.")
