"""A made-up app on a real database, and the channel on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from sandbox.pgnotify.app import MAPPING, App
from src.channels.base import Place
from src.channels.pgnotify.channel import PgnotifyChannel
from src.channels.pgnotify.settings import PgnotifySettings


@pytest.fixture
def app(empty_postgres_url: str) -> Iterator[App]:
    made = App(empty_postgres_url)
    yield made
    made.close()


@pytest.fixture
def make_channel(app: App, tmp_path: Path) -> Callable[..., PgnotifyChannel]:
    """``make_channel(mapping, url=…, poll_sec=…)``: closed; nothing is connected yet."""

    def make(mapping: str = MAPPING, *, url: str | None = None, **settings: Any) -> PgnotifyChannel:
        path = tmp_path / "mapping.toml"
        path.write_text(mapping)
        given = PgnotifySettings(url=SecretStr(url or app.url), mapping=path, **settings)
        place = Place(account="bea", session_dir=tmp_path / "session", evidence_dir=tmp_path / "evidence")
        return PgnotifyChannel(given, place)

    return make


@pytest_asyncio.fixture
async def channel(make_channel: Callable[..., PgnotifyChannel]) -> AsyncIterator[PgnotifyChannel]:
    made = make_channel()
    await made.open()
    yield made
    await made.close()
