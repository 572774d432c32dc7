"""Reading the list: in order, without gaps, and never empty without being so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.airbnb.comebacks import COMEBACKS
from src.channels.airbnb.coverage import Coverage
from src.channels.airbnb.list_reader import ListReader
from src.channels.airbnb.visit import Visit
from src.errors import NotUnderstood, PageChanged
from tests.support.airbnb import OWNER_ONLY, days_ago, fill, listed, mode

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

VERY_OLD = 10_000


@pytest.fixture
def asks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every glance asks the page for its news, however lately the list was told."""
    monkeypatch.setattr(ListReader, "FRESH_SEC", -1.0)


async def test_the_newest_activity_comes_first(site: SimulatedSite, channel: AirbnbChannel):
    threads = fill(site, 5)
    await channel.open()
    assert listed(await channel.glance(days_ago(7))) == [thread.id for thread in threads]
    site.inbox.guest_writes(threads[3], "anybody there?")
    assert await channel.wait_for_news(10)
    glance = await channel.glance(days_ago(7))
    assert listed(glance)[0] == threads[3].id
    assert glance.conversations[0].newest.text == "anybody there?"
    assert sorted(listed(glance)) == sorted(thread.id for thread in threads)


async def test_the_list_is_read_back_to_the_asked_time_and_not_further(
    site: SimulatedSite, channel: AirbnbChannel
):
    threads = fill(site, 60)
    await channel.open()
    glance = await channel.glance(datetime.now(UTC) - timedelta(hours=20))
    assert glance.complete
    assert listed(glance)[:20] == [thread.id for thread in threads[:20]]
    assert len(glance.conversations) == 30
    assert site.log.count("list") == 2


async def test_thorough_reads_one_whole_stretch_further(site: SimulatedSite, channel: AirbnbChannel):
    fill(site, 60)
    await channel.open()
    glance = await channel.glance(datetime.now(UTC) - timedelta(hours=20), thorough=True)
    assert glance.complete
    assert len(glance.conversations) == 45
    assert site.log.count("list") == 3


@pytest.mark.parametrize("virtualised", [False, True], ids=["all rows", "virtualised"])
async def test_two_hundred_conversations_are_read_to_the_last(
    site: SimulatedSite, channel: AirbnbChannel, virtualised: bool
):
    site.options.virtualised = virtualised
    threads = fill(site, 200)
    await channel.open()
    glance = await channel.glance(days_ago(VERY_OLD))
    assert listed(glance) == [thread.id for thread in threads]
    assert glance.complete
    assert site.log.count("document") == 1
    assert site.log.count("list") == 14
    assert site.log.count("thread") == 0
    site.inbox.guest_writes(threads[150], "and now?")
    assert await channel.wait_for_news(10)
    glance = await channel.glance(days_ago(VERY_OLD))
    assert listed(glance)[0] == threads[150].id
    assert len(glance.conversations) == 200
    assert site.log.count("document") == 1


async def test_a_list_that_goes_on_by_a_button_is_read_to_the_last(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ListReader, "NEXT_STRETCH_SEC", 1.0)
    site.options.load_more_button = True
    threads = fill(site, 50)
    await channel.open()
    assert listed(await channel.glance(days_ago(VERY_OLD))) == [thread.id for thread in threads]
    assert site.log.count("document") == 1
    assert site.log.count("list") == 4


@pytest.mark.parametrize(("thorough", "stretches"), [(False, 2), (True, 3)])
async def test_priority_conversations_neither_end_nor_lengthen_the_search(
    site: SimulatedSite, channel: AirbnbChannel, thorough: bool, stretches: int
):
    threads = fill(site, 70)
    starred = site.inbox.add_thread(guest="Starred", priority=True, says="long ago", at=days_ago(300))
    threads[0].priority = True
    await channel.open()
    glance = await channel.glance(datetime.now(UTC) - timedelta(hours=20), thorough=thorough)
    assert glance.complete
    assert set(listed(glance)) >= {thread.id for thread in threads[:20]} | {starred.id}
    assert site.log.count("list") == stretches


