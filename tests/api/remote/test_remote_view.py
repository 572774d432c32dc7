"""The remote view without a browser: who is let in, who is not, what ends it, and what no error repeats."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import asyncio
import json
import random
import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx import ASGITransport

import src.api
from src.api.remote.app import create_remote_app
from src.api.server import serve
from src.channels.base import Screen
from src.db import accounts
from src.errors import ExitCode, WallHit
from src.model.remote import Key, LinkRefused, Mouse, Picture, Size, Stage, Text
from src.model.values import utc_now
from src.services.after_halt import end_halt
from src.settings import Settings
from src.workers.parts import Machine, Parts
from src.workers.remote import Remote, RemotePace
from tests.support import channel
from tests.support.api import ACCOUNT
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.folder import FakeFolder
from tests.support.site import FakeSite
from tests.support.waiting import until

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


class FakeChannel(channel.FakeChannel):
    """Opens, shows a screen, and is in when told so."""

    def __init__(self):
        super().__init__(FakeSite(utc_now))
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
def folder():
    return FakeFolder(None, make=lambda _site: FakeChannel())


@pytest.fixture
def channels(folder):
    return folder.channels


@pytest.fixture
def halted(db, clock):
    with db.write() as conn:
        accounts.halt(conn, ACCOUNT, "challenge", "x", int(ExitCode.HALTED_PERSON_NEEDED), None, clock())
    return db


@pytest.fixture
async def make_remote(db, tmp_path, clock, folder):
    made = []

    def make(proof=None, **pace):
        async def prove(_account):
            found = proof() if callable(proof) else proof
            if found is not None:
                raise found
            return end_halt(db, ACCOUNT, max_age=timedelta(hours=24), now=clock())

        settings = Settings(playwright_session_dir=tmp_path / "session", log_dir=tmp_path / "logs")
        given = {"told_every": 0.05, **pace}
        parts = Parts(find_channel=folder.find)
        made.append(
            Remote(
                settings.accounts,
                Machine.of(settings),
                db,
                prove=prove,
                pace=RemotePace(**given),
                parts=parts,
            )
        )
        return made[-1]

    yield make
    for one in made:
        await one.close()


def halt_again(db, clock):
    """The next halt: another one than those before it."""
    clock.advance(60)
    with db.write() as conn:
        assert accounts.halt(conn, ACCOUNT, "challenge", "x", 10, None, clock())


def end_elsewhere(db, clock):
    """The halt ends without this view: by the script, on another terminal."""
    clock.advance(60)
    end_halt(db, ACCOUNT, max_age=timedelta(hours=24), now=clock())


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
    assert await refused(remote.again(viewer)) == "over"


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
    await remote.finish(viewer)
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


async def test_a_used_link_does_not_open_the_browser_again_at_a_later_halt(
    halted, clock, make_remote, channels
):
    remote = make_remote()
    old = await remote.enter((await remote.link()).token)
    await until(lambda: remote.state.stage is Stage.SHOWING)
    remote_is_done = asyncio.create_task(watch(remote, old, []))
    await remote.finish(old)
    await remote_is_done
    assert remote.state.stage is Stage.DONE
    halt_again(halted, clock)

    app = create_remote_app(remote, "en")
    async with httpx.AsyncClient(transport=ASGITransport(app), base_url="http://here") as one:
        for method, what, body in (
            ("POST", "again", {}),
            ("GET", "stream", None),
            ("POST", "act", {"gestures": []}),
            ("POST", "done", {}),
        ):
            told = await one.request(method, f"/reconnect/view/{what}", json=body, headers={"x-viewer": old})
            assert (told.status_code, told.json()["reason"]) == (403, "over"), what
    assert len(channels) == 1

    viewer = await remote.enter((await remote.link()).token)
    await until(lambda: len(channels) == 2 and remote.state.stage is Stage.SHOWING)
    assert await refused(remote.act(old, [Key("Enter")])) == "not_yours"
    await remote.act(viewer, [Key("Enter")])
    assert channels[1].screen.done == [Key("Enter")]


async def test_a_viewer_whose_view_failed_has_no_rights_at_a_later_halt(halted, clock, make_remote, channels):
    remote = make_remote(viewer_gone=0.05)
    old = await remote.enter((await remote.link()).token)
    await until(lambda: remote.state.stage is Stage.FAILED)
    end_elsewhere(halted, clock)
    assert await refused(remote.again(old)) == "over"
    halt_again(halted, clock)
    assert await refused(remote.again(old)) == "over"
    assert await refused(anext(remote.watch(old))) == "over"
    assert len(channels) == 1


async def test_a_link_that_was_not_used_is_void_at_a_later_halt(halted, clock, make_remote, channels):
    remote = make_remote()
    link = await remote.link()
    end_elsewhere(halted, clock)
    halt_again(halted, clock)
    assert await refused(remote.enter(link.token)) == "over"
    assert channels == []


async def test_a_window_that_stayed_open_shows_nothing_of_the_next_persons_browser(
    halted, clock, make_remote, channels
):
    remote = make_remote(WallHit("challenge", "x"))
    old = await remote.enter((await remote.link()).token)
    seen: list[Any] = []
    left_open = asyncio.create_task(watch(remote, old, seen))
    await until(lambda: any(isinstance(one, Picture) for one in seen))
    await remote.finish(old)
    await until(lambda: remote.state.stage is Stage.FAILED)
    end_elsewhere(halted, clock)
    halt_again(halted, clock)
    before = len([one for one in seen if isinstance(one, Picture)])
    viewer = await remote.enter((await remote.link()).token)
    await left_open
    new: list[Any] = []
    watching = asyncio.create_task(watch(remote, viewer, new))
    await until(lambda: any(isinstance(one, Picture) for one in new))
    assert len([one for one in seen if isinstance(one, Picture)]) == before
    await remote.close()
    await watching


async def test_a_viewer_who_missed_the_end_is_told_of_it_once_more(halted, make_remote):
    remote = make_remote()
    viewer = await remote.enter((await remote.link()).token)
    await remote.finish(viewer)
    await until(lambda: remote.state.stage is Stage.DONE)
    seen: list[Any] = []
    await watch(remote, viewer, seen)
    assert [one.stage for one in seen] == [Stage.DONE]


@pytest.mark.parametrize("seed", range(8))
async def test_no_key_and_no_link_lets_in_at_another_halt_than_its_own(
    halted, clock, make_remote, channels, seed
):
    """Any order of halts, ends, links and calls: who is let in has a key or a link of the halt that stands."""
    dice = random.Random(seed)
    remote = make_remote(lambda: dice.choice([None, WallHit("challenge", "x")]))
    number = 1
    links: list[tuple[int, str]] = []
    keys: list[tuple[int, str]] = []

    def stands():
        with halted.read() as conn:
            return accounts.get(conn, ACCOUNT).halted

    async def make_link():
        links.append((number, (await remote.link()).token))

    async def enter():
        made_at, token = dice.choice([dice.choice(links), links[-1]])
        stood = stands()
        keys.append((number, await remote.enter(token)))
        assert (made_at, True) == (number, stood)

    async def come():
        await make_link()
        await enter()

    async def call(what):
        given_at, key = dice.choice([dice.choice(keys), keys[-1]])
        stood = stands()
        await what(key)
        assert (given_at, True) == (number, stood)

    async def gesture(key):
        await remote.act(key, [Key("Tab")])

    async def look(key):
        watching = remote.watch(key)
        try:
            state = await anext(watching)
            # That it is over may be told as long as there is no other halt; there is nothing to see then.
            if state.stage is Stage.DONE and not stands():
                raise LinkRefused("over")
        finally:
            await watching.aclose()

    for _ in range(200):
        if stands() and remote.state.stage is not Stage.SHOWING and dice.random() < 0.2:
            end_elsewhere(halted, clock)
        elif not stands() and dice.random() < 0.5:
            number += 1
            halt_again(halted, clock)
        with suppress(LinkRefused, IndexError):
            step = dice.choice([make_link, enter, come, *4 * [None]])
            await (step() if step else call(dice.choice([gesture, look, remote.again, remote.finish])))
        await until(lambda: remote.state.stage not in {Stage.OPENING, Stage.CHECKING})
    assert number > 2
    assert len({given_at for given_at, _ in keys}) > 1


def test_the_view_has_the_dashboards_colours():
    api = Path(src.api.__file__).parent
    found = [
        re.findall(r"(--[a-z-]+): (#[0-9a-f]+);", (api / path).read_text(encoding="utf-8"))
        for path in ("remote/static/remote.css", "dashboard/static/dashboard.css")
    ]
    assert set(found[0]) <= set(found[1])
    assert len(found[0]) == 18
