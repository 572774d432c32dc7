"""Wake-ups reach who waits, in this process and in others; and waiting goes on when they cannot."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from src.db import wake_pipes, wake_postgres
from src.db import wakeup as wakeups
from src.db.engine import Database
from src.db.wakeup import Wakeup

LONG = 30.0
"""Seconds after which a test gives up; no test that works waits for so long."""


async def listening(wakeup: Wakeup) -> None:
    """Wait until the listener is open, which it says by a first wake."""
    assert await wakeup.wait(LONG)
    assert not await wakeup.wait(0)


def is_open(db: Database) -> bool:
    """Whether notes of other processes come in."""
    return db in wakeups._LINES and wakeups._LINES[db].is_open


@pytest.fixture
async def outbox(db: Database):
    wakeup = Wakeup(db, {"outbox"})
    await listening(wakeup)
    yield wakeup
    wakeup.close()


def notify_from_another_process(_number: int, url: str, topic: str, *, within: bool) -> None:
    db = Database.open(url)
    teller = Wakeup(db)
    if within:
        with db.write() as conn:
            teller.notify_in(conn, topic)
    else:
        teller.notify(topic)
    teller.close()
    db.close()


@pytest.fixture
def another_process(database_url, in_processes):
    """``another_process("outbox", within=False)``: another process notifies about the topic."""

    def tell(topic: str, *, within: bool = False) -> None:
        in_processes(1, _Notify(within), database_url, topic)

    return tell


class _Notify:
    def __init__(self, within: bool) -> None:
        self.within = within

    def __call__(self, number: int, url: str, topic: str) -> None:
        # A fork knows its parent's listeners; a process that was started by itself does not.
        from src.db import wakeup  # noqa: PLC0415

        wakeup._PROCESS = "another"
        wakeup._LISTENERS.clear()
        notify_from_another_process(number, url, topic, within=self.within)


@pytest.mark.parametrize("within", [False, True])
async def test_another_process_wakes_who_waits(outbox, another_process, within):
    waiting = asyncio.create_task(outbox.wait(LONG))
    await asyncio.to_thread(another_process, "outbox", within=within)
    assert await waiting
    assert not await outbox.wait(0)


async def test_a_wake_up_while_nobody_waits_is_not_lost(outbox, another_process):
    await asyncio.to_thread(another_process, "outbox")
    assert await outbox.wait(LONG)


async def test_another_topic_wakes_nobody(outbox, another_process):
    await asyncio.to_thread(another_process, "inbox")
    await asyncio.to_thread(another_process, "outbox")
    assert await outbox.wait(LONG)
    assert not await outbox.wait(0), "one wake for one note"


async def test_a_thread_of_this_process_wakes_who_waits_and_only_about_the_topic(db, outbox):
    teller = Wakeup(db)
    await asyncio.to_thread(teller.notify, "inbox")
    assert not await outbox.wait(0)
    waiting = asyncio.create_task(outbox.wait(LONG))
    await asyncio.to_thread(teller.notify, "outbox")
    assert await waiting
    teller.close()


async def test_a_note_in_a_transaction_counts_only_if_it_is_committed(db, outbox):
    def write(*, fail: bool) -> None:
        with db.write() as conn:
            outbox.notify_in(conn, "outbox")
            assert not outbox._woken.is_set()
            if fail:
                raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        await asyncio.to_thread(write, fail=True)
    assert not await outbox.wait(0)
    await asyncio.to_thread(write, fail=False)
    assert await outbox.wait(LONG)


async def test_waiting_ends_after_its_time(outbox):
    assert not await outbox.wait(0.01)


async def test_an_interrupted_wait_loses_nothing(db, outbox):
    waiting = asyncio.create_task(outbox.wait(LONG))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    outbox.notify("outbox")
    assert await outbox.wait(LONG)


def test_a_listener_may_be_used_on_one_loop_after_another(db):
    wakeup = Wakeup(db, {"outbox"})

    async def once() -> None:
        telling = threading.Thread(target=wakeup.notify, args=("outbox",))
        telling.start()
        assert await wakeup.wait(LONG)
        telling.join()

    asyncio.run(once())
    asyncio.run(once())
    wakeup.close()
    wakeup.close()


# --- SQLite ----------------------------------------------------------------------------------------------


@pytest.fixture
def sqlite_db(tmp_path: Path):
    db = Database.open(f"sqlite:///{tmp_path}/{'long' * 40}/inbox.db")
    yield db
    db.close()


async def test_the_pipes_are_in_a_closed_folder_and_go_with_their_listener(sqlite_db):
    folder = wake_pipes.folder_of(sqlite_db.path)
    wakeup = Wakeup(sqlite_db, {"inbox", "outbox"})
    await listening(wakeup)
    assert len(list(folder.iterdir())) == 1
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for topic in ("inbox", "outbox"):
        wake_pipes.notify(sqlite_db.path, topic, "another")
        assert await wakeup.wait(LONG)
    wakeup.close()
    assert list(folder.iterdir()) == []


def test_what_a_dead_process_left_is_removed(sqlite_db):
    dead = wake_pipes.Pipe.open(sqlite_db.path, "dead")
    os.close(dead.fileno())
    folder = wake_pipes.folder_of(sqlite_db.path)
    assert len(list(folder.iterdir())) == 1
    wake_pipes.notify(sqlite_db.path, "outbox", "another")
    assert list(folder.iterdir()) == []


def test_a_pipe_that_is_being_made_does_not_count_as_left_by_a_dead_process(sqlite_db, monkeypatch):
    folder = wake_pipes.folder_of(sqlite_db.path)
    rename = Path.rename

    def rename_late(self: Path, target: Path) -> Path:
        wake_pipes.notify(sqlite_db.path, "outbox", "another")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_late)
    pipe = wake_pipes.Pipe.open(sqlite_db.path, "new")
    assert len(list(folder.iterdir())) == 1
    wake_pipes.notify(sqlite_db.path, "outbox", "another")
    assert pipe.drain()
    pipe.close()


def test_a_listener_that_does_not_look_does_not_hold_up_the_teller(sqlite_db):
    busy = wake_pipes.Pipe.open(sqlite_db.path, "busy")
    room = 64 * 1024 // len("outbox ")  # of a pipe, at most, as Linux makes them
    for _ in range(room + 1):
        wake_pipes.notify(sqlite_db.path, "outbox", "another")
    assert busy.drain()
    assert not busy.drain()
    busy.close()


async def test_without_pipes_waiting_is_polling(tmp_path):
    db = Database.open(f"sqlite:///{tmp_path}/inbox.db")
    wake_pipes.folder_of(db.path).write_text("in the way")
    wakeup = Wakeup(db, {"outbox"})
    assert not await wakeup.wait(0.01)
    other = Wakeup(db)
    other.notify("outbox")
    assert await wakeup.wait(LONG), "this process needs no pipe"
    for one in (wakeup, other):
        one.close()
    db.close()


# --- PostgreSQL ------------------------------------------------------------------------------------------


@pytest.fixture
def postgres_db(postgres_server):
    for url in postgres_server.emptied_database():
        db = Database.open(url)
        yield db
        db.close()


def hang_up(db: Database) -> None:
    """The server ends every other connection."""
    with psycopg.connect(db.url.render_as_string(hide_password=False).replace("+psycopg", "")) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.postgres
async def test_a_lost_listener_comes_back_and_says_so(postgres_db):
    wakeup = Wakeup(postgres_db, {"outbox"})
    await listening(wakeup)
    await asyncio.to_thread(hang_up, postgres_db)
    assert await wakeup.wait(LONG), "it was lost: something may have been missed"
    while not is_open(postgres_db):
        await wakeup.wait(0.1)
    await wakeup.wait(0)
    await asyncio.to_thread(in_the_name_of_another, postgres_db)
    assert await wakeup.wait(LONG)
    wakeup.close()


def in_the_name_of_another(db: Database) -> None:
    with psycopg.connect(db.url.render_as_string(hide_password=False).replace("+psycopg", "")) as conn:
        conn.execute("SELECT pg_notify('nightporter', 'outbox another')")


@pytest.mark.postgres
async def test_without_a_server_waiting_is_polling_and_telling_raises_nothing(postgres_db, monkeypatch):
    monkeypatch.setattr(postgres_db, "url", postgres_db.url.set(port=1))
    monkeypatch.setattr(postgres_db, "write", lambda: (_ for _ in ()).throw(OSError()))
    wakeup = Wakeup(postgres_db, {"outbox"})
    assert not await wakeup.wait(0.05)
    wakeup.notify("inbox")
    wakeup.notify("outbox")
    assert await wakeup.wait(LONG)
    wakeup.close()


@pytest.mark.postgres
async def test_a_listener_that_connects_while_its_loop_gives_it_up_is_closed(
    postgres_server, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A caller has gone, the program ends: whoever waited for the connection is cancelled, the thread is not.
    db = Database.open(next(url := postgres_server.emptied_database()))
    opened: list[wake_postgres.Listener] = []
    at_work, go_on = threading.Event(), threading.Event()
    really = wake_postgres.Listener.open

    def slowly(*arguments: Any) -> wake_postgres.Listener:
        at_work.set()
        go_on.wait(LONG)
        opened.append(really(*arguments))
        return opened[0]

    monkeypatch.setattr(wake_postgres.Listener, "open", slowly)
    wakeup = Wakeup(db, {"outbox"})
    assert not await wakeup.wait(0.01)
    assert await asyncio.to_thread(at_work.wait, LONG)
    thread = wakeups._LINES[db]._thread
    wakeup.close()
    go_on.set()
    await asyncio.to_thread(thread.join, LONG)
    assert opened[0]._conn.closed
    db.close()
    url.close()


async def test_all_listeners_of_a_process_share_one_way_from_other_processes(db, outbox, another_process):
    others = [Wakeup(db, {"inbox"}), Wakeup(db, {"inbox", "outbox"})]
    for one in others:
        await listening(one)
    assert list(wakeups._LINES) == [db]
    await asyncio.to_thread(another_process, "outbox")
    assert await outbox.wait(LONG)
    assert await others[1].wait(LONG)
    assert not await others[0].wait(0), "another topic"
    for one in others:
        one.close()
    assert is_open(db)
    outbox.close()
    assert db not in wakeups._LINES
