"""What each step costs the site, counted in its own log. No clock."""

from __future__ import annotations

import pytest

from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.airbnb.list_reader import ListReader
from tests.support.airbnb import days_ago, deliver, fill, listed

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("number", [20, 200])
@pytest.mark.parametrize("live", [True, False], ids=["live", "deaf"])
async def test_an_idle_glance_asks_for_one_stretch_at_most(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch, number: int, live: bool
):
    site.options.live = live
    threads = fill(site, number)
    await channel.open()
    since = days_ago(1)
    await channel.glance(since)
    monkeypatch.setattr(ListReader, "FRESH_SEC", -1.0)
    for _ in range(3):
        before = site.log.mark
        glance = await channel.glance(since)
        assert glance.complete
        assert listed(glance)[:20] == [thread.id for thread in threads[:20]]
        assert site.log.count("document", since=before) == 0
        assert site.log.count("list", since=before) == 1
        assert site.log.count("thread", since=before) == 0


async def test_a_list_that_was_told_just_now_is_not_asked_for_again(
    site: SimulatedSite, channel: AirbnbChannel
):
    threads = fill(site, 5)
    await channel.open()
    await channel.glance(days_ago(1))
    site.inbox.guest_writes(threads[2], "news")
    assert await channel.wait_for_news(10)
    before = site.log.mark
    assert listed(await channel.glance(days_ago(1)))[0] == threads[2].id
    assert [entry.kind for entry in site.log.touched(before)] == []


@pytest.mark.parametrize("changed", [1, 4])
async def test_changed_conversations_cost_one_request_each(
    site: SimulatedSite, channel: AirbnbChannel, changed: int
):
    threads = fill(site, 20)
    await channel.open()
    await channel.glance(days_ago(1))
    for thread in threads[5 : 5 + changed]:
        site.inbox.guest_writes(thread, "news")
    assert await channel.wait_for_news(10)
    before = site.log.mark
    glance = await channel.glance(days_ago(1))
    for conversation in glance.conversations[:changed]:
        assert (await channel.read(conversation.external_id)).newest.text == "news"
    assert site.log.count("document", since=before) == 0
    assert site.log.count("thread", since=before) == changed


async def test_reading_the_open_conversation_again_stays_within_the_page(
    site: SimulatedSite, channel: AirbnbChannel
):
    thread = fill(site, 3)[0]
    await channel.open()
    await channel.read(thread.id)
    before = site.log.mark
    await channel.read(thread.id)
    await channel.reread(thread.id)
    assert site.log.count("document", since=before) == 0
    assert site.log.count("thread", since=before) == 0
    site.inbox.guest_writes(thread, "one more thing")
    assert (await channel.read(thread.id)).newest.text == "one more thing"
    assert site.log.count("document", since=before) == 0


async def test_a_send_costs_no_page_load_and_exactly_one_post(site: SimulatedSite, channel: AirbnbChannel):
    threads = fill(site, 3)
    await channel.open()
    await channel.glance(days_ago(1))
    before = site.log.mark
    for n, thread in enumerate(threads):
        await deliver(channel, thread, f"Answer {n}")
    assert site.log.count("document", since=before) == 0
    assert [entry.text for entry in site.log.sends()] == ["Answer 0", "Answer 1", "Answer 2"]
    assert [entry.method for entry in site.log.sends()] == ["POST"] * 3


async def test_a_page_that_is_loaded_again_fetches_no_asset_again(
    site: SimulatedSite, channel: AirbnbChannel
):
    site.options.assets = 12
    thread = fill(site, 3)[0]
    await channel.open()
    await channel.glance(days_ago(1))
    before = site.log.mark
    await channel.read(thread.id, anew=True)
    assert site.log.count("document", since=before) == 1
    assert site.log.count("asset", since=before) == 0