async def test_the_list_may_change_while_it_is_read(site: SimulatedSite, channel: AirbnbChannel):
    threads = fill(site, 50)

    def news(thread: Thread, text: str, _: object) -> None:
        site.inbox.guest_writes(thread, text)

    await channel.open()
    for n, thread in enumerate((threads[40], threads[44], threads[49])):
        site.faults.on_event("list", partial(news, thread, f"news {n}"))
    glance = await channel.glance(days_ago(VERY_OLD))
    assert sorted(listed(glance)) == sorted(thread.id for thread in threads)
    await channel.wait_for_news(2)
    glance = await channel.glance(days_ago(VERY_OLD))
    newest = {c.external_id: c.newest.text for c in glance.conversations}
    assert [newest[threads[n].id] for n in (40, 44, 49)] == ["news 0", "news 1", "news 2"]


async def test_more_news_at_once_than_one_stretch_holds_are_all_read(
    site: SimulatedSite, channel: AirbnbChannel, asks_each_time: None
):
    site.options.live = False
    threads = fill(site, 90)
    await channel.open()
    since = datetime.now(UTC) - timedelta(hours=20)
    await channel.glance(since)
    for thread in threads[50:70]:
        site.inbox.guest_writes(thread, "and now?")
    glance = await channel.glance(since)
    newest = {c.external_id: c.newest.text for c in glance.conversations}
    assert [newest.get(thread.id) for thread in threads[50:70]] == ["and now?"] * 20


async def test_a_list_that_never_holds_still_is_given_up_after_a_few_page_loads(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch
):
    fill(site, 40)
    await channel.open()
    await channel.glance(days_ago(0.1))
    before = site.log.mark
    monkeypatch.setattr(Coverage, "reaches", lambda *_, **__: False)
    monkeypatch.setattr(Coverage, "add", lambda coverage, _: setattr(coverage, "broken", True))
    with pytest.raises(NotUnderstood):
        await channel.glance(days_ago(VERY_OLD))
    assert site.log.count("document", since=before) == ListReader.LOADS_AT_MOST


# --- empty and not empty -------------------------------------------------------------------------------------


