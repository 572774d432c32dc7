"""The failures of the channel's table (docs/channels/pgnotify.md), each brought about on a real server."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from sandbox.pgnotify.app import MAPPING, App, insert
from src.channels.pgnotify import link as link_module
from src.channels.pgnotify.bell import Bell
from src.errors import (
    ChannelGone,
    ExitCode,
    NotPressed,
    PageChanged,
    PermanentError,
    TransientError,
    WallHit,
)
from src.model.sending import Press
from src.model.statuses import CancelReason, OutboxStatus
from tests.channels.pgnotify.whole import Whole
from tests.support.house import TroubledDatabase
from tests.support.waiting import until

pytestmark = pytest.mark.postgres
ours_on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PRESS = Press("job-1", None)


@pytest.fixture
def whole(db, channel):
    made = Whole(db, channel)
    yield made
    made.house.wakeup.close()


def kept(halt: PageChanged) -> str:
    """What was kept for a person's eyes."""
    assert halt.evidence is not None
    return Path(halt.evidence).read_text(encoding="utf-8")


@ours_on_sqlite
async def test_listener_cut(app, whole, channel):
    match = app.match()
    await whole.settle()
    await until(lambda: channel._bell.is_open)
    openings = channel._bell.openings
    assert app.cut(listeners_only=True) == 1
    app.user_writes(match, "Said while nobody listened")
    await until(lambda: channel._bell.openings > openings)
    await whole.settle()
    assert app.answers(match) == ["Answer 1"]


@ours_on_sqlite
@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_server_restarted(app, whole, postgres_server, mode):
    match = app.match()
    app.user_writes(match, "Before")
    await whole.settle()
    app.user_writes(match, "Right before the restart")
    with postgres_server.stopped(mode):
        for _ in range(3):
            await whole.turn()
    app.conn.close()
    app.conn = psycopg.connect(app.url, autocommit=True)
    app.user_writes(match, "Right after it")
    await whole.settle()
    assert whole.asked == {"Before", "Right before the restart", "Right after it"}
    assert len(set(app.texts(match))) == len(app.texts(match))
    assert app.rows(match)[-1].text.startswith("Answer")


@ours_on_sqlite
async def test_outage_of_an_hour(app, whole, postgres_server):
    match = app.match()
    app.user_writes(match, "Is it on?")
    await whole.house.sync.run_once(whole.channel)
    whole.answer()
    (reply,) = whole.house.jobs()
    hour = timedelta(hours=1)
    with postgres_server.stopped("immediate"):
        for _ in range(3):
            await whole.turn()
        assert whole.house.job(reply).status is OutboxStatus.PENDING, "it waits"
    app.conn.close()
    app.conn = psycopg.connect(app.url, autocommit=True)
    insert(app.conn, match, app.user_of(match), "Anybody?", created_at=datetime.now(UTC) - hour)
    await whole.settle()
    assert whole.house.job(reply).reason == CancelReason.GUEST_WROTE_AGAIN, "it was judged again"
    assert whole.asked == {"Is it on?", "Anybody?"}
    assert app.rows(match)[-1].text.startswith("Answer")


@ours_on_sqlite
async def test_a_reply_of_before_the_outage_expires_by_its_time(app, whole):
    match = app.match()
    app.user_writes(match, "Is it on?")
    await whole.house.sync.run_once(whole.channel)
    whole.answer()
    with whole.house.db.write() as conn:
        conn.exec_driver_sql("UPDATE queue_inbox SET reply_by = '2020-01-01 00:00:00.000000'")
    await whole.house.send.run_once(whole.channel)
    assert whole.house.jobs()[0].reason == CancelReason.EXPIRED
    assert app.answers(match) == []


