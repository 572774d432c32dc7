"""News for a page that is open, on the real server."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import asyncio
import contextlib

import httpx
import pytest

from src.api.context import Context
from src.api.dashboard import live
from src.api.server import serve
from src.commands.serving import make_app
from src.db import accounts
from src.db.wakeup import Wakeup
from src.settings import Settings
from tests.support.api import ACCOUNT, is_conversation_id
from tests.support.api import sqlite_db as db  # noqa: F401


@pytest.fixture
def app(db, clock):
    with contextlib.closing(Wakeup(db)) as wakeup:
        yield make_app(Settings(), db, wakeup, is_conversation_id=is_conversation_id, clock=clock)


async def until(lines, wanted):
    async for line in lines:
        if line == wanted:
            return
    raise AssertionError("the stream ended before that")


async def test_a_page_hears_of_news_and_the_end_of_the_server_ends_its_stream(app, db, clock, monkeypatch):
    monkeypatch.setattr(live, "LOOK_EVERY_SEC", 0.05)
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = serve(
        app, "127.0.0.1", 0, stop=stop, on_started=address.set_result, on_ending=app.state.streams.end
    )
    running = asyncio.create_task(serving)
    async with (
        httpx.AsyncClient(base_url=await address, timeout=60, trust_env=False) as client,
        client.stream("GET", "/events") as events,
    ):
        assert events.headers["content-type"].startswith("text/event-stream")
        lines = events.aiter_lines()
        await until(lines, "retry: 5000")
        with db.write() as conn:
            accounts.ensure(conn, ACCOUNT, clock())
            accounts.pause(conn, ACCOUNT, clock())
        await until(lines, "event: news")
        stop.set()
        # A stream that the server had to cut would raise here.
        assert [line async for line in lines if line.startswith("event")] == []
    await running
    over = httpx.AsyncClient(transport=httpx.ASGITransport(app, client=("127.0.0.1", 1)))
    assert (await over.get("http://localhost/events")).status_code == 503
    await over.aclose()


async def test_a_page_that_is_left_before_the_first_look_watches_no_longer(app, db, clock):
    context = Context(
        Settings(), db, None, None, Settings().accounts_by_name, is_conversation_id, clock, None, None
    )
    news = live.News(context)
    for _ in range(live.AT_MOST):
        leaving = asyncio.ensure_future(anext(news.watch()))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    assert not news.full
    context.streams.end()
    await asyncio.gather(news._task, return_exceptions=True)


async def test_nobody_outside_hears_anything(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, client=("203.0.113.9", 1))) as stranger:
        assert (await stranger.get("http://localhost/events")).status_code == 401
