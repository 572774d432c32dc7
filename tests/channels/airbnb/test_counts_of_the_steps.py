"""What whole SYNC and SEND steps cost the site, its page and the database, by count. No clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Page

from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from src.channels.airbnb.channel import AirbnbChannel
from src.channels.airbnb.list_reader import ListReader
from src.channels.airbnb.thread_reader import ThreadReader
from src.channels.airbnb.visit import Visit
from src.db import accounts, conversations, outbox_queue, outbox_views
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT, ReplyMode, utc_now
from src.services.intake import Rules
from src.services.send import Send
from src.services.sync import Sync
from tests.support.airbnb import fill

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

RULES = Rules(
    max_age=timedelta(hours=24),
    grouping_delay=timedelta(0),
    grouping_max=timedelta(0),
    human_pause=timedelta(0),
    default_mode=ReplyMode.AUTO,
)


@pytest.fixture
def inbox_db(tmp_path: Path) -> Iterator[Database]:
    db = Database.open(f"sqlite:///{tmp_path / 'inbox.db'}")
    with db.write() as conn:
        accounts.ensure(conn, DEFAULT_ACCOUNT, utc_now())
    yield db
    db.close()


@pytest.fixture
def wakeup(inbox_db: Database) -> Iterator[Wakeup]:
    made = Wakeup(inbox_db)
    yield made
    made.close()


@pytest.fixture
def sync(inbox_db: Database, wakeup: Wakeup) -> Sync:
    return Sync(inbox_db, account=DEFAULT_ACCOUNT, rules=RULES, wakeup=wakeup, clock=utc_now)


@pytest.fixture(autouse=True)
def page_given_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted is not changed by a slow machine: no page load for an answer that came late."""
    monkeypatch.setattr(Visit, "REFRESH_SEC", 20.0)
    monkeypatch.setattr(Visit, "PROMPT_SEC", 20.0)
    monkeypatch.setattr(ListReader, "NEXT_STRETCH_SEC", 20.0)
    monkeypatch.setattr(ThreadReader, "LISTED_SEC", 120.0)


