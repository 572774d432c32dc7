"""Several messages for one answer, typing, and first messages, on a real database of an app."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from sandbox.pgnotify.app import MAPPING, TYPING_MAPPING
from src.channels.pgnotify.settings import PgnotifySettings
from src.errors import SettingsError
from src.model.statuses import CancelReason, OutboxStatus
from src.services.intake import StartRules
from tests.channels.pgnotify.whole import AT_ONCE, Whole
from tests.support.house import RULES

pytestmark = pytest.mark.postgres
ours_on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NOW = timedelta(0)
STARTS = StartRules(NOW, NOW, timedelta(minutes=10), needs_confirmation=False)
PARTS = ("Hello!", "Yes, of course.", "See you")


@pytest_asyncio.fixture
async def channel(make_channel):
    made = make_channel(MAPPING + TYPING_MAPPING, start=True)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def whole(db, channel):
    made = Whole(db, channel, replace(AT_ONCE, start=STARTS))
    made.house.account_changes = {
        "channel": "pgnotify",
        "own": PgnotifySettings(),
        "disclosure": "first_message",
    }
    yield made
    made.house.wakeup.close()


@ours_on_sqlite
async def test_three_parts_stand_in_the_apps_table_in_their_order(app, whole):
    match = app.match()
    app.user_writes(match, "Hello?")
    await whole.house.sync.run_once(whole.channel)
    (request,) = whole.house.ask_ai()
    whole.house.answer(request, parts=PARTS)
    await whole.settle()
    first, *rest = app.answers(match)
    assert first.startswith("I am an AI assistant")
    assert first.endswith(PARTS[0])
    assert rest == list(PARTS[1:])


@ours_on_sqlite
async def test_who_writes_between_two_parts_cancels_the_rest(app, whole):
    match = app.match()
    app.user_writes(match, "Hello?")
    await whole.house.sync.run_once(whole.channel)
    (request,) = whole.house.ask_ai()
    whole.house.answer(request, parts=PARTS)
    press = whole.channel.press_send
    pressed: list[object] = []

    async def pressed_then_answered(*given):
        receipt = await press(*given)
        if not pressed:
            app.user_writes(match, "One more thing")
        pressed.append(receipt)
        return receipt

    whole.channel.press_send = pressed_then_answered
    await whole.house.send.run_once(whole.channel)
    whole.channel.press_send = press
    assert [job.status for job in whole.house.jobs()] == [
        OutboxStatus.SENT,
        OutboxStatus.CANCELLED,
        OutboxStatus.CANCELLED,
    ]
    assert whole.house.jobs()[1].reason == CancelReason.GUEST_WROTE_AGAIN
    await whole.settle()
    assert app.texts(match)[-1].startswith("Answer")


@ours_on_sqlite
async def test_a_new_match_is_greeted_once(app, whole):
    await whole.settle()
    match = app.match()
    await whole.settle()
    (greeting,) = app.answers(match)
    assert "Answer 1" in greeting
    await whole.settle()
    assert len(app.texts(match)) == 1


@ours_on_sqlite
async def test_a_match_whose_bell_nobody_heard_is_found_by_the_look(app, whole):
    await whole.settle()
    app.conn.execute("DROP TRIGGER tell_match ON matches")
    match = app.match()
    whole.channel._ear.told(None)
    await whole.settle()
    assert len(app.answers(match)) == 1


@ours_on_sqlite
async def test_after_a_nights_outage_no_match_is_greeted(app, whole):
    match = app.match()
    app.conn.execute("UPDATE matches SET created_at = now() - interval '8 hours'")
    await whole.settle()
    assert app.texts(match) == []
    with whole.house.db.read() as conn:
        rows = conn.exec_driver_sql("SELECT kind, status, reason FROM queue_inbox").all()
    assert rows == [("start", "expired", "start_too_old")]


@ours_on_sqlite
async def test_a_user_who_writes_before_the_greeting_is_answered_instead(app, whole):
    whole.house.rules = replace(RULES, start=replace(STARTS, delay_min=timedelta(1), delay_max=timedelta(1)))
    whole.house.sync = whole.house.new_sync()
    match = app.match()
    await whole.house.sync.run_once(whole.channel)
    app.user_writes(match, "I am first")
    whole.house.rules = replace(AT_ONCE, start=STARTS)
    whole.house.sync, whole.house.send = whole.house.new_sync(), whole.house.new_send()
    await whole.settle()
    assert app.texts(match)[0] == "I am first"
    assert len(app.answers(match)) == 1
    assert whole.asked == {"I am first"}


@ours_on_sqlite
async def test_a_match_that_is_over_is_not_greeted(app, whole):
    match = app.match()
    app.unmatch(match)
    await whole.settle()
    assert app.texts(match) == []


async def test_typing_is_shown_in_the_apps_table_and_taken_away(app, channel):
    match = app.match()
    assert app.typing_since(match) is None
    await channel.read(match)
    await channel.typing(match, on=True)
    first = app.typing_since(match)
    assert first is not None
    await channel.typing(match, on=True)
    assert app.typing_since(match) > first
    await channel.typing(match, on=False)
    assert app.typing_since(match) is None


async def test_typing_goes_on_over_a_new_connection_after_a_cut(app, channel):
    match = app.match()
    await channel.read(match)
    await channel.typing(match, on=True)
    first = app.typing_since(match)
    app.cut()
    for _ in range(2):
        try:
            await channel.typing(match, on=True)
        except Exception:  # noqa: BLE001 - the cut is met once
            continue
    assert app.typing_since(match) > first


async def test_a_channel_without_a_typing_table_says_that_it_shows_none(app, make_channel):
    plain = make_channel()
    await plain.open()
    match = app.match()
    assert not plain.capabilities.shows_typing
    await plain.typing(match, on=True)
    assert app.typing_since(match) is None
    await plain.close()


async def test_first_messages_without_a_beginning_in_the_mapping_are_refused(make_channel):
    without = MAPPING.replace('started_at = "created_at"', "")
    with pytest.raises(SettingsError, match="started_at"):
        make_channel(without, start=True)