@ours_on_sqlite
async def test_our_database_is_away(app, whole, channel):
    match = app.match()
    app.user_writes(match, "Said while our database was away")
    away = TroubledDatabase(whole.house.db, 1, TransientError("the database is away"), kind="write")
    whole.house.sync = whole.house.new_sync(away)
    with pytest.raises(TransientError):
        await whole.house.sync.run_once(channel)
    whole.house.sync = whole.house.new_sync()
    await whole.settle()
    assert whole.asked == {"Said while our database was away"}
    assert app.answers(match) == ["Answer 1"]


async def test_column_renamed(app, channel):
    match = app.match()
    app.user_writes(match, "Hello")
    app.conn.execute("ALTER TABLE messages RENAME COLUMN content TO body")
    with pytest.raises(PageChanged) as caught:
        await channel.glance(LONG_AGO, thorough=True)
    assert caught.value.exit_code is ExitCode.HALTED_PAGE_CHANGED
    assert "there is no column messages.content" in kept(caught.value)
    with pytest.raises(PageChanged):
        await channel.read(match)


@pytest.fixture
def limited(app):
    """A role with the rights that `pgnotify sql` would give, and its address."""
    role = f"limited_{app.bot[:8]}"
    app.conn.execute(f"CREATE ROLE {role} LOGIN".encode())
    app.conn.execute(
        f"GRANT SELECT ON messages, matches, profiles TO {role};"
        f"GRANT INSERT ON messages TO {role}; GRANT UPDATE (id) ON matches TO {role}".encode()
    )
    yield role, app.url.replace("postgres@", f"{role}@")
    app.conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


@pytest.mark.parametrize("right", ["SELECT ON profiles", "INSERT ON messages"])
async def test_right_withdrawn(app, limited, make_channel, right):
    role, url = limited
    channel = make_channel(url=url)
    await channel.open()
    match = app.match()
    app.user_writes(match, "Hello")
    await channel.read(match)
    await channel.write(match, "An answer")
    await channel.reread(match)
    app.conn.execute(f"REVOKE {right} FROM {role}".encode())
    with pytest.raises((NotPressed, PageChanged)):
        if "INSERT" in right:
            await channel.press_send(match, PRESS)
        else:
            await channel.reread(match)
    with pytest.raises(PageChanged) as caught:
        await channel.glance(LONG_AGO, thorough=True)
    assert ("may not insert" if "INSERT" in right else "may not read") in kept(caught.value)
    assert app.answers(match) == []
    await channel.close()


async def test_password_refused(app, make_channel):
    channel = make_channel()
    await channel.open()
    role = f"walled_{app.bot[:8]}"
    app.conn.execute(f"CREATE ROLE {role} NOLOGIN".encode())
    refused = make_channel(url=app.url.replace("postgres@", f"{role}@"))
    with pytest.raises(WallHit) as caught:
        await refused.open()
    assert (caught.value.kind, caught.value.exit_code) == ("credentials", ExitCode.HALTED_PERSON_NEEDED)
    app.conn.execute(f"DROP ROLE {role}".encode())
    await channel.close()
    await refused.close()


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.DeadlockDetected,
        psycopg.errors.SerializationFailure,
        psycopg.errors.QueryCanceled,
        psycopg.errors.LockNotAvailable,
    ],
)
def test_deadlock_serialisation_failure_statement_timeout(error):
    ours = link_module.our_error(error("their words, which may quote what people wrote"))
    assert type(ours) is TransientError
    assert "their words" not in str(ours)


async def test_statement_timeout_is_tried_again_later(app, channel):
    match = app.match()
    await channel.read(match)
    await channel._link.rows(psycopg.sql.SQL("SELECT set_config('statement_timeout', '50ms', false)"))
    with psycopg.connect(app.url) as other:
        other.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TransientError) as caught:
            await channel.read(match)
        assert not isinstance(caught.value, ChannelGone)
    await channel.close()


