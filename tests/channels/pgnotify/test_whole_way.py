"""From a row of the app to an answer in its table: nothing lost, nothing twice, nothing over a person."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter

import psycopg
import pytest

from sandbox.pgnotify.app import App, insert
from src.model.sending import Press
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from tests.channels.pgnotify.whole import Whole

pytestmark = [pytest.mark.postgres, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


@pytest.fixture
def whole(db, channel):
    made = Whole(db, channel)
    yield made
    made.house.wakeup.close()


def everything_is_answered(app: App, match: str) -> None:
    """Our answer stands last, or the app's rows say why not."""
    rows = app.rows(match)
    assert rows[-1].text.startswith("Answer"), [row.text for row in rows]


async def test_a_message_is_answered_once_in_the_apps_own_table(app, whole):
    match = app.match()
    app.user_writes(match, "Hello")
    await whole.settle()
    assert app.texts(match) == ["Hello", "Answer 1"]
    await whole.settle()
    app.user_writes(match, "And?")
    await whole.settle()
    assert app.texts(match) == ["Hello", "Answer 1", "And?", "Answer 2"]
    assert [job.status for job in whole.house.jobs()] == [OutboxStatus.SENT] * 2


async def test_a_person_who_writes_in_the_bots_name_is_not_talked_over(app, whole):
    match = app.match()
    app.user_writes(match, "Hello")
    await whole.house.sync.run_once(whole.channel)
    (request,) = whole.house.ask_ai()
    job = whole.house.answer(request).job
    app.bot_person_writes(match, "It is me")
    await whole.house.send.run_once(whole.channel)
    assert whole.house.job(job).reason == CancelReason.HOST_ANSWERED
    with whole.house.db.read() as conn:
        wrote = conn.exec_driver_sql("SELECT host_wrote_at FROM conversations").scalar_one()
    assert wrote is not None
    assert app.texts(match) == ["Hello", "It is me"]


async def test_a_crash_between_the_insert_and_our_note_of_it_is_settled_by_the_id(app, whole, channel):
    match = app.match()
    app.user_writes(match, "Hello")
    await whole.house.sync.run_once(channel)
    whole.answer()
    press = channel.press_send

    async def pressed_and_died(*arguments):
        await press(*arguments)
        raise KeyboardInterrupt

    channel.press_send = pressed_and_died
    with pytest.raises(KeyboardInterrupt):
        await whole.house.send.run_once(channel)
    channel.press_send = press
    app.conn.execute("UPDATE messages SET content = 'made nicer by the app' WHERE content = 'Answer 1'")
    whole.house.send = whole.house.new_send()
    await whole.settle()
    (job,) = whole.house.jobs()
    assert job.status is OutboxStatus.SENT
    assert app.texts(match) == ["Hello", "made nicer by the app"]


async def test_50_messages_in_10_conversations_are_10_requests_at_most(app, whole):
    matches = [app.match() for _ in range(10)]
    for number in range(5):
        for match in matches:
            app.user_writes(match, f"Message {number}")
    await whole.settle()
    for match in matches:
        everything_is_answered(app, match)
    with whole.house.db.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM queue_inbox").scalar_one() <= 10


async def test_whoever_writes_in_the_instant_of_the_press_is_not_answered_over(app, whole, channel):
    match = app.match()
    user = psycopg.connect(app.url, autocommit=True)
    author = app.user_of(match)
    pressed: list[Press] = []
    dice = random.Random(4711)
    press = channel.press_send

    async def pressed_as_somebody_writes(external_id, given):
        wait = dice.random() * 0.004
        pressed.append(given)
        text = f"Crossing {len(pressed)}"
        writing = threading.Timer(wait, insert, (user, match, author, text))
        writing.start()
        try:
            return await press(external_id, given)
        finally:
            await asyncio.to_thread(writing.join)

    channel.press_send = pressed_as_somebody_writes
    app.user_writes(match, "Hello")
    while len(pressed) < 60:
        await whole.turn()
    channel.press_send = press
    await whole.settle()
    user.close()
    jobs = whole.house.jobs()
    rows = app.rows(match)
    assert max(Counter(row.text for row in rows).values()) == 1
    for job in jobs:
        assert job.status in (OutboxStatus.SENT, OutboxStatus.CANCELLED)
    everything_is_answered(app, match)


async def test_rows_that_are_committed_late_are_answered_too(app, whole):
    match = app.match()
    app.user_writes(match, "First")
    with app.dated_before(match, "Dated before our answer"):
        await whole.settle()
        assert app.texts(match) == ["First", "Answer 1"]
    await whole.settle()
    assert app.answers(match) == ["Answer 1", "Answer 2"]
    assert whole.asked == {"First", "Dated before our answer"}


async def test_a_row_dated_before_everything_else_is_answered_too(app, whole):
    match = app.match()
    with app.dated_before(match, "Dated before all"):
        app.user_writes(match, "First")
        await whole.settle()
    await whole.settle()
    assert whole.asked == {"First", "Dated before all"}
    assert len(app.answers(match)) == 2


async def test_nothing_is_lost_or_doubled_while_connections_are_cut(app, whole):
    matches = [app.match() for _ in range(4)]
    stop, dice = threading.Event(), random.Random(4711)

    def cut_now_and_then():
        cutter = psycopg.connect(app.url, autocommit=True)
        while not stop.wait(dice.uniform(0.02, 0.3)):
            cutter.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'nightporter' AND datname = current_database()"
            )
        cutter.close()

    cutting = threading.Thread(target=cut_now_and_then)
    cutting.start()
    for number in range(40):
        app.user_writes(matches[number % 4], f"Message {number}")
        await whole.turn()
    stop.set()
    cutting.join()
    await whole.settle()
    for match in matches:
        everything_is_answered(app, match)
        assert max(Counter(app.texts(match)).values()) == 1
    assert whole.asked == {f"Message {number}" for number in range(40)}
    assert {job.status for job in whole.house.jobs()} <= {OutboxStatus.SENT, OutboxStatus.CANCELLED}


async def test_an_edit_while_the_ai_thinks_asks_it_again(app, whole):
    match = app.match()
    message = app.user_writes(match, "Hello")
    await whole.house.sync.run_once(whole.channel)
    (request,) = whole.house.ask_ai()
    app.edit(message, "Hello, Bea")
    await whole.settle()
    assert whole.house.request(request).status is InboxStatus.CANCELLED
    assert whole.asked == {"Hello, Bea"}
