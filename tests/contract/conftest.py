"""The worlds of the contract suite. A file of it runs in the worlds that claim it; every one claims the rest."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sandbox.airbnb.site import SimulatedSite
from sandbox.chat.gateway import running_gateway
from sandbox.pgnotify.app import App
from sandbox.whatsapp.cloud import Cloud
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.airbnb.settings import AirbnbSettings
from src.db.engine import Database
from tests.support.airbnb import SharedBrowser
from tests.support.chat_world import ChatWorld
from tests.support.whatsapp_world import WhatsappWorld
from tests.support.widget_world import WidgetWorld
from tests.support.worlds import AirbnbWorld, FakeWorld, PgnotifyWorld, TableWorld, World

WORLDS: dict[type[Any], pytest.MarkDecorator | None] = {
    FakeWorld: None,
    TableWorld: None,
    AirbnbWorld: pytest.mark.browser,
    PgnotifyWorld: pytest.mark.postgres,
    WhatsappWorld: None,
    ChatWorld: None,
    WidgetWorld: None,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The worlds that claim the file of the test."""
    if "make_world" not in metafunc.fixturenames:
        return
    claimed = re.fullmatch(r"test_channels_that_(\w+)", metafunc.module.__name__.rpartition(".")[2])
    worlds = [
        pytest.param(world, id=world.__name__.removesuffix("World").lower(), marks=[mark] if mark else [])
        for world, mark in WORLDS.items()
        if claimed is None or claimed[1] in world.claims
    ]
    metafunc.parametrize("make_world", worlds, indirect=True)


@pytest.fixture(scope="module")
def simulated_site() -> Iterator[SimulatedSite]:
    with SimulatedSite() as site:
        yield site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SharedBrowser]:
    started = SharedBrowser(tmp_path_factory.mktemp("session"), headless=True, executable=None)
    await started.start()
    yield started
    await started.really_stop()


@pytest.fixture
def make_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A world of each kind in turn; its channel is not open yet."""
    if issubclass(request.param, FakeWorld):
        fake = request.param()
        fake.channel.is_open = False
        yield fake
        return
    if request.param is PgnotifyWorld:
        app = App(request.getfixturevalue("empty_postgres_url"))
        yield PgnotifyWorld(app, tmp_path)
        app.close()
        return
    if request.param is WhatsappWorld:
        with Cloud() as cloud:
            yield WhatsappWorld(cloud, tmp_path)
        return
    if request.param in (ChatWorld, WidgetWorld):
        path = tmp_path / "inbox.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        path.chmod(0o600)
        db = Database.open(f"sqlite:///{path}")
        if request.param is WidgetWorld:
            yield WidgetWorld(db, tmp_path)
        else:
            with running_gateway() as gateway:
                yield ChatWorld(gateway, db, tmp_path)
        db.close()
        return
    site: SimulatedSite = request.getfixturevalue("simulated_site")
    site.reset()
    shared: SharedBrowser = request.getfixturevalue("browser")
    settings = AirbnbSettings(base_url=site.url)
    channel = AirbnbChannel(settings, shared, evidence_dir=tmp_path / "evidence")
    yield AirbnbWorld(site, channel)
    site.reset()


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def closed_at_the_end(make_world: World) -> AsyncIterator[None]:
    yield
    await make_world.channel.close()


@pytest_asyncio.fixture(loop_scope="module")
async def world(make_world: World) -> World:
    await make_world.channel.open()
    return make_world
