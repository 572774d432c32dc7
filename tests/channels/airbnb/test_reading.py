"""Reading one conversation: the right one, as it is now, with all that stands in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.airbnb.ids import global_id
from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb.channel import AirbnbChannel
from src.errors import NotUnderstood, PageChanged, PermanentError, TransientError
from src.model.inbox import AuthorRole, MessageKind
from tests.support.airbnb import days_ago, fill, texts

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# A client that keeps every conversation that it has fetched, and asks for none of them twice.
KEEPS_THREADS = """
() => {
  const real = window.fetch, kept = new Map();
  window.fetch = async (address, init) => {
    if (!String(address).includes('ViaductGetThreadAndDataQuery')) return real(address, init);
    if (!kept.has(address)) kept.set(address, await (await real(address, init)).text());
    return new Response(kept.get(address), {headers: {'content-type': 'application/json'}});
  };
}
"""


def long_thread(site: SimulatedSite, number: int) -> Thread:
    start = datetime.now(UTC) - timedelta(days=1)
    thread = site.inbox.add_thread(guest="Ana", at=start)
    for n in range(number):
        write = site.inbox.host_writes if n % 3 == 2 else site.inbox.guest_writes
        write(thread, f"message {n}", at=start + timedelta(minutes=n))
    return thread


async def test_a_conversation_is_opened_by_a_click_in_the_list(site: SimulatedSite, channel: AirbnbChannel):
    threads = fill(site, 3)
    await channel.open()
    view = await channel.read(threads[1].id)
    assert view.opened
    assert view.external_id == threads[1].id
    assert texts(view) == ["Question 1"]
    assert not view.has_older
    assert site.log.count("document") == 1
    assert channel.browser.page.url == site.thread_url(threads[1])


async def test_a_conversation_that_is_not_in_the_list_is_opened_by_its_address(
    site: SimulatedSite, channel: AirbnbChannel
):
    threads = fill(site, 40)
    await channel.open()
    view = await channel.read(threads[35].id)
    assert texts(view) == ["Question 35"]
    assert site.log.count("document") == 2
    assert len((await channel.glance(days_ago(1))).conversations) >= 15


async def test_the_reservation_panel_tells_the_listings_name_and_the_guests(
    site: SimulatedSite, channel: AirbnbChannel
):
    threads = fill(site, 2)
    for thread in threads:
        site.inbox.service_bulletin(thread)
    site.inbox.guest_writes(threads[1], "Is there a cot?")
    await channel.open()
    await channel.read(threads[1].id)
    stay = threads[1].stay
    section = channel.browser.page.get_by_test_id("hosting-details-reservation-info-section")
    await section.get_by_text(str(stay.code)).wait_for()
    known = (await channel.reread(threads[1].id)).stay
    assert (known["listing_name"], known["guests"]) == (stay.listing_name, str(stay.guests))
    # The panel may still be the first conversation's while the other one is read: nothing of it is taken over.
    other = (await channel.read(threads[0].id)).stay
    assert other.get("guests", str(threads[0].stay.guests)) == str(threads[0].stay.guests)


async def test_anew_loads_the_page_by_its_address(site: SimulatedSite, channel: AirbnbChannel):
    threads = fill(site, 3)
    await channel.open()
    await channel.read(threads[1].id)
    view = await channel.read(threads[1].id, anew=True)
    assert texts(view) == ["Question 1"]
    assert site.log.count("document") == 2


async def test_a_conversation_that_the_page_keeps_is_read_from_the_site_and_not_from_its_memory(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    site.options.live = False
    threads = fill(site, 2)
    await channel.open()
    await channel.browser.page.evaluate(KEEPS_THREADS)
    await channel.read(threads[0].id)
    await channel.read(threads[1].id)
    site.inbox.guest_writes(threads[0], "one more thing")
    assert texts(await channel.read(threads[0].id)) == ["Question 0", "one more thing"]


async def test_an_empty_first_answer_is_waited_out(site: SimulatedSite, channel: AirbnbChannel):
    thread = fill(site, 2)[0]
    site.faults.empty_first("thread", thread=thread.number)
    await channel.open()
    assert texts(await channel.read(thread.id)) == ["Question 0"]


async def test_a_conversation_that_stays_empty_is_not_understood(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    thread = fill(site, 2)[0]
    site.faults.empty_first("thread", times=None)
    await channel.open()
    with pytest.raises(NotUnderstood):
        await channel.read(thread.id)


@pytest.mark.parametrize("fault", ["blank", "truncate", "graphql_errors", "drop", "status"])
async def test_a_conversation_that_cannot_be_read_is_an_error_and_then_read(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None, fault: str
):
    thread = fill(site, 2)[0]
    rule = getattr(site.faults, fault)("thread", times=None)
    await channel.open()
    with pytest.raises(NotUnderstood):
        await channel.read(thread.id)
    rule.times = 0
    assert texts(await channel.read(thread.id)) == ["Question 0"]


async def test_one_failed_answer_is_made_good_by_loading_the_page(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    thread = fill(site, 2)[0]
    site.faults.status("thread", 500)
    await channel.open()
    assert texts(await channel.read(thread.id)) == ["Question 0"]


async def test_a_conversation_that_never_answers_is_not_a_missing_one(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    threads = fill(site, 2)
    await channel.open()
    await channel.read(threads[1].id)
    site.faults.never_answer("thread", thread=threads[0].number, times=None)
    with pytest.raises(TransientError):
        await channel.read(threads[0].id)


@pytest.mark.parametrize("address", ["clicked", "opened"])
async def test_a_click_that_opens_another_conversation_is_noticed(
    site: SimulatedSite,
    channel: AirbnbChannel,
    monkeypatch: pytest.MonkeyPatch,
    impatient: None,
    address: Any,
):
    threads = fill(site, 2)
    site.faults.wrong_thread(threads[0].number, threads[1].number, address)
    await channel.open()
    view = await channel.read(threads[0].id)
    assert view.external_id == threads[0].id
    assert texts(view) == ["Question 0"]


async def test_a_conversation_that_does_not_exist_is_an_error(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    fill(site, 1)
    await channel.open()
    with pytest.raises((PermanentError, NotUnderstood)):
        await channel.read(global_id("MessageThread", 99))


async def test_a_conversation_that_the_site_says_is_not_there_is_named_so(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    fill(site, 1)
    await channel.open()
    answer = {"json": {"data": {"threadData": None}}}
    await channel.browser.page.route("**/ViaductGetThread*/**", lambda route: route.fulfill(**answer))
    with pytest.raises(PermanentError) as caught:
        await channel.read(global_id("MessageThread", 99))
    assert caught.value.reason == "no_such_conversation"


@pytest.mark.parametrize("external_id", ["", "99", "TWVzc2FnZTo5OQ==", "MessageThread:99"])
async def test_what_is_no_id_is_asked_nobody(site: SimulatedSite, channel: AirbnbChannel, external_id: str):
    fill(site, 1)
    await channel.open()
    before = site.log.mark
    with pytest.raises(PermanentError) as caught:
        await channel.read(external_id)
    assert caught.value.reason == "no_such_conversation"
    assert site.log.count("document", since=before) == 0


@pytest.mark.parametrize("by_address", [False, True], ids=["by click", "by address"])
async def test_older_messages_are_loaded_until_it_is_enough(
    site: SimulatedSite, channel: AirbnbChannel, by_address: bool
):
    thread = long_thread(site, 120)
    await channel.open()
    view = await channel.read(thread.id, anew=by_address)
    assert (len(view.messages), view.has_older) == (50, True)
    view = await channel.read(thread.id, enough=lambda v: len(v.messages) >= 70, anew=True)
    assert (len(view.messages), view.has_older) == (100, True)
    view = await channel.read(thread.id, enough=lambda _: False, anew=True)
    assert texts(view) == [f"message {n}" for n in range(120)]
    assert not view.has_older


async def test_older_messages_that_do_not_come_leave_what_is_there(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    thread = long_thread(site, 60)
    site.faults.status("thread", 500, skip=1, times=None)
    await channel.open()
    view = await channel.read(thread.id, enough=lambda _: False)
    assert texts(view) == [f"message {n}" for n in range(10, 60)]
    assert view.has_older


async def test_older_messages_are_announced_as_a_boolean_too(site: SimulatedSite, channel: AirbnbChannel):
    site.options.has_older_as_bool = True
    thread = long_thread(site, 60)
    await channel.open()
    assert len((await channel.read(thread.id, enough=lambda _: False)).messages) == 60


@pytest.mark.parametrize("locale", ["en", "fr", "ja"])
async def test_every_kind_of_message_is_told_in_every_language(
    site: SimulatedSite, channel: AirbnbChannel, locale: Any
):
    site.options.locale = locale
    site.options.guest_label = "bare"
    site.options.own_labelled = True
    site.options.header_omits_guest = True
    site.options.last_item_marker = False
    inbox = site.inbox
    thread = inbox.add_thread(guest="Ana", cotravellers=["Ben"], cohost="Kim", says="Hello")
    inbox.service_bulletin(thread)
    inbox.card(thread)
    inbox.media(thread)
    inbox.strange(thread)
    inbox.cohost_writes(thread, "from the co-host")
    inbox.unsend(inbox.guest_writes(thread, "taken back"))
    inbox.host_writes(thread, "from the host")
    edited = inbox.guest_writes(thread, "from Ben", by="Ben")
    inbox.edit(edited, "from Ben, edited")
    await channel.open()
    view = await channel.read(thread.id)
    assert [(m.text, m.role, m.kind, m.deleted) for m in view.messages] == [
        ("Hello", AuthorRole.GUEST, MessageKind.TEXT, False),
        (None, AuthorRole.SITE, MessageKind.BULLETIN, False),
        (None, AuthorRole.GUEST, MessageKind.CARD, False),
        (None, AuthorRole.GUEST, MessageKind.MEDIA, False),
        (None, AuthorRole.GUEST, MessageKind.UNSUPPORTED, False),
        ("from the co-host", AuthorRole.TEAM, MessageKind.TEXT, False),
        (None, AuthorRole.GUEST, MessageKind.TEXT, True),
        ("from the host", AuthorRole.HOST, MessageKind.TEXT, False),
        ("from Ben, edited", AuthorRole.COTRAVELLER, MessageKind.TEXT, False),
    ]
    assert view.newest.edited_at is not None
    assert view.guest_name == "Ana"


@pytest.mark.parametrize(
    "add",
    ["support_thread", "ambassador_thread", "announcement_thread", "own_trip_thread", "cohost_direct_thread"],
)
async def test_conversations_that_are_no_guests_are_read_as_what_they_are(
    site: SimulatedSite, channel: AirbnbChannel, add: str
):
    thread = getattr(site.inbox, add)()
    await channel.open()
    view = await channel.read(thread.id)
    assert not (view.is_stay and view.is_hosting and view.viewer_is_host)
    assert view.newest.role in {AuthorRole.TEAM, AuthorRole.SITE}


async def test_a_conversation_whose_messages_stand_under_another_name_is_a_changed_page(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    thread = fill(site, 2)[0]
    await channel.open()
    site.faults.rename_ids()
    with pytest.raises(PageChanged) as caught:
        await channel.read(thread.id)
    assert caught.value.what == "the list of messages"


async def test_rereading_sees_what_came_after_the_opening(site: SimulatedSite, channel: AirbnbChannel):
    site.options.live = False
    thread = fill(site, 2)[0]
    await channel.open()
    await channel.read(thread.id)
    site.inbox.guest_writes(thread, "wait")
    view = await channel.reread(thread.id)
    assert texts(view) == ["Question 0", "wait"]
    site.inbox.host_writes(thread, "from my phone")
    assert (await channel.reread(thread.id)).newest.role is AuthorRole.HOST
    site.inbox.unsend(thread.messages[-1])
    assert (await channel.reread(thread.id)).newest.deleted


async def test_only_the_open_conversation_can_be_reread_or_written_to(
    site: SimulatedSite, channel: AirbnbChannel
):
    threads = fill(site, 2)
    await channel.open()
    for act in (channel.reread(threads[0].id), channel.write(threads[0].id, "no")):
        with pytest.raises(TransientError, match="open one"):
            await act
    await channel.read(threads[1].id)
    for act in (channel.reread(threads[0].id), channel.write(threads[0].id, "no")):
        with pytest.raises(TransientError, match="open one"):
            await act
    await channel.glance(days_ago(1))
    with pytest.raises(TransientError, match="open one"):
        await channel.write(threads[1].id, "no")
