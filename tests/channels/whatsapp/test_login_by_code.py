"""A gateway that has lost its login gets it back by a code that a phone scans, and the halt ends by itself."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
from playwright.async_api import expect
from pydantic import SecretStr

from sandbox.whatsapp.cloud import Cloud
from sandbox.whatsapp.gateways import Evolution, Waha
from src.account import Account, AccountSettings
from src.api.remote.app import create_remote_app
from src.api.remote.routes import path_of
from src.api.server import serve
from src.channels.base import Attended, Place
from src.channels.whatsapp import build, gateway
from src.db import accounts
from src.errors import Halt, WallHit
from src.model.remote import Picture, RemoteState, Stage
from src.model.statuses import OutboxStatus
from src.workers.halts import halted, write_halt
from src.workers.parts import Machine
from src.workers.remote import Remote, RemotePace
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.browsers import a_browser
from tests.support.house import ACCOUNT
from tests.support.waiting import until
from tests.support.whatsapp import GERDA, Line, settings_of


@pytest.fixture(params=[Evolution, Waha])
def world(request):
    with request.param() as made:
        made.phone_id, made.token, made.app_secret = "", "", made.secret
        yield made


@pytest.fixture
def own(world):
    return settings_of(
        world,
        mode=world.dialect,
        token=None,
        verify_token=None,
        instance=world.instance,
        api_key=SecretStr(world.key),
        proof_sec=0.2,
    )


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(gateway, "LOOK_SEC", 0.02)
    monkeypatch.setattr(gateway, "RESTART_SEC", 0.1)
    monkeypatch.setattr(gateway, "NO_CODE_SEC", 0.6)


@pytest.fixture
async def make_remote(db, tmp_path):
    made = []

    def make(own, kind="session_lost"):
        account = Account(ACCOUNT, "whatsapp", tmp_path / "session", AccountSettings(), own)
        halted(db, ACCOUNT)
        write_halt(db, ACCOUNT, WallHit(kind, "the gateway's session is lost"))
        made.append(Remote([account], Machine(tmp_path / "evidence"), db, pace=RemotePace(told_every=0.05)))
        return made[-1]

    yield make
    for one in made:
        await one.close()


def is_halted(db) -> bool:
    with db.read() as conn:
        return accounts.get(conn, ACCOUNT).halted


async def enter(remote) -> str:
    return await remote.enter((await remote.link()).token)


async def shown(remote, viewer, codes: list[bytes]) -> RemoteState:
    """Watch until the end; every code that was shown is in ``codes``."""
    state = remote.state
    async for one in remote.watch(viewer):
        if isinstance(one, Picture):
            codes.append(one.image)
        else:
            state = one
            if state.stage is Stage.FAILED:
                break
    return state


# --- what happens -----------------------------------------------------------------------------------------


async def test_the_code_is_shown_and_after_the_scan_the_halt_ends_by_itself(db, world, own, make_remote):
    world.lose_login()
    remote = make_remote(own)
    assert (await remote.link()).login == "code"
    viewer, codes = await enter(remote), list[bytes]()
    watching = asyncio.create_task(shown(remote, viewer, codes))
    await until(lambda: codes)
    assert (remote.state.stage, remote.state.place) == (Stage.SHOWING, world.url)
    assert is_halted(db), "nothing ends before the gateway says that it is connected"
    assert world.scan(codes[-1])
    assert (await watching).stage is Stage.DONE
    assert not is_halted(db)


async def test_a_code_that_is_not_good_any_more_gives_way_to_the_next_one(world, own, make_remote):
    world.link.lasts_sec = 0.2
    world.lose_login()
    remote = make_remote(own)
    viewer, codes = await enter(remote), list[bytes]()
    watching = asyncio.create_task(shown(remote, viewer, codes))
    await until(lambda: len(codes) >= 3)
    assert len(set(codes)) == len(codes), "each one once"
    world.link.lasts_sec = 60
    await until(lambda: codes[-1] == world.link.code)
    assert not world.scan(codes[0])
    assert world.scan(codes[-1])
    assert (await watching).stage is Stage.DONE


async def test_no_qr_after_a_loss_has_the_gateway_begin_again(world, own, make_remote):
    world.link.gives = "after_restart"
    world.lose_login()
    if isinstance(world, Waha):
        world.state = "FAILED"
    remote = make_remote(own)
    viewer, codes = await enter(remote), list[bytes]()
    watching = asyncio.create_task(shown(remote, viewer, codes))
    await until(lambda: codes)
    assert world.link.restarts == 1
    assert world.scan(codes[-1])
    assert (await watching).stage is Stage.DONE


async def test_a_gateway_that_never_has_a_code_is_named_and_the_halt_stands(db, world, own, make_remote):
    world.link.gives = "never"
    world.lose_login()
    remote = make_remote(own)
    state = await shown(remote, await enter(remote), codes := list[bytes]())
    assert (state.stage, state.reason, codes) == (Stage.FAILED, "no_code", [])
    assert is_halted(db)
    assert 1 < world.link.restarts < 7, "it is asked again, and not all the time"


async def test_a_gateway_that_is_away_is_said_to_be_so(db, world, own, make_remote):
    world.stop()
    remote = make_remote(own)
    state = await shown(remote, await enter(remote), [])
    assert (state.stage, state.reason) == (Stage.FAILED, "not_readable")
    assert is_halted(db)


async def test_a_key_that_is_refused_is_said_to_be_so(db, world, own, make_remote):
    remote = make_remote(own.model_copy(update={"api_key": SecretStr("another-key")}), "credentials")
    state = await shown(remote, await enter(remote), [])
    assert (state.stage, state.reason) == (Stage.FAILED, "credentials")
    assert is_halted(db)


async def test_connected_but_dead_halts_and_is_connected_again_before_anything_else_leaves(
    db, world, own, make_remote, tmp_path
):
    line = Line(db, world, tmp_path, **own.model_dump())
    await line.open()
    world.link.is_dead = True
    for number in range(3):
        await line.reply_to(f"3361234567{number}")
        await line.turn()
    job = await line.reply_to(GERDA)
    with pytest.raises(Halt) as caught:
        await line.send.run_once(line.channel)
    assert (caught.value.kind, line.job(job).status) == ("nothing_leaves", OutboxStatus.PENDING)
    assert not world.sent
    await line.channel.close()

    remote = make_remote(own, "nothing_leaves")
    state = await shown(remote, await enter(remote), [])
    assert (state.stage, state.released, world.link.restarts) == (Stage.DONE, 1, 1)
    line.close()


async def test_where_nobody_logs_in_a_link_only_looks_again(db, make_remote):
    with Cloud() as cloud:
        remote = make_remote(settings_of(cloud), "credentials")
        assert (await remote.link()).login == "none"
        state = await shown(remote, await enter(remote), [])
        assert state.stage is Stage.DONE
        assert not is_halted(db)


def test_only_a_gateway_has_a_login(own, tmp_path):
    place = Place(account=ACCOUNT, session_dir=tmp_path, evidence_dir=tmp_path)
    assert isinstance(build(own, place), Attended)
    with Cloud() as cloud:
        assert not isinstance(build(settings_of(cloud), place), Attended)


# --- the page -----------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def page_of():
    async with a_browser() as browser:
        yield lambda size: browser.new_page(viewport=size, locale="en-GB")


@pytest.mark.browser
@pytest.mark.parametrize("size", [{"width": 1280, "height": 800}, {"width": 360, "height": 740}])
async def test_the_page_shows_the_code_whole_and_says_when_it_is_connected(
    db, world, own, make_remote, page_of, size
):
    world.lose_login()
    remote = make_remote(own)
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    app = create_remote_app(remote, "en")
    serving = asyncio.create_task(serve(app, "127.0.0.1", 0, stop=stop, on_started=address.set_result))
    page = await page_of(size)
    await page.goto(f"{await address}{path_of(await remote.link())}")
    await page.get_by_role("button", name="Show me the code").click()
    code = page.get_by_role("img", name="The code for the phone to scan")
    await page.wait_for_function("() => document.getElementById('screen').width > 100")
    seen = await code.bounding_box()
    assert seen["width"] >= 200, "large enough for a camera"
    assert abs(seen["width"] - seen["height"]) < 2
    assert 0 <= seen["x"] <= size["width"] - seen["width"]
    assert seen["y"] + seen["height"] <= size["height"], "nobody has to scroll to it"
    await expect(page.get_by_role("textbox")).to_have_count(0)
    assert world.scan(world.link.code)
    await expect(page.get_by_role("heading", name="Connected")).to_be_visible()
    assert not is_halted(db)
    stop.set()
    await serving
