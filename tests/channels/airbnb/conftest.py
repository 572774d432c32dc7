"""One browser and one simulated site for all tests of the Airbnb channel; each test finds both as new."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.airbnb.list_reader import ListReader
from src.channels.airbnb.pages import OpenConversation
from src.channels.airbnb.settings import AirbnbSettings
from src.channels.airbnb.thread_reader import ThreadReader
from src.channels.airbnb.visit import Visit
from src.channels.browser import Browser
from tests.support.airbnb import SharedBrowser

MakeChannel = Callable[..., AirbnbChannel]


@pytest.fixture(scope="session")
def shared_site() -> Iterator[SimulatedSite]:
    with SimulatedSite() as site:
        yield site


@pytest.fixture
def site(shared_site: SimulatedSite) -> Iterator[SimulatedSite]:
    """The simulated site; options that a test sets count from the next page load on."""
    shared_site.reset()
    yield shared_site
    shared_site.reset()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SharedBrowser]:
    browser = SharedBrowser(tmp_path_factory.mktemp("session"), headless=True, executable=None)
    await browser.start()
    yield browser
    await browser.really_stop()


@pytest.fixture
def evidence_dir(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


@pytest.fixture
def make_channel(site: SimulatedSite, evidence_dir: Path) -> MakeChannel:
    """``make_channel(browser)``: the channel on the simulated site. Closing it is up to the caller."""

    def make(browser: Browser) -> AirbnbChannel:
        return AirbnbChannel(AirbnbSettings(base_url=site.url), browser, evidence_dir=evidence_dir)

    return make


@pytest_asyncio.fixture(loop_scope="session")
async def channel(make_channel: MakeChannel, shared_browser: SharedBrowser) -> AsyncIterator[AirbnbChannel]:
    """The channel on a fresh page of the shared browser, not yet opened."""
    made = make_channel(shared_browser)
    yield made
    await made.close()


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list does not grow old while a slow machine works on it, and a slow page is no page that does not react;
    a test that wants it otherwise says so.
    """
    monkeypatch.setattr(ListReader, "FRESH_SEC", 120.0)
    monkeypatch.setattr(Visit, "PROMPT_SEC", 2.5)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short times for what a test waits out on purpose, because it shall not come."""
    monkeypatch.setattr(Visit, "LOAD_SEC", 3.0)
    monkeypatch.setattr(Visit, "REFRESH_SEC", 0.7)
    monkeypatch.setattr(Visit, "PROMPT_SEC", 0.7)
    monkeypatch.setattr(ListReader, "NEXT_STRETCH_SEC", 0.7)
    monkeypatch.setattr(ListReader, "FILL_SEC", 0.7)
    monkeypatch.setattr(ListReader, "ROWS_SEC", 0.7)
    monkeypatch.setattr(ThreadReader, "ANSWER_SEC", 0.7)
    monkeypatch.setattr(ThreadReader, "ADDRESS_SEC", 3.0)
    monkeypatch.setattr(ThreadReader, "OLDER_SEC", 0.7)
    monkeypatch.setattr(ThreadReader, "SHOWN_SEC", 0.7)
    monkeypatch.setattr(OpenConversation.composer, "__defaults__", (500,))
    monkeypatch.setattr(OpenConversation.send_button, "__defaults__", (500,))