async def test_deadlock_with_the_app_gives_the_reply_back(app, channel):
    """The app locks our conversation for longer than we wait: nothing is written, nothing is in doubt."""
    match = app.match()
    app.user_writes(match, "Hello")
    await channel.read(match)
    await channel.write(match, "An answer")
    await channel.reread(match)
    with psycopg.connect(app.url) as other:
        other.execute("SELECT 1 FROM matches WHERE id = %s FOR UPDATE", (match,))
        pressing = asyncio.create_task(channel.press_send(match, PRESS))
        with pytest.raises(NotPressed):
            await pressing
    assert app.answers(match) == []


@ours_on_sqlite
@pytest.mark.parametrize("hours", [-30, 30])
async def test_clocks_differ(app, whole, channel, hours, monkeypatch):
    """A look says what time it is there: a message of now is young, whatever our clock says."""
    ahead = timedelta(hours=hours)
    match = app.match()
    app.user_writes(match, "Said now", created_at=datetime.now(UTC) + ahead)
    whole_statement = channel._statements.whole
    shifted = psycopg.sql.SQL(
        whole_statement.as_string(None).replace("now()", f"now() + interval '{hours} hours'")
    )
    monkeypatch.setattr(channel, "_statements", replace(channel._statements, whole=shifted))
    view = await channel.read(match)
    assert abs(view.newest.sent_at - datetime.now(UTC)) < timedelta(seconds=5)
    report = whole.house.take_in(view)
    assert report.queued is not None


@ours_on_sqlite
async def test_trigger_missing(app, db, make_channel):
    app.conn.execute("DROP TRIGGER tell_bots ON messages")
    channel = make_channel(poll_sec=0.05)
    await channel.open()
    whole = Whole(db, channel)
    match = app.match()
    app.user_writes(match, "Hello")
    await whole.settle()
    assert app.answers(match) == ["Answer 1"]
    assert (await channel.glance(LONG_AGO, thorough=True)).bell == "none"
    await channel.close()
    whole.house.wakeup.close()


async def test_several_bots_have_one_listener_for_a_database(app, make_channel):
    second = app.profile("Ben (a bot)", is_bot=True)

    def of(bot):
        return MAPPING.replace('ours = {column = "is_bot", equals = true}', f'ids = ["{bot}"]')

    bea = make_channel(of(app.bot))
    ben = make_channel(of(second))
    await bea.open()
    await ben.open()
    bell = bea._bell
    assert bell is ben._bell
    listening = app.conn.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND datname = current_database()"
    ).fetchone()
    await until(lambda: bea._bell.is_open)
    assert listening is not None
    of_ben = app.match(bot=second)
    app.user_writes(of_ben, "Hello, Ben")
    seen_by_bea, seen_by_ben = await bea.read(of_ben), await ben.read(of_ben)
    assert (seen_by_bea.is_hosting, seen_by_ben.is_hosting) == (False, True)
    await bea.close()
    assert ben._bell.is_open, "the other one still listens"
    await ben.close()
    assert ben._bell is None
    assert all(one is not bell for one in Bell._shared.values()), "the last one has closed it"


@ours_on_sqlite
async def test_a_person_who_writes_while_the_press_waits_is_not_answered_over(app, whole, channel):
    match = app.match()
    app.user_writes(match, "Hello")
    await whole.house.sync.run_once(channel)
    whole.answer()
    slow = psycopg.connect(app.url)
    insert(slow, match, app.user_of(match), "One more thing")
    committing = threading.Timer(0.3, slow.commit)
    committing.start()
    await whole.house.send.run_once(channel)
    await asyncio.to_thread(committing.join)
    slow.close()
    assert app.answers(match) == []
    await whole.settle()
    assert app.texts(match)[:2] == ["Hello", "One more thing"]


async def test_a_conversation_that_was_deleted_meanwhile_is_said_to_be_none(app, channel):
    match = app.match()
    await channel.read(match)
    app.conn.execute("DELETE FROM matches WHERE id = %s", (match,))
    with pytest.raises(PermanentError):
        await channel.reread(match)


def test_the_app_of_these_tests_is_a_real_database(app: App) -> None:
    assert app.conn.info.server_version >= 130_000
