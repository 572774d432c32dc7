"""A browser without a window, shown to one person far away and driven by that person's hands.

    Chromium ── Page.screencastFrame ──▶ the newest picture ──▶ pictures()
             ◀── mouse, keyboard, touch, text ────────────────── act()

Nothing is kept: a picture is forgotten when the next one is there, a gesture when it is done. Nothing here acts by
itself, and there is no way to enter an address: the person goes where the pages' own links lead.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable
from typing import Any
from urllib.parse import urlsplit

from loguru import logger
from playwright.async_api import BrowserContext, CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from src.channels.browser import bounded
from src.errors import ChannelGone
from src.model.remote import Gesture, Key, Mouse, Picture, Size, Text, Touch

JPEG_QUALITY = 60
SMALLEST, LARGEST = (320, 320), (1600, 1600)
_ACT_SEC = 10.0
_TYPED_KEY_BY_KEY = 64


class Screen:
    """Shows the newest page of a context (a login may open a window of its own) to one person at a time."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self._context = context
        self._pages = [page]
        self._session: CDPSession | None = None
        self._size = Size(**(page.viewport_size or {"width": 1280, "height": 900}))
        self._newest: tuple[Picture, CDPSession, int] | None = None
        self._more = asyncio.Event()
        self._changing = asyncio.Lock()
        self._at = (0.0, 0.0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._takers = 0
        self._stopped = False
        context.on("page", self._opened)
        page.on("close", self._closed)

    @property
    def place(self) -> str:
        """Where the page is: scheme and host, so that nobody types a password into a stranger's page."""
        try:
            parts = urlsplit(self._page.url)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
        except (ChannelGone, ValueError):
            return ""

    async def pictures(self) -> AsyncIterator[Picture]:
        """Each picture that the page draws, the newest only if the taker is slow. Ends when the browser does.

        A new taker gets the whole page at once; the one before it gets no more.
        """
        self._takers += 1
        mine = self._takers
        await self._quietly(self._show())
        while self._pages and not self._stopped:
            await self._more.wait()
            if self._takers != mine:
                return
            self._more.clear()
            newest, self._newest = self._newest, None
            if newest is None:
                continue
            picture, session, number = newest
            yield picture
            # If the page has just been left for another one, nobody takes this, and that one shows itself.
            await self._quietly(
                bounded(session.send("Page.screencastFrameAck", {"sessionId": number}), _ACT_SEC)
            )

    async def act(self, gestures: list[Gesture]) -> None:
        """Do what the person did, in this order. What the page does not take is left out. Raises ChannelGone."""
        for gesture in gestures:
            try:
                await bounded(self._do(self._page, gesture), _ACT_SEC)
            except PlaywrightError as error:
                # Never the error itself: it may quote what was typed.
                logger.debug("The page did not take a {}: {}", type(gesture).__name__, type(error).__name__)

    async def stop(self) -> None:
        """No more pictures. Never raises."""
        self._stopped = True
        self._context.remove_listener("page", self._opened)
        await self._leave()
        self._more.set()

    @property
    def _page(self) -> Page:
        if not self._pages:
            raise ChannelGone
        return self._pages[-1]

    # --- which page ------------------------------------------------------------------------------------------

    def _opened(self, page: Page) -> None:
        self._pages.append(page)
        page.on("close", self._closed)
        self._show_later()

    def _closed(self, page: Page) -> None:
        if page in self._pages:
            self._pages.remove(page)
        if self._pages:
            self._show_later()
        else:
            self._session = None
            self._more.set()

    def _show_later(self) -> None:
        task = asyncio.ensure_future(self._quietly(self._show()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _quietly(work: Awaitable[Any]) -> None:
        """What a page that is just being closed, or does not answer, does not take is left out."""
        try:
            await work
        except (PlaywrightError, ChannelGone) as error:
            logger.debug("A page of the remote view: {}", type(error).__name__)

    async def _show(self) -> None:
        async with self._changing:
            await self._leave()
            page = self._page
            await bounded(page.bring_to_front())
            await bounded(page.set_viewport_size({"width": self._size.width, "height": self._size.height}))
            session = await bounded(self._context.new_cdp_session(page))
            session.on("Page.screencastFrame", lambda frame: self._told(session, frame))
            self._session = session
            largest = {"maxWidth": LARGEST[0], "maxHeight": LARGEST[1]}
            await bounded(
                session.send("Page.startScreencast", {"format": "jpeg", "quality": JPEG_QUALITY, **largest})
            )

    def _told(self, session: CDPSession, frame: dict[str, Any]) -> None:
        if session is not self._session:
            return
        about = frame["metadata"]
        jpeg = base64.b64decode(frame["data"])
        picture = Picture(jpeg, round(about["deviceWidth"]), round(about["deviceHeight"]))
        self._newest = (picture, session, frame["sessionId"])
        self._more.set()

    async def _leave(self) -> None:
        session, self._session, self._newest = self._session, None, None
        if session is not None:
            await self._quietly(bounded(session.detach(), 3.0))

    # --- what the person does --------------------------------------------------------------------------------

    async def _do(self, page: Page, gesture: Gesture) -> None:
        match gesture:
            case Mouse():
                await self._mouse(page, gesture)
            case Touch():
                await self._touch(gesture)
            case Key():
                held = [name for name, on in (("Shift", gesture.shift), ("Control", gesture.control)) if on]
                await page.keyboard.press("+".join([*held, gesture.name]))
            case Text():
                if gesture.pasted or len(gesture.text) > _TYPED_KEY_BY_KEY:
                    await page.keyboard.insert_text(gesture.text)
                else:
                    await page.keyboard.type(gesture.text)
            case Size():
                self._size = Size(
                    min(max(gesture.width, SMALLEST[0]), LARGEST[0]),
                    min(max(gesture.height, SMALLEST[1]), LARGEST[1]),
                )
                await self._show()

    async def _mouse(self, page: Page, mouse: Mouse) -> None:
        at = self._on_page(mouse.x, mouse.y)
        if at != self._at or mouse.kind == "move":
            self._at = at
            await page.mouse.move(*at)
        if mouse.kind == "down":
            await page.mouse.down()
        elif mouse.kind == "up":
            await page.mouse.up()
        elif mouse.kind == "wheel":
            await page.mouse.wheel(mouse.dx, mouse.dy)

    async def _touch(self, touch: Touch) -> None:
        if self._session is None:
            return
        x, y = self._on_page(touch.x, touch.y)
        kind = {"start": "touchStart", "move": "touchMove", "end": "touchEnd"}[touch.kind]
        points = [] if touch.kind == "end" else [{"x": x, "y": y}]
        await self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def _on_page(self, x: float, y: float) -> tuple[float, float]:
        return round(x * (self._size.width - 1), 1), round(y * (self._size.height - 1), 1)
