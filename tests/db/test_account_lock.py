"""PostgreSQL and several machines: one browser for each account, also when the connection to the server breaks."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from types import SimpleNamespace

import psycopg
import pytest

from src.db import account_lock as account_lock_module
from src.db import wakeup as wakeup_module
from src.db.account_lock import AccountLock
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import ChannelGone, TransientError
from src.model.statuses import OutboxStatus
from src.workers.exclusion import Exclusion
from src.workers.lease import Lease
from src.workers.locks import place_of
from src.workers.turns import Turns
from tests.support.channel import FakeChannel
from tests.support.house import House
from tests.support.site import FakeSite
from tests.support.waiting import until

pytestmark = pytest.mark.postgres
ACCOUNT = "default"


@pytest.fixture
def url(postgres_server):
    yield from postgres_server.emptied_database()


@pytest.fixture
def db(url):
    opened = Database.open(url)
    yield opened
    opened.close()


@pytest.fixture
def make_lock(db):
    made = []

    def make(holder="here", grace=0.0, account=ACCOUNT):
        made.append(AccountLock(db, account, holder, grace=grace))
        return made[-1]

    yield make
    for one in made:
        one.release()


def hang_up(db: Database) -> None:
    """The server ends every other connection, and waits until they are gone."""
    with psycopg.connect(db.url.render_as_string(hide_password=False).replace("+psycopg", "")) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


# --- the lock itself -------------------------------------------------------------------------------------------


def test_one_at_a_time_has_it_and_each_account_has_its_own(make_lock):
    first, second, other = make_lock(), make_lock("elsewhere"), make_lock(account="other")
    assert first.try_acquire()
    assert first.try_acquire()  # it is ours already
    assert other.try_acquire()
    assert not second.try_acquire()
    first.release()
    assert (first.held, second.try_acquire(), second.held) == (False, True, True)


def test_the_holder_sees_that_it_is_wanted_and_one_alone_stands_in_line(make_lock):
    holder, second, third = make_lock(), make_lock("b"), make_lock("c")
    assert holder.try_acquire()
    assert not holder.wanted()
    assert not second.try_acquire()
    assert holder.wanted()
    assert not third.try_acquire()
    second.release()  # it does not want it any more
    assert not holder.wanted()
    holder.release()
    assert third.try_acquire()


def test_a_lost_connection_is_noticed_and_the_lock_is_gone(db, make_lock):
    holder = make_lock()
    assert holder.try_acquire()
    hang_up(db)
    with pytest.raises(TransientError):
        holder.wanted()
    assert not holder.held
    with pytest.raises(TransientError):
        holder.wanted()
    assert holder.try_acquire()  # on a new connection


def test_who_takes_over_from_another_machine_that_said_no_goodbye_waits_first(db, make_lock, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(account_lock_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    holder, second = make_lock("one machine", grace=25), make_lock("another machine", grace=25)
    assert holder.try_acquire()
    hang_up(db)
    assert not second.try_acquire()
    now[0] += 24.9
    assert not second.try_acquire()
    assert not make_lock("a third", grace=0).try_acquire()
    now[0] += 0.2
    assert second.try_acquire()


def test_after_a_goodbye_and_on_the_same_machine_nobody_waits(db, make_lock):
    first, second = make_lock("one", grace=1_000), make_lock("two", grace=1_000)
    assert first.try_acquire()
    first.release()
    assert second.try_acquire()
    hang_up(db)
    assert make_lock("two", grace=1_000).try_acquire()


def hold_and_die(_number, url):
    if (child := os.fork()) == 0:
        lock = AccountLock(Database.open(url), ACCOUNT, "here")
        assert lock.try_acquire()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_process_that_is_killed_lets_go(url, in_processes, make_lock):
    assert in_processes(1, hold_and_die, url) == [-signal.SIGKILL]
    lock = make_lock()
    for _ in range(1_000):  # the server notices in its own time
        if lock.try_acquire():
            return
    pytest.fail("the lock was never free")


def test_a_place_is_the_same_for_the_same_folder_only(tmp_path):
    assert place_of(tmp_path / "a") == place_of(tmp_path / "a") != place_of(tmp_path / "b")


def test_without_a_server_it_is_a_passing_trouble(db, make_lock, monkeypatch):
    monkeypatch.setattr(db, "url", db.url.set(port=1))
    with pytest.raises(TransientError):
        make_lock().try_acquire()


# --- turns of two machines -------------------------------------------------------------------------------------


@pytest.fixture
def machine(make_lock, clock, tmp_path):
    """``machine("a")``: turns at the inbox as a process on another machine has them, with a browser of its own."""

    def make(name: str) -> Turns:
        lock = make_lock(name)
        exclusion = Exclusion([tmp_path / name], lock, look_every=0.01)
        lease = Lease(lambda: FakeChannel(FakeSite(clock)), exclusion)
        return Turns(lease, look_every=0.01, check_every=0.01)

    return make


async def test_two_machines_take_turns_at_the_inbox(machine):
    a, b = machine("a"), machine("b")
    helpers = [asyncio.create_task(one.yield_when_idle()) for one in (a, b)]
    helpers += [asyncio.create_task(one.watch_account_lock()) for one in (a, b)]
    for _ in range(2):
        for one, other in ((a, b), (b, a)):
            async with one.turn("SYNC"):
                assert one.is_open
                assert not other.is_open
    for helper in helpers:
        helper.cancel()
    await b.close()


async def test_a_machine_that_loses_the_lock_closes_its_browser_in_the_middle_of_a_turn(db, machine):
    a = machine("a")
    watching = asyncio.create_task(a.watch_account_lock())
    with pytest.raises(ChannelGone):
        async with a.turn("SEND") as channel:
            await asyncio.to_thread(hang_up, db)
            await until(lambda: not channel.is_open)
            await channel.reread("thread-1")
    assert not a.is_open
    async with a.turn("SEND"):
        assert a.is_open
    watching.cancel()
    await a.close()


async def test_a_reply_is_not_pressed_when_the_lock_was_lost_after_the_arm(db, clock, machine):
    turns = machine("a")
    with House(db, clock) as house:
        thread = house.site.conversation("Is there a cot?")
        job = house.reply_for(thread)
        send = house.new_send(check_alone=turns.check_alone)
        house.channel.before("reread", lambda: hang_up(db))
        async with turns.turn("SEND"):
            with pytest.raises(ChannelGone):
                await send.run_once(house.channel)
        found = house.job(job)
        assert (found.status, found.arm_count) == (OutboxStatus.PENDING, 0)
        assert house.site.presses == []
        async with turns.turn("SEND"):
            house.start_anew()
            await house.new_send(check_alone=turns.check_alone).run_once(house.channel)
        assert house.job(job).status is OutboxStatus.SENT
        assert len(house.site.presses) == 1
    await turns.close()


async def test_the_workers_of_two_machines_on_one_database_send_each_reply_once(db, clock, machine):
    machines = [machine("a"), machine("b")]
    beside = [asyncio.create_task(one.yield_when_idle()) for one in machines]
    beside += [asyncio.create_task(one.watch_account_lock()) for one in machines]
    with House(db, clock) as house:
        jobs = [house.reply_for(house.site.conversation(f"Question {number}?")) for number in range(8)]
        at_work: list[str] = []

        async def work(turns: Turns, name: str) -> None:
            send = house.new_send(check_alone=turns.check_alone)
            while any(house.job(job).status is OutboxStatus.PENDING for job in jobs):
                async with turns.turn("SEND"):
                    at_work.append(name)
                    assert not any(one.is_open for one in machines if one is not turns)
                    pressed = len(house.site.presses)
                    await send.run_once(
                        FakeChannel(house.site),
                        keep_going=lambda: len(house.site.presses) == pressed,  # noqa: B023
                    )

        await asyncio.gather(*(work(turns, name) for turns, name in zip(machines, "ab", strict=True)))
        assert {house.job(job).status for job in jobs} == {OutboxStatus.SENT}
        assert sorted(press.text for press in house.site.presses) == sorted(job.text for job in jobs)
        assert set(at_work) == {"a", "b"}
    for one in beside:
        one.cancel()
    for turns in machines:
        await turns.close()


# --- the server goes, and comes back ----------------------------------------------------------------------------


def test_a_connection_that_is_lost_at_the_commit_has_stored_nothing_and_the_next_try_has(db, clock):
    with House(db, clock) as house:
        thread = house.site.conversation("Is there a cot?")
        job = house.reply_for(thread)
        with pytest.raises(TransientError), db.write() as conn:
            conn.exec_driver_sql("UPDATE queue_outbox SET attempts = 7")
            hang_up(db)
        assert house.job(job).attempts == 0
        with db.write() as conn:
            conn.exec_driver_sql("UPDATE queue_outbox SET attempts = 7")
        assert house.job(job).attempts == 7


async def test_after_a_restart_of_the_server_wake_ups_the_lock_and_the_queues_work_again(
    postgres_server, db, clock, machine, monkeypatch
):
    if not postgres_server.can_restart:
        pytest.skip("the server of TEST_POSTGRES_URL is not ours to stop")
    monkeypatch.setattr(wakeup_module, "_REOPEN_AFTER_SEC", 0.05)
    turns = machine("a")
    watching = asyncio.create_task(turns.watch_account_lock())
    with House(db, clock) as house:
        listener = Wakeup(db, {"outbox"})
        assert await listener.wait(30)
        async with turns.turn("SYNC"):
            pass
        with postgres_server.stopped():
            await until(lambda: not turns.is_open)
            with pytest.raises(TransientError):
                house.jobs()
            with pytest.raises(TransientError):
                async with turns.turn("SYNC"):
                    pytest.fail("nobody knows whether we are alone")
            assert not await listener.wait(0.05) or not await listener.wait(0.05), "it polls meanwhile"
        thread = house.site.conversation("Is there a cot?")
        job = house.reply_for(thread)
        async with turns.turn("SEND"):
            await house.sent()
        assert house.job(job).status is OutboxStatus.SENT
        while not wakeup_module._LINES[db].is_open:
            await listener.wait(0.1)
        listener.close()
    watching.cancel()
    await turns.close()


async def test_telling_others_does_not_hold_up_the_event_loop(db, monkeypatch):
    asked, answered = threading.Event(), threading.Event()
    real = db.write

    def slow(**how):
        asked.set()
        assert answered.wait(30)
        return real(**how)

    monkeypatch.setattr(db, "write", slow)
    wakeup = Wakeup(db)
    wakeup.notify("inbox")  # would never return if it waited here
    assert await asyncio.to_thread(asked.wait, 30)
    answered.set()
    wakeup.close()