@pytest.fixture
def impatient_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look asks the page for its list, as it does when the last one is a while ago."""
    monkeypatch.setattr(ListReader, "FRESH_SEC", -1.0)


def kinds(site: SimulatedSite, since: int) -> dict[str, int]:
    wanted = ("document", "asset", "list", "thread", "send")
    return {kind: number for kind in wanted if (number := site.log.count(kind, since=since))}


def status_of(db: Database) -> OutboxStatus:
    """Of the only reply."""
    with db.read() as conn:
        return next(
            status for status in OutboxStatus if outbox_views.list_jobs(conn, DEFAULT_ACCOUNT, status, 1)
        )


def enqueue(db: Database, thread: Thread, text: str) -> None:
    with db.write() as conn:
        home = conversations.ensure_named(conn, DEFAULT_ACCOUNT, thread.id, utc_now())
        outbox_queue.enqueue(
            conn, DEFAULT_ACCOUNT, home.id, text, request_id=None, idempotency_key=str(uuid4()), now=utc_now()
        )


@pytest.mark.parametrize("number", [20, 200, 1000])
async def test_an_idle_cycle_costs_one_list_however_long_the_inbox(
    site: SimulatedSite, channel: AirbnbChannel, sync: Sync, impatient_list: None, number: int
):
    # All but a few are older than what is looked at: the first cycle need not go through all of them.
    fill(site, number, minutes_apart=180)
    site.options.live = False
    await channel.open()
    await sync.run_once(channel)
    before = site.log.mark
    for _ in range(3):
        assert (await sync.run_once(channel)).opened == 0
    assert kinds(site, before) == {"list": 3}


@pytest.mark.parametrize("changed", [1, 2, 5])
async def test_a_cycle_opens_what_has_changed_and_nothing_else(
    site: SimulatedSite, channel: AirbnbChannel, sync: Sync, impatient_list: None, changed: int
):
    threads = fill(site, 20)
    site.options.live = False
    await channel.open()
    await sync.run_once(channel)
    for thread in threads[6 : 6 + changed]:
        site.inbox.guest_writes(thread, "news")
    before = site.log.mark
    report = await sync.run_once(channel)
    assert (report.changed, report.opened, report.queued) == (changed, changed, changed)
    assert kinds(site, before) == {"list": 1, "thread": changed}


async def test_a_reply_costs_one_post_and_no_page_load(
    site: SimulatedSite, channel: AirbnbChannel, sync: Sync, wakeup: Wakeup, inbox_db: Database
):
    threads = fill(site, 6)
    await channel.open()
    await sync.run_once(channel)
    await channel.read(threads[5].id)
    enqueue(inbox_db, threads[0], "The key box is beside the blue door.")
    send = Send(inbox_db, account=DEFAULT_ACCOUNT, owner="test", rules=RULES, wakeup=wakeup, clock=utc_now)
    before = site.log.mark
    assert await send.run_once(channel) == 1
    counted = kinds(site, before)
    assert counted["send"] == 1
    assert counted["thread"] <= 2  # the click, and what the page itself asks after the send
    assert {"document", "asset"}.isdisjoint(counted)


async def answered(
    site: SimulatedSite, channel: AirbnbChannel, sync: Sync, inbox_db: Database
) -> tuple[Thread, int]:
    """A guest's message that SYNC has just read, the page still there, and the reply to it; and the log's mark."""
    threads = fill(site, 6)
    for thread in threads:
        site.inbox.mark_read(thread)
    site.options.live, site.options.mark_read_after = False, 86_400.0
    await channel.open()
    await sync.run_once(channel)
    site.inbox.guest_writes(threads[0], "Where is the key?")
    assert (await sync.run_once(channel)).opened == 1
    enqueue(inbox_db, threads[0], "The key box is beside the blue door.")
    return threads[0], site.log.mark


async def test_what_sync_has_just_read_is_not_read_again_before_its_reply(
    site: SimulatedSite,
    channel: AirbnbChannel,
    sync: Sync,
    wakeup: Wakeup,
    inbox_db: Database,
    impatient_list: None,
):
    _, before = await answered(site, channel, sync, inbox_db)
    send = Send(inbox_db, account=DEFAULT_ACCOUNT, owner="test", rules=RULES, wakeup=wakeup, clock=utc_now)
    assert await send.run_once(channel) == 1
    sent = site.log.find("send", since=before)
    assert len(sent) == 1
    assert site.log.count("thread", since=before) == 0
    # One between arm and press; the page itself asks once more after its send.
    asked = [entry for entry in site.log.find("list", since=before) if entry.clock < sent[0].clock]
    assert len(asked) == 1


async def test_who_writes_after_that_reading_is_seen_before_the_press(
    site: SimulatedSite,
    channel: AirbnbChannel,
    sync: Sync,
    wakeup: Wakeup,
    inbox_db: Database,
    impatient_list: None,
):
    thread, before = await answered(site, channel, sync, inbox_db)
    site.inbox.host_writes(thread, "I have answered from my phone.")
    send = Send(inbox_db, account=DEFAULT_ACCOUNT, owner="test", rules=RULES, wakeup=wakeup, clock=utc_now)
    assert await send.run_once(channel) == 1
    assert site.log.count("send", since=before) == 0
    assert status_of(inbox_db) == OutboxStatus.CANCELLED


async def test_nothing_is_pressed_on_that_reading_when_the_page_does_not_tell_its_news(
    site: SimulatedSite,
    channel: AirbnbChannel,
    sync: Sync,
    wakeup: Wakeup,
    inbox_db: Database,
    impatient_list: None,
    monkeypatch: pytest.MonkeyPatch,
):
    thread, before = await answered(site, channel, sync, inbox_db)
    monkeypatch.setattr(Visit, "REFRESH_SEC", 1.0)
    failing = site.faults.status("list", 500, times=None)
    site.inbox.host_writes(thread, "I have answered from my phone.")
    later = timedelta(0)

    def clock() -> datetime:
        return utc_now() + later

    send = Send(inbox_db, account=DEFAULT_ACCOUNT, owner="test", rules=RULES, wakeup=wakeup, clock=clock)
    await send.run_once(channel)
    assert site.log.count("send", since=before) == 0
    assert status_of(inbox_db) == OutboxStatus.PENDING
    failing.times, later = 0, timedelta(minutes=1)
    monkeypatch.setattr(Visit, "REFRESH_SEC", 20.0)
    await send.run_once(channel)
    assert site.log.count("send", since=before) == 0
    assert status_of(inbox_db) == OutboxStatus.CANCELLED


@pytest.mark.parametrize("live", [True, False], ids=["live page", "silent page"])
async def test_after_a_reply_the_next_cycle_loads_no_page(
    site: SimulatedSite,
    channel: AirbnbChannel,
    sync: Sync,
    wakeup: Wakeup,
    inbox_db: Database,
    live: bool,
):
    threads = fill(site, 6)
    for thread in threads:
        site.inbox.mark_read(thread)
    site.options.live = live
    await channel.open()
    await sync.run_once(channel)
    enqueue(inbox_db, threads[0], "The key box is beside the blue door.")
    send = Send(inbox_db, account=DEFAULT_ACCOUNT, owner="test", rules=RULES, wakeup=wakeup, clock=utc_now)
    assert await send.run_once(channel) == 1
    before = site.log.mark
    for _ in range(3):
        await sync.run_once(channel)
    counted = kinds(site, before)
    assert {"document", "asset"}.isdisjoint(counted)
    assert counted.get("thread", 0) <= 2


async def test_reading_a_conversation_costs_the_browser_the_same_whatever_its_length(
    site: SimulatedSite, channel: AirbnbChannel, monkeypatch: pytest.MonkeyPatch
):
    threads = fill(site, 4)
    for n in range(40):
        site.inbox.guest_writes(threads[1], f"line {n}")
    await channel.open()
    trips: list[str] = []
    evaluate = Page.evaluate

    async def counted(self: Page, expression: str, arg: object = None) -> object:
        trips.append(expression)
        return await evaluate(self, expression, arg)

    monkeypatch.setattr(Page, "evaluate", counted)
    used = []
    for thread in (threads[0], threads[1]):
        trips.clear()
        view = await channel.read(thread.id)
        used.append(sum("data-item-id" in script or "itemId" in script for script in trips))
        assert len(trips) <= 6
    assert len(view.messages) == 41
    assert used[1] <= used[0] + 1  # the page may still be drawing at the first look
