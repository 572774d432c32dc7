"""The screen of the remote view on a browser that is played: what is shown while windows open and close."""

import asyncio
import base64

from playwright.async_api import Error as PlaywrightError

from src.channels.screen import Screen
from tests.support.waiting import until


class Heard:
    """Something that tells of events."""

    def __init__(self):
        self.listeners = {}

    def on(self, event, listener):
        self.listeners.setdefault(event, []).append(listener)

    def tell(self, event, *about):
        for listener in self.listeners.get(event, []):
            listener(*about)


class PlayedSession(Heard):
    """Draws one picture when asked to show, and another when told to. Leaving it may take a while."""

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.may_leave = asyncio.Event()
        self.may_leave.set()
        self.taken = []

    async def send(self, method, params):
        if method == "Page.startScreencast":
            self.draw(1)
        elif method == "Page.screencastFrameAck":
            self.taken.append(params["sessionId"])

    async def detach(self):
        await self.may_leave.wait()

    def draw(self, number):
        data = base64.b64encode(f"{self.name}-{number}".encode()).decode()
        metadata = {"deviceWidth": 390, "deviceHeight": 700}
        self.tell("Page.screencastFrame", {"data": data, "metadata": metadata, "sessionId": number})


class PlayedPage(Heard):
    viewport_size = None
    url = "https://www.airbnb.com/login"

    def __init__(self, name, *, closing=False):
        super().__init__()
        self.session = PlayedSession(name)
        self.closing = closing

    async def bring_to_front(self):
        if self.closing:
            raise PlaywrightError("Target page, context or browser has been closed")

    async def set_viewport_size(self, size):
        pass


class PlayedContext(Heard):
    async def new_cdp_session(self, page):
        return page.session

    def remove_listener(self, event, listener):
        self.listeners[event].remove(listener)


async def test_a_window_that_opens_while_a_picture_waits_does_not_end_the_pictures():
    first, second = PlayedPage("first"), PlayedPage("second")
    context = PlayedContext()
    screen = Screen(context, first)
    pictures = screen.pictures()
    assert (await anext(pictures)).image == b"first-1"
    first.session.draw(2)  # not taken yet when the window opens
    first.session.may_leave.clear()
    context.tell("page", second)
    await until(lambda: screen._newest is None)
    following = asyncio.ensure_future(anext(pictures))
    await until(lambda: first.session.taken == [1])
    first.session.may_leave.set()
    assert (await following).image == b"second-1"
    second.tell("close", second)
    assert (await anext(pictures)).image == b"first-1", "back on the first page"
    first.tell("close", first)
    assert [picture async for picture in pictures] == []


async def test_a_viewer_who_comes_while_a_window_closes_sees_the_one_behind_it():
    first, second = PlayedPage("first"), PlayedPage("second", closing=True)
    context = PlayedContext()
    screen = Screen(context, first)
    context.tell("page", second)
    pictures = screen.pictures()
    seen = asyncio.ensure_future(anext(pictures))
    await asyncio.sleep(0)
    second.tell("close", second)
    assert (await seen).image == b"first-1"
    await screen.stop()


async def test_a_second_viewer_gets_the_page_and_the_first_no_more():
    page = PlayedPage("page")
    screen = Screen(PlayedContext(), page)
    old, new = screen.pictures(), screen.pictures()
    assert (await anext(old)).image == b"page-1"
    waiting = asyncio.ensure_future(anext(old, None))
    await until(lambda: page.session.taken == [1])
    assert (await anext(new)).image == b"page-1"
    assert await waiting is None
    await screen.stop()
