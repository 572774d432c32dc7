"""A network that dies without a word: connections stay open, and nothing comes any more."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from src.channels.pgnotify import bell as bell_module
from src.channels.pgnotify import link as link_module
from src.errors import ChannelGone, NotPressed
from src.model.sending import Finding, Press
from tests.support.dark_proxy import DarkProxy
from tests.support.waiting import until

pytestmark = pytest.mark.postgres

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PRESS = Press("job-1", None)


@pytest_asyncio.fixture
async def proxy(app):
    parts = urlsplit(app.url)
    async with DarkProxy(parts.hostname, parts.port) as made:
        yield made


@pytest_asyncio.fixture
async def channel(app, proxy, make_channel, monkeypatch):
    """Its limits of time are shortened; what they are for is the same."""
    monkeypatch.setattr(link_module, "GIVE_UP_SEC", 0.5)
    monkeypatch.setattr(bell_module, "HEARD_WITHIN_SEC", 0.5)
    there = app.url.replace(f":{urlsplit(app.url).port}/", f":{proxy.port}/")
    made = make_channel(url=there, self_ring_sec=0.2, poll_sec=60)
    await made.open()
    yield made
    await made.close()


async def test_a_bell_that_went_dark_is_opened_anew_and_rings_again(app, channel, proxy):
    match = app.match()
    await until(lambda: channel._bell.is_open)
    await channel.glance(LONG_AGO, thorough=True)
    openings = channel._bell.openings
    proxy.darken()
    app.user_writes(match, "Said in the dark")
    await until(lambda: channel._bell.openings > openings)
    glance = await channel.glance(LONG_AGO)
    assert [c.newest.text for c in glance.conversations] == ["Said in the dark"]
    app.user_writes(match, "Said in the light")
    assert await channel.wait_for_news(5)
    assert [c.newest.text for c in (await channel.glance(LONG_AGO)).conversations] == ["Said in the light"]


async def test_a_reading_in_the_dark_ends_and_is_made_over_a_new_connection(app, channel, proxy):
    match = app.match()
    app.user_writes(match, "Hello")
    proxy.darken()
    assert (await channel.read(match)).newest.text == "Hello"


async def test_a_press_in_the_dark_is_certainly_none(app, channel, proxy):
    match = app.match()
    app.user_writes(match, "Hello")
    await channel.read(match)
    await channel.write(match, "An answer")
    await channel.reread(match)
    proxy.darken()
    with pytest.raises(NotPressed):
        await channel.press_send(match, PRESS)
    assert await channel.find(match, PRESS) is Finding.NOT_SENT
    assert app.answers(match) == []


async def test_a_step_that_is_given_up_in_the_dark_ends_at_once(app, channel, proxy, monkeypatch):
    monkeypatch.setattr(link_module, "GIVE_UP_SEC", 60.0)
    match = app.match()
    proxy.darken()
    reading = asyncio.create_task(channel.read(match))
    await asyncio.sleep(0)
    await until(channel._link._in_use.locked)
    began = time.monotonic()
    reading.cancel()
    with pytest.raises((asyncio.CancelledError, ChannelGone)):
        await reading
    assert time.monotonic() - began < 5, "psycopg would have asked the server to cancel, and waited"
