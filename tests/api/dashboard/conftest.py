"""The pages served on a port, on a database of invented guests, and a browser for each test."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from benchmarks.crowd import fill
from src.api.server import serve
from src.commands.serving import make_app
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.settings import Settings
from tests.support.browsers import a_browser
from tests.support.npm import npm_modules

AXE_VERSION = "4.14.1"
SIZES = {"desk": {"width": 1280, "height": 860}, "phone": {"width": 360, "height": 740}}
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class House:
    """The address of the pages, their database, and the site's ids of its conversations, the newest first."""

    url: str
    db: Database
    conversations: list[str]


@pytest_asyncio.fixture
async def house(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[House]]]:
    """``await house(dashboard_password="…")`` serves the pages with these settings."""
    stop = asyncio.Event()
    running: list[tuple[asyncio.Task[None], Wakeup, Database]] = []

    async def start(**settings: Any) -> House:
        path = tmp_path / f"house-{len(running)}.db"
        shutil.copy(sqlite_template, path)
        db = Database.open(f"sqlite:///{path}")
        ids = fill(db, datetime.now(UTC), 400)
        wakeup = Wakeup(db)
        given = Settings(**{"time_zone": "Europe/Paris", **settings})
        app = make_app(given, db, wakeup, is_conversation_id=lambda *_: True)
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = serve(
            app, "127.0.0.1", 0, stop=stop, on_started=address.set_result, on_ending=app.state.streams.end
        )
        running.append((asyncio.create_task(serving), wakeup, db))
        return House(await address, db, ids)

    yield start
    stop.set()
    for task, wakeup, db in running:
        await task
        wakeup.close()
        db.close()


@pytest_asyncio.fixture
async def person() -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """``await person("phone")``: a browser of its own; what its console says against the page fails the test."""
    complaints: list[str] = []
    async with a_browser() as browser:

        async def come(size: str = "desk", **options: Any) -> Page:
            context = await browser.new_context(viewport=SIZES[size], **{"locale": "en-GB", **options})
            context.set_default_timeout(PATIENCE_MS)
            page = await context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "console",
                lambda said: complaints.append(said.text) if "Security Policy" in said.text else None,
            )
            return page

        yield come
    assert complaints == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    script = npm_modules("axe-core", AXE_VERSION) / "axe-core" / "axe.min.js"
    return script.read_text(encoding="utf-8")