async def test_an_inbox_without_conversations_is_empty(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    await channel.open()
    glance = await channel.glance(days_ago(7))
    assert glance.conversations == ()
    assert glance.complete
    assert glance.viewer_id == str(site.inbox.viewer.account_id)


async def test_the_first_conversation_of_an_empty_inbox_is_news(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    await channel.open()
    assert (await channel.glance(days_ago(7))).conversations == ()
    thread = site.inbox.add_thread(says="Hello")
    assert await channel.wait_for_news(10)
    assert listed(await channel.glance(days_ago(7))) == [thread.id]


@pytest.mark.parametrize("fault", ["blank", "truncate", "graphql_errors", "drop", "status"])
async def test_a_refresh_that_cannot_be_read_is_an_error_and_never_an_empty_list(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None, asks_each_time: None, fault: str
):
    threads = fill(site, 3)
    await channel.open()
    await channel.glance(days_ago(7))
    rule = getattr(site.faults, fault)("list", times=None)
    with pytest.raises(NotUnderstood):
        await channel.glance(days_ago(7))
    rule.times = 0
    assert listed(await channel.glance(days_ago(7))) == [thread.id for thread in threads]


async def test_one_refresh_that_cannot_be_read_is_made_good_by_loading_the_page(
    site: SimulatedSite, channel: AirbnbChannel, asks_each_time: None
):
    threads = fill(site, 3)
    await channel.open()
    await channel.glance(days_ago(7))
    site.faults.status("list", 500)
    assert listed(await channel.glance(days_ago(7))) == [thread.id for thread in threads]
    assert site.log.count("document") == 2
    documents = site.log.count("document")
    await channel.glance(days_ago(7))
    assert site.log.count("document") == documents


async def test_a_fetch_that_came_by_coincidence_is_not_learned_as_a_way_that_works(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch
):
    # The page asks by itself well within the time in which its answer is waited for, and never when asked to.
    monkeypatch.setattr(Visit, "PROMPT_SEC", 0.1)
    site.options.live, site.options.asks_on_return, site.options.list_every = False, False, 0.9
    thread = fill(site, 3)[0]
    await channel.open()
    await channel.read(thread.id)
    visit = channel._visit
    for _ in range(100):
        await channel.reread(thread.id)
        if not visit.refreshes_gently:
            break
    assert not visit.refreshes_gently, "it still waits for a fetch that it does not cause"


@pytest.mark.parametrize("every", [0.0, 0.4], ids=["asks nothing by itself", "asks by itself, too"])
async def test_a_page_that_asks_when_one_comes_back_is_asked_in_that_way(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch, every: float
):
    monkeypatch.setattr(Visit, "PROMPT_SEC", 20.0)  # a slow machine is no page that does not ask
    site.options.live, site.options.list_every = False, every
    fill(site, 3)
    await channel.open()
    for _ in range(8):
        assert await channel._visit.try_news()
    assert (channel._visit.comebacks.way, channel._visit.comebacks.works) == (COMEBACKS[0], True)


async def test_a_further_stretch_that_fails_is_not_a_changed_page(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    fill(site, 40)
    await channel.open()
    site.faults.status("list", 500, skip=0, times=2)
    site.faults.status("list", 500, skip=1, times=None)
    with pytest.raises(NotUnderstood):
        await channel.glance(days_ago(VERY_OLD))


async def test_a_list_that_was_refilled_after_an_empty_answer_is_whole(
    site: SimulatedSite, channel: AirbnbChannel, asks_each_time: None
):
    threads = fill(site, 3)
    await channel.open()
    await channel.glance(days_ago(7))
    site.faults.empty_first("list")
    assert listed(await channel.glance(days_ago(7))) == [thread.id for thread in threads]


# --- the rows as second witness ------------------------------------------------------------------------------


async def test_a_row_that_is_missing_is_a_changed_page(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    threads = fill(site, 3)
    site.faults.hide_row(threads[1].number)
    await channel.open()
    with pytest.raises(PageChanged) as caught:
        await channel.glance(days_ago(7))
    assert caught.value.what == "a row for each conversation in the data"
    assert mode(caught.value.evidence) == OWNER_ONLY


async def test_a_row_that_the_data_do_not_know_is_a_changed_page(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None
):
    fill(site, 3)
    site.faults.ghost_row(77)
    await channel.open()
    with pytest.raises(PageChanged) as caught:
        await channel.glance(days_ago(7))
    assert caught.value.what == "no row that the data do not know"
    assert mode(caught.value.evidence) == OWNER_ONLY


async def test_rows_under_another_name_are_a_changed_page(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None, asks_each_time: None
):
    fill(site, 3)
    await channel.open()
    await channel.glance(days_ago(7))
    await channel.browser.page.evaluate(
        """() => {
          const rename = () => document.querySelectorAll('[data-testid^="inbox_list_"]').forEach(
            row => row.setAttribute('data-testid', row.dataset.testid.replace('inbox_list_', 'row_')));
          rename();
          new MutationObserver(rename).observe(document.body, {subtree: true, childList: true});
        }"""
    )
    with pytest.raises(PageChanged):
        await channel.glance(days_ago(7))


async def test_a_row_that_went_missing_before_the_page_was_loaded_anew_is_not_missed(
    site: SimulatedSite, channel: AirbnbChannel, impatient: None, asks_each_time: None
):
    threads = fill(site, 3)
    await channel.open()
    rule = site.faults.blank("list", times=None)
    with pytest.raises(NotUnderstood):
        await channel.glance(days_ago(7))
    rule.times = 0
    del site.inbox._threads[threads[0].number]
    assert listed(await channel.glance(days_ago(7))) == [thread.id for thread in threads[1:]]


# --- news ----------------------------------------------------------------------------------------------------


async def test_a_list_that_tells_nothing_new_is_no_news(site: SimulatedSite, channel: AirbnbChannel):
    thread = fill(site, 2)[0]
    await channel.open()
    await channel.glance(days_ago(7))
    before = site.log.mark
    site.inbox.mark_read(thread)
    site.log.wait_for("list", since=before)
    assert not await channel.wait_for_news(1)
    site.inbox.guest_writes(thread, "hello?")
    assert await channel.wait_for_news(10)


async def test_a_page_that_hears_nothing_by_itself_is_asked(
    site: SimulatedSite, channel: AirbnbChannel, asks_each_time: None
):
    site.options.live = False
    threads = fill(site, 3)
    await channel.open()
    await channel.glance(days_ago(7))
    site.inbox.guest_writes(threads[2], "hello?")
    assert listed(await channel.glance(days_ago(7)))[0] == threads[2].id
    assert site.log.count("document") == 1
