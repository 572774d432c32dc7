"""What a channel with a list promises (``Watches``)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from src.errors import ChannelGone
from src.model.inbox import AuthorRole
from tests.support.worlds import World

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON_SEC = 5.0
AT_ONCE_SEC = 0.2


async def test_a_glance_shows_every_conversation_with_its_newest_message_newest_first(make_world: World):
    world = make_world
    ids = [world.conversation(f"Question {n}", f"Again {n}", minutes_ago=60 * (3 - n)) for n in range(3)]
    await world.channel.open()
    glance = await world.channel.glance(LONG_AGO, thorough=True)
    assert glance.complete
    assert [c.external_id for c in glance.conversations] == ids[::-1]
    assert [c.newest.text for c in glance.conversations] == ["Again 2", "Again 1", "Again 0"]
    for conversation in glance.conversations:
        assert conversation.opened in (False, conversation.compared)
        assert (conversation.is_stay, conversation.is_hosting, conversation.viewer_is_host) == (True,) * 3
        assert conversation.viewer_id == glance.viewer_id
        assert conversation.newest.role is AuthorRole.GUEST
        assert conversation.last_activity_at >= conversation.newest.sent_at


async def test_an_empty_inbox_is_an_empty_glance(world: World):
    glance = await world.channel.glance(LONG_AGO, thorough=True)
    assert (glance.conversations, glance.complete) == ((), True)
    assert glance.viewer_id


async def test_a_glance_reaches_back_as_far_as_it_was_asked(make_world: World):
    world = make_world
    ids = [world.conversation(f"Question {n}", minutes_ago=60 * n) for n in range(40)]
    await world.channel.open()
    since = datetime.now(UTC) - timedelta(hours=30.5)
    for thorough in (True, False):
        glance = await world.channel.glance(since, thorough=thorough)
        assert glance.complete
        assert [c.external_id for c in glance.conversations][:31] == ids[:31]


async def test_a_second_glance_shows_what_is_new(make_world: World):
    world = make_world
    first, second = world.conversation("One", minutes_ago=10), world.conversation("Two", minutes_ago=5)
    await world.channel.open()
    await world.channel.glance(LONG_AGO)
    world.guest_writes(first, "Three")
    assert await world.channel.wait_for_news(SOON_SEC)
    glance = await world.channel.glance(LONG_AGO)
    assert [c.external_id for c in glance.conversations] == ([first, second] if glance.complete else [first])
    assert glance.conversations[0].newest.text == "Three"


async def test_a_fingerprint_stays_until_the_newest_message_is_another_one(make_world: World):
    world = make_world
    external_id = world.conversation("One")
    await world.channel.open()
    prints = []
    for _ in range(2):
        (conversation,) = (await world.channel.glance(LONG_AGO)).conversations
        prints.append(conversation.fingerprint)
    world.guest_writes(external_id, "Two")
    assert await world.channel.wait_for_news(SOON_SEC)
    (conversation,) = (await world.channel.glance(LONG_AGO)).conversations
    assert prints[0] == prints[1] != conversation.fingerprint
    view = await world.channel.read(external_id)
    assert view.fingerprint == conversation.fingerprint


async def test_without_news_the_wait_ends_with_its_time(make_world: World):
    world = make_world
    world.conversation("One")
    await world.channel.open()
    await world.channel.glance(LONG_AGO)
    for _ in range(3):  # what rang while it was opened is looked at first
        if not await world.channel.wait_for_news(AT_ONCE_SEC):
            return
        await world.channel.glance(LONG_AGO)
    raise AssertionError("It is told of news again and again.")


async def test_what_is_closed_has_no_list(make_world: World):
    await make_world.channel.open()
    await make_world.channel.close()
    with pytest.raises(ChannelGone):
        await make_world.channel.glance(LONG_AGO)


async def test_news_end_the_wait(make_world: World):
    world = make_world
    external_id = world.conversation("One")
    await world.channel.open()
    await world.channel.glance(LONG_AGO)
    waiting = asyncio.create_task(world.channel.wait_for_news(SOON_SEC * 4))
    await asyncio.sleep(0)
    world.guest_writes(external_id, "Two")
    assert await waiting
