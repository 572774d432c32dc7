"""A reply that the site rewrites: which message is ours, in a real browser (docs/own-messages.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.airbnb.faults import drop_emoji
from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb.channel import AirbnbChannel
from src.model.inbox import SeenConversation
from src.model.sending import Press
from tests.support.airbnb import days_ago, fill

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TEXT, SHOWN = "Oui 👍", "Oui"
KEY = "job-1"


async def pressed(site: SimulatedSite, channel: AirbnbChannel, text: str = TEXT) -> Thread:
    """A conversation in which Send was pressed just now."""
    thread = fill(site, 2)[0]
    await channel.open()
    await channel.read(thread.id)
    await channel.write(thread.id, text)
    await channel.reread(thread.id)
    await channel.press_send(thread.id, Press(KEY, thread.messages[-1].id))
    return thread


def shows_ours(view: SeenConversation) -> bool:
    return any(m.external_id == view.made.get(KEY) for m in view.messages)


async def ours(channel: AirbnbChannel, thread: Thread, timeout: float = 10) -> str | None:
    """What stands in the conversation as the message that our press made; None if that is not known."""
    view = await channel.follow(thread.id, shows_ours, timeout)
    if view is None:
        return None
    return next(m.text for m in view.messages if m.external_id == view.made[KEY])


@pytest.mark.parametrize("answer", ["full", "ids", "empty"])
@pytest.mark.parametrize("live", [True, False], ids=["live", "deaf"])
async def test_a_reply_that_lost_its_emoji_is_ours_whatever_the_send_answers(
    site: SimulatedSite, channel: AirbnbChannel, answer: Any, live: bool
):
    site.options.send_response, site.options.live = answer, live
    site.faults.alter_text(drop_emoji)
    thread = await pressed(site, channel)
    assert await ours(channel, thread) == SHOWN
    assert site.inbox.texts(thread) == ["Question 0", SHOWN]
    assert len(site.log.presses()) == 1


async def test_a_reply_of_which_nothing_is_left_is_ours_by_its_id(
    site: SimulatedSite, channel: AirbnbChannel
):
    site.options.send_response = "ids"
    site.faults.alter_text(lambda _: "…")
    thread = await pressed(site, channel, "Our door code is 4711, see you on Friday!")
    assert await ours(channel, thread) == "…"


LOST: dict[str, Callable[[SimulatedSite], object]] = {
    "in the middle": lambda site: site.faults.accept_then_drop(),
    "for ever": lambda site: site.faults.sending_for_ever(),
}


@pytest.mark.parametrize("how", LOST)
async def test_a_rewritten_reply_whose_answer_is_lost_is_ours_by_the_id_that_the_page_made(
    site: SimulatedSite, channel: AirbnbChannel, how: str
):
    site.faults.alter_text(drop_emoji)
    LOST[how](site)
    thread = await pressed(site, channel)
    assert await ours(channel, thread, 15) == SHOWN


async def test_the_list_of_the_next_cycle_still_knows_what_is_ours(
    site: SimulatedSite, channel: AirbnbChannel
):
    site.faults.alter_text(drop_emoji)
    thread = await pressed(site, channel)
    site.log.wait_for("send")
    await ours(channel, thread)
    glance = await channel.glance(days_ago(2))
    told = next(c for c in glance.conversations if c.external_id == thread.id)
    assert told.made == {KEY: thread.messages[-1].id}


async def test_what_the_page_itself_rewrote_is_ours_as_the_only_new_message(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AirbnbChannel, "SETTLED_SEC", 0.5)
    site.options.send_response = "empty"
    site.faults.drop_emoji_on_page()
    thread = await pressed(site, channel)
    assert await ours(channel, thread) == SHOWN


async def test_two_new_messages_of_the_account_leave_a_doubt(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AirbnbChannel, "SETTLED_SEC", 0.5)
    site.faults.drop_emoji_on_page()
    thread = await pressed(site, channel)
    site.inbox.host_writes(thread, "Oui !")
    site.log.wait_for("send")
    assert await ours(channel, thread, 3) is None


async def test_the_hosts_own_words_are_not_ours_while_our_message_vanished(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(AirbnbChannel, "SETTLED_SEC", 0.5)
    site.faults.vanish()
    thread = await pressed(site, channel)
    site.log.wait_for("send")
    site.inbox.host_writes(thread, SHOWN)
    assert await ours(channel, thread, 3) is None
    await channel.read(thread.id, anew=True)
    assert await ours(channel, thread, 1) is None


async def test_nothing_of_it_reaches_the_site(site: SimulatedSite, channel: AirbnbChannel):
    """Listening makes no request: the same kinds and numbers as without a rewritten text."""
    kinds = []
    for change in (str, drop_emoji):
        site.reset()
        site.faults.alter_text(change)
        thread = await pressed(site, channel)
        await ours(channel, thread)
        kinds.append(sorted(entry.kind for entry in site.log.entries if entry.kind in ("document", "send")))
        await channel.close()
    assert kinds[0] == kinds[1] == ["document", "send"]
