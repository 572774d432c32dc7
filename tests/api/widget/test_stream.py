"""The widget's stream: everything once and in order, whatever is cut, restarted, or said by another process."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from src.api.widget import audience
from src.db.engine import Database
from src.db.wakeup import Wakeup
from tests.support.ports import free_port
from tests.support.waiting import until
from tests.support.widget import BASE, PAGE, bearer, streaming


async def test_a_stream_shows_what_is_there_and_then_what_comes(shop):
    token = await shop.visitor("Is it blue?")
    async with shop.served() as url, streaming(url, token) as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.response.headers["x-accel-buffering"] == "no"
        assert stream.response.headers["access-control-allow-origin"] == PAGE
        assert await stream.texts(1) == ["Is it blue?"]
        await shop.answered("Yes, it is.")
        assert await stream.texts(1) == ["Yes, it is."]
        assert stream.last_id == "2"


async def test_a_stream_is_resumed_by_its_last_event_id(shop):
    token = await shop.visitor("1")
    await shop.answered("one")
    async with shop.served() as url:
        async with streaming(url, token, after="1") as stream:
            assert await stream.texts(1) == ["one"]
            last = stream.last_id
        shop.clock.advance(60)
        await shop.say("2", token)
        await shop.answered("two")
        async with streaming(url, token, after=last) as stream:
            assert await stream.texts(2) == ["2", "two"]
        async with streaming(url, token, after="nonsense") as stream:
            assert await stream.texts(4) == ["1", "one", "2", "two"]


async def test_process_restarted_or_other_instance_the_stream_is_resumed_after_the_last_id(shop):
    token, port = await shop.visitor("1"), free_port()
    async with shop.served(port) as url, streaming(url, token) as stream:
        await stream.texts(1)
        last = stream.last_id
    await shop.answered("one")
    async with shop.served(port) as url, streaming(url, token, after=last) as stream:
        assert await stream.texts(1) == ["one"]


async def test_the_end_of_the_server_ends_its_streams(shop):
    token = await shop.visitor("1")
    port = free_port()
    stack = shop.served(port)
    url = await stack.__aenter__()
    async with streaming(url, token) as stream:
        await stream.texts(1)
        await asyncio.wait_for(stack.__aexit__(None, None, None), 5)
        with pytest.raises((EOFError, httpx.HTTPError)):
            await stream.next()


async def test_what_another_process_stores_comes_by_a_wake_up(shop, monkeypatch):
    """Its wake-up, not the look every few seconds."""
    monkeypatch.setattr(audience, "LOOK_EVERY_SEC", 600.0)
    token = await shop.visitor("1")
    other = Database.open(shop.db.url.render_as_string(hide_password=False))
    try:
        async with shop.served() as url, streaming(url, token) as stream:
            await stream.texts(1)
            shop.channel._place.store._db = shop.channel._place.store._wakeup._db = other
            await shop.answered("one")
            assert await asyncio.wait_for(stream.texts(1), 10) == ["one"]
    finally:
        other.close()


async def test_a_wake_up_that_is_lost_costs_a_look(shop, monkeypatch):
    monkeypatch.setattr(audience, "LOOK_EVERY_SEC", 0.2)
    monkeypatch.setattr(Wakeup, "notify_in", lambda *_: None)
    token = await shop.visitor("1")
    async with shop.served() as url, streaming(url, token) as stream:
        await stream.texts(1)
        await shop.answered("one")
        assert await asyncio.wait_for(stream.texts(1), 10) == ["one"]


async def test_flood_a_stream_too_many_is_503_and_asks_by_the_clock(shop, monkeypatch):
    monkeypatch.setattr(audience, "AT_MOST", 3)
    tokens = [await shop.visitor(str(number)) for number in range(4)]
    async with shop.served() as url:
        async with streaming(url, tokens[0]) as one, streaming(url, tokens[1]), streaming(url, tokens[2]):
            await one.texts(1)
            async with streaming(url, tokens[3]) as refused:
                assert refused.response.status_code == 503
                assert refused.response.headers["retry-after"] == "10"
                assert refused.response.headers["access-control-allow-origin"] == PAGE
            async with httpx.AsyncClient() as client:
                page = await client.get(
                    f"{url}{BASE}/messages?after=0", headers={"origin": PAGE, **bearer(tokens[3])}
                )
            assert [m["text"] for m in page.json()["messages"]] == ["3"]

        async def is_let_in() -> bool:
            async with streaming(url, tokens[3]) as stream:
                return stream.response.status_code == 200

        for _ in range(100):
            if await is_let_in():
                break
        assert await is_let_in()


async def test_a_visitor_has_a_stream_for_each_of_eight_tabs(shop):
    token = await shop.visitor("1")
    async with shop.served() as url, asyncio.timeout(20):
        tabs = [streaming(url, token) for _ in range(9)]
        opened = [await tab.__aenter__() for tab in tabs]
        assert [one.response.status_code for one in opened] == [200] * 8 + [503]
        await shop.answered("one")
        for stream in opened[:8]:
            assert await stream.texts(2) == ["1", "one"]
        for tab in tabs:
            await tab.__aexit__(None, None, None)


async def test_nobody_who_watches_costs_no_task(shop):
    token = await shop.visitor("1")
    async with shop.served() as url:
        async with streaming(url, token) as stream:
            await stream.texts(1)
            assert any(name_of(task) for task in asyncio.all_tasks())
        await shop.say("2", token)  # its wake-up is the last one that is waited for
        await until(lambda: not any(name_of(task) for task in asyncio.all_tasks()))


def name_of(task: asyncio.Task[object]) -> bool:
    return "Audience._keep_looking" in repr(task.get_coro())
