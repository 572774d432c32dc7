"""The remote view without a browser: who is let in, who is not, what ends it, and what no error repeats."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from httpx import ASGITransport

from src.api.remote.app import create_remote_app
from src.api.server import serve
from src.channels.base import Screen
from src.db import accounts
from src.errors import ExitCode, WallHit
from src.model.remote import Key, LinkRefused, Mouse, Picture, Size, Stage, Text
from src.services.after_halt import end_halt
from src.settings import Settings
from src.workers import lifecycle
from src.workers.remote import Remote, RemotePace
from tests.fakes.waiting import until
from tests.integration.api_support import ACCOUNT
from tests.integration.api_support import sqlite_db as db  # noqa: F401

SECRET = "Tuppence-4711-crumpet"


class FakeScreen(Screen):
    place = "https://www.airbnb.com"

    def __init__(self):
        self.done = []

    async def pictures(self):
        for number in range(1000):
            yield Picture(b"\xff\xd8" + bytes([number % 256]), 390, 700)
            await asyncio.sleep(0.005)

    async def act(self, gestures):
        self.done += gestures


class FakeChannel:
    """Opens, shows a screen, and is in when told so."""

    def __init__(self):
        self.screen = FakeScreen()
        self.inside = asyncio.Event()
        self.opened = self.closed = self.saved = 0

    async def open_for_person(self, timeout, shown=lambda _: None):
        self.opened += 1
        shown(self.screen)
        async with asyncio.timeout(timeout):
            await self.inside.wait()

    async def save_login(self):
        self.saved += 1

    async def close(self):
        self.closed += 1


@pytest.fixture
def channels(monkeypatch):
    made = []

    def make(_settings, **_fields):
        made.append(FakeChannel())
        return made[-1]

    monkeypatch.setattr(lifecycle, "make_channel", make)
    return made


@pytest.fixture
def halted(db, clock):
    with db.write() as conn:
        accounts.halt(conn, ACCOUNT, "challenge", "x", int(ExitCode.HALTED_PERSON_NEEDED), None, clock())
    return db


@pytest.fixture
async def make_remote(db, tmp_path, clock, channels):
    made = []

    def make(proof=None, **pace):
        async def prove():
            if proof is not None:
                raise proof
            return end_halt(db, ACCOUNT, max_age=timedelta(hours=24), now=clock())

        settings = Settings(playwright_session_dir=tmp_path / "session", log_dir=tmp_path / "logs")
        given = {"told_every": 0.05, **pace}
        made.append(Remote(settings, db, prove=prove, pace=RemotePace(**given)))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def refused(call):
    with pytest.raises(LinkRefused) as caught:
        await call
    return caught.value.reason


async def watch(remote, viewer, into):
    async for one in remote.watch(viewer):
        into.append(one)


async def test_without_a_halt_there_is_no_link_and_no_browser(db, clock, make_remote, channels):
    with db.write() as conn:
        accounts.ensure(conn, ACCOUNT, clock())
    assert await refused(make_remote().link()) == "not_halted"
    assert channels == []


async def test_a_link_opens_nothing_until_it_is_used_and_works_once(halted, make_remote, channels):
    remote = make_remote()
    void = await remote.link()
    link = await remote.link()
    assert channels == []
    assert await refused(remote.enter("guessed")) == "unknown"
    assert await refused(remote.enter(void.token)) == "unknown"
    viewer = await remote.enter(link.token)
    assert await refused(remote.enter(link.token)) == "used"
    assert await refused(remote.link()) == "busy"
    seen: list[Any] = []
    watching = asyncio.create_task(watch(remote, viewer, seen))
    await until(lambda: any(isinstance(one, Picture) for one in seen))
    channels[0].inside.set()
    await watching
    assert seen[-1].stage is Stage.DONE
    assert next(s.stage for s in seen if not isinstance(s, Picture)) in {Stage.OPENING, Stage.SHOWING}
    assert (channels[0].saved, channels[0].closed) == (1, 1)
    assert await refused(remote.again(viewer)) == "not_halted"


async def test_a_link_expires(halted, make_remote, channels):
    remote = make_remote(link=0.0)
    link = await remote.link()
    await asyncio.sleep(0.01)  # the monotonic clock of the machine itself
    assert await refused(remote.enter(link.token)) == "expired"
    assert channels == []


async def test_a_second_window_of_the_same_person_ends_the_first(halted, make_remote):
    remote = make_remote()
    viewer = await remote.enter((await remote.link()).token)
    first: list[Any] = []
    second: list[Any] = []
    old = asyncio.create_task(watch(remote, viewer, first))
    await until(lambda: len(first) > 2)
    new = asyncio.create_task(watch(remote, viewer, second))
    await old
    await until(lambda: len(second) > 2)
    await remote.close()
    await new
    assert await refused(anext(remote.watch("somebody else"))) == "not_yours"


async def test_a_person_who_goes_away_leaves_no_browser_behind(halted, make_remote, channels):
    remote = make_remote(viewer_gone=0.05)
    viewer = await remote.enter((await remote.link()).token)
    await until(lambda: remote.state.stage is Stage.FAILED)
    assert remote.state.reason == "viewer_gone"
    assert (channels[0].closed, channels[0].saved) == (1, 0)
    await remote.again(viewer)
    await until(lambda: len(channels) == 2)
    assert await refused(remote.again(viewer)) == "busy"


async def test_a_viewer_whose_connection_ends_leaves_no_browser_behind(halted, make_remote, channels):
    remote = make_remote(viewer_gone=0.3)
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    app = create_remote_app(remote, "en")
    running = asyncio.create_task(serve(app, "127.0.0.1", 0, stop=stop, on_started=address.set_result))
    viewer = await remote.enter((await remote.link()).token)
    async with (
        httpx.AsyncClient(base_url=await address, timeout=60, trust_env=False) as one,
        one.stream("GET", "/reconnect/view/stream", headers={"x-viewer": viewer}) as stream,
    ):
        parts = stream.aiter_raw()
        while b"\xff\xd8" not in await anext(parts):
            pass
        assert remote.state.stage is Stage.SHOWING
    await until(lambda: remote.state.stage is Stage.FAILED)
    assert remote.state.reason == "viewer_gone"
    assert channels[0].closed == 1
    stop.set()
    await running


async def test_two_clicks_on_again_open_one_browser(halted, make_remote, channels):
    remote = make_remote(viewer_gone=0.05)
    viewer = await remote.enter((await remote.link()).token)
    await until(lambda: remote.state.stage is Stage.FAILED)
    clicks = await asyncio.gather(remote.again(viewer), remote.again(viewer), return_exceptions=True)
    assert [str(one) for one in clicks if one is not None] == ["the remote view is refused: busy"]
    await until(lambda: remote.state.stage is Stage.FAILED)
    assert len(channels) == 2


async def test_an_inbox_that_is_not_readable_yet_keeps_the_halt_and_may_be_tried_again(
    halted, make_remote, channels
):
    remote = make_remote(WallHit("challenge", "the page shows #arkose"))
    viewer = await remote.enter((await remote.link()).token)
    await until(lambda: remote.state.stage is Stage.SHOWING)
    remote.finish(viewer)
    await until(lambda: remote.state.stage is Stage.FAILED)
    assert remote.state.reason == "challenge"
    with halted.read() as conn:
        assert accounts.get(conn, ACCOUNT).halted
    await remote.again(viewer)
    await until(lambda: len(channels) == 2 and remote.state.stage is Stage.SHOWING)


async def test_what_is_done_arrives_in_order_and_what_is_typed_is_in_no_answer(halted, make_remote, channels):
    remote = make_remote()
    app = create_remote_app(remote, "en")
    async with httpx.AsyncClient(transport=ASGITransport(app), base_url="http://here") as one:
        page = await one.get("/reconnect/view")
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert "no-store" in page.headers["cache-control"]
        assert (await one.post("/reconnect/view/enter", json={"token": "guessed"})).status_code == 403
        token = (await remote.link()).token
        entered = await one.post("/reconnect/view/enter", json={"token": token})
        viewer = {"x-viewer": entered.json()["viewer"]}
        await until(lambda: remote.state.stage is Stage.SHOWING)
        told = [
            {"type": "size", "width": 390, "height": 700},
            {"type": "mouse", "kind": "down", "x": 0.5, "y": 0.25},
            {"type": "text", "text": SECRET, "pasted": True},
            {"type": "key", "name": "Enter"},
        ]
        assert (await one.post("/reconnect/view/act", json={"gestures": told})).status_code == 403
        done = await one.post("/reconnect/view/act", json={"gestures": told}, headers=viewer)
        assert done.status_code == 200
        assert channels[0].screen.done == [
            Size(390, 700),
            Mouse("down", 0.5, 0.25),
            Text(SECRET, pasted=True),
            Key("Enter"),
        ]
        for wrong in (
            {"type": "text", "text": SECRET * 200},
            {"type": "text", "text": SECRET, "kind": "x"},
            {"type": "key", "name": SECRET},
            {"type": "key", "name": "F5"},
            {"type": "mouse", "kind": "down", "x": 1.5, "y": 0},
            {"type": SECRET},
        ):
            answer = await one.post("/reconnect/view/act", json={"gestures": [wrong]}, headers=viewer)
            assert answer.status_code == 422, wrong
            assert SECRET not in answer.text
        assert len(channels[0].screen.done) == len(told)
        assert SECRET not in repr(channels[0].screen.done)
        assert json.dumps(token) not in page.text
