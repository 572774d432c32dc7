"""The press and its proof: only what the site itself says is proof, and nothing is pressed twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.airbnb.faults import Faults
from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb.channel import AirbnbChannel
from src.errors import TransientError
from src.model.inbox import AuthorRole, SeenConversation
from tests.support.airbnb import PRESS, deliver, fill, says, texts

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TEXT = "You can arrive from 15:00."


async def pressed(site: SimulatedSite, channel: AirbnbChannel, text: str = TEXT) -> Thread:
    """A conversation in which Send was pressed just now."""
    thread = fill(site, 2)[0]
    await channel.open()
    await channel.read(thread.id)
    await channel.write(thread.id, text)
    await channel.reread(thread.id)
    await channel.press_send(thread.id, PRESS)
    return thread


@pytest.mark.parametrize("answer", ["full", "ids", "empty"])
@pytest.mark.parametrize("live", [True, False], ids=["live", "deaf"])
async def test_a_reply_is_proven_whatever_the_send_answers(
    site: SimulatedSite, channel: AirbnbChannel, answer: Any, live: bool
):
    site.options.send_response = answer
    site.options.live = live
    thread = await pressed(site, channel)
    view = await channel.follow(thread.id, says(TEXT), 10)
    assert texts(view) == ["Question 0", TEXT]
    assert view.newest.role is AuthorRole.HOST
    assert view.newest.external_id == thread.messages[-1].id
    assert site.log.count("document") == 1


async def test_an_equal_text_from_before_is_there_before_and_the_new_one_is_another(
    site: SimulatedSite, channel: AirbnbChannel
):
    thread = fill(site, 1)[0]
    site.inbox.host_writes(thread, TEXT)
    site.inbox.guest_writes(thread, "And on Sunday?")
    await channel.open()
    known = {m.external_id for m in (await channel.read(thread.id)).messages}
    await channel.write(thread.id, TEXT)
    await channel.press_send(thread.id, PRESS)

    def new(view: SeenConversation) -> bool:
        return any(m.external_id not in known and m.text == TEXT for m in view.messages)

    assert len((await channel.follow(thread.id, new, 10)).messages) == 4


async def test_a_bubble_that_vanishes_is_no_proof(site: SimulatedSite, channel: AirbnbChannel):
    site.faults.vanish()
    thread = await pressed(site, channel)
    site.log.wait_for("send")
    assert await channel.follow(thread.id, says(TEXT), 1.5) is None
    assert texts(await channel.read(thread.id, anew=True)) == ["Question 0"]
    assert len(site.log.presses()) == 1


async def test_a_send_that_is_on_its_way_is_no_proof(site: SimulatedSite, channel: AirbnbChannel):
    site.faults.never_answer("send")
    thread = await pressed(site, channel)
    await channel.browser.page.get_by_text(TEXT).first.wait_for()
    assert await channel.follow(thread.id, says(TEXT), 1.5) is None
    assert texts(await channel.read(thread.id, anew=True)) == ["Question 0"]


@pytest.mark.parametrize("item_id", ["uuid", "none", "number"])
async def test_no_form_of_the_bubble_that_is_being_sent_is_proof(
    site: SimulatedSite, channel: AirbnbChannel, item_id: Any
):
    site.options.optimistic_item_id = item_id
    site.faults.status("send", 500)
    thread = await pressed(site, channel)
    site.log.wait_for("send")
    assert await channel.follow(thread.id, says(TEXT), 1.0) is None
    assert len(site.log.presses()) == 1


TAKEN: dict[str, Callable[[Faults], object]] = {
    "never answered, shown as being sent for ever": lambda f: f.sending_for_ever(),
    "the connection breaks in the middle of the answer": lambda f: f.accept_then_drop(),
    "the connection breaks before the answer": lambda f: f.accept_then_drop(reset=True),
    "taken late": lambda f: f.accept_late(0.6),
    "taken late, after the connection broke": lambda f: f.accept_late(0.6, drop=True),
    "answered late": lambda f: f.delay("send", 0.6),
    "drawn twice": lambda f: f.double_bubble(),
}


@pytest.mark.parametrize("how", TAKEN)
@pytest.mark.parametrize("live", [True, False], ids=["live", "deaf"])
async def test_a_reply_that_the_site_took_is_found_without_a_second_press(
    site: SimulatedSite, channel: AirbnbChannel, how: str, live: bool
):
    site.options.live = live
    TAKEN[how](site.faults)
    thread = await pressed(site, channel)
    view = await channel.follow(thread.id, says(TEXT), 15)
    assert texts(view) == ["Question 0", TEXT]
    assert len(site.log.presses()) == 1
    assert site.inbox.texts(thread) == ["Question 0", TEXT]


async def test_a_reply_that_the_site_changed_is_found_as_it_is_shown(
    site: SimulatedSite, channel: AirbnbChannel
):
    site.faults.alter_text()
    thread = await pressed(site, channel, "Call  +351 912 345 678 or a@b.example")

    def by_host(view: SeenConversation) -> bool:
        return view.newest is not None and view.newest.role is AuthorRole.HOST

    view = await channel.follow(thread.id, by_host, 10)
    assert view.newest.text == "Call (phone number hidden by Airbnb) or (email hidden by Airbnb)"


async def test_a_press_that_fails_after_the_site_took_the_message_is_proven_by_looking(
    site: SimulatedSite, channel: AirbnbChannel
):
    thread = fill(site, 2)[0]
    await channel.open()
    await channel.read(thread.id)
    await channel.write(thread.id, TEXT)
    await channel.browser.page.evaluate(
        """() => document.querySelector('button[data-testid="messaging_compose_bar_send_button"]')
             .addEventListener('click', () => { for (const end = Date.now() + 6500; Date.now() < end;); })"""
    )
    with pytest.raises(TransientError):
        await channel.press_send(thread.id, PRESS)
    view = await channel.follow(thread.id, says(TEXT), 15)
    assert texts(view) == ["Question 0", TEXT]
    assert len(site.log.presses()) == 1


async def test_a_press_in_another_conversation_is_refused(site: SimulatedSite, channel: AirbnbChannel):
    threads = fill(site, 2)
    await channel.open()
    await channel.read(threads[0].id)
    await channel.write(threads[0].id, TEXT)
    await channel.browser.page.click(f'a[data-testid="inbox_list_{threads[1].number}"]')
    with pytest.raises(TransientError, match="not on the conversation"):
        await channel.press_send(threads[0].id, PRESS)
    assert site.log.sends() == []


async def test_an_answer_of_the_guest_while_the_proof_is_looked_for_is_seen_too(
    site: SimulatedSite, channel: AirbnbChannel
):
    site.options.live = False
    thread = await pressed(site, channel)
    assert await channel.follow(thread.id, says(TEXT), 10)
    site.inbox.guest_writes(thread, "Thanks!")
    view = await channel.follow(thread.id, lambda v: v.newest.text == "Thanks!", 10)
    assert texts(view) == ["Question 0", TEXT, "Thanks!"]


async def test_ten_replies_in_a_row_are_one_press_each(site: SimulatedSite, channel: AirbnbChannel):
    threads = fill(site, 5)
    await channel.open()
    for n in range(2):
        for thread in threads:
            await deliver(channel, thread, f"Answer {n} to {thread.number}")
    assert len(site.log.presses()) == len(site.log.sends()) == 10
    assert site.log.count("document") == 1
