"""Calls that come in at the same time share a transaction, and still fail one by one."""

from __future__ import annotations

import asyncio
import threading

import pytest
from sqlalchemy import event, insert, select

from src.db.engine import Database, after_commit
from src.db.shared_writes import SharedWrites
from src.db.statements import META
from src.errors import StaleJob, TransientError


def store(key: str):
    def work(conn):
        conn.execute(insert(META).values(key=key, value="x"))
        return key

    return work


def stored(db: Database) -> set[str]:
    with db.read() as conn:
        found = conn.execute(select(META.c.key)).scalars()
        return {key for key in found if key not in {"database_id", "secret"}}


async def test_calls_that_wait_together_are_committed_together(db):
    commits = []
    event.listen(db._engine, "commit", lambda _: commits.append(1))
    told = []
    entered, keep_going = threading.Event(), threading.Event()

    def slow(conn):
        entered.set()
        assert keep_going.wait(30)
        return store("first")(conn)

    def tells(conn):
        after_commit(conn, lambda: told.append(1))
        return store("teller")(conn)

    writes = SharedWrites(db)
    first = asyncio.create_task(writes.write(slow))
    assert await asyncio.to_thread(entered.wait, 30)
    others = [asyncio.create_task(writes.write(store(f"k{n}"))) for n in range(10)]
    others.append(asyncio.create_task(writes.write(tells)))
    await asyncio.sleep(0)  # each of them has asked by now
    assert not told
    keep_going.set()
    assert await first == "first"
    assert await asyncio.gather(*others) == [*(f"k{n}" for n in range(10)), "teller"]
    assert len(commits) == 2
    assert told == [1]
    assert stored(db) == {"first", "teller", *(f"k{n}" for n in range(10))}


async def test_a_call_that_fails_undoes_nothing_but_itself(db):
    def fails(conn):
        store("never")(conn)
        after_commit(conn, lambda: pytest.fail("it was not committed"))
        raise StaleJob

    writes = SharedWrites(db)
    works = [store("a"), fails, store("b"), fails, store("c")]
    results = await asyncio.gather(*(writes.write(work) for work in works), return_exceptions=True)
    assert [type(result) for result in results] == [str, StaleJob, str, StaleJob, str]
    assert stored(db) == {"a", "b", "c"}


async def test_a_caller_that_has_gone_keeps_nobody_from_being_answered(db):
    writes = SharedWrites(db)
    gone = asyncio.create_task(writes.write(store("gone")))
    stays = asyncio.create_task(writes.write(store("stays")))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == "stays"
    assert stored(db) == {"gone", "stays"}


async def test_trouble_of_the_database_is_told_to_all_and_over_when_it_is(db, monkeypatch):
    writes = SharedWrites(db)
    with monkeypatch.context() as patch:
        patch.setattr(db, "write", broken)
        works = [writes.write(store(f"k{n}")) for n in range(3)]
        results = await asyncio.gather(*works, return_exceptions=True)
        assert [type(result) for result in results] == [TransientError] * 3
    assert await writes.write(store("later")) == "later"
    assert stored(db) == {"later"}


def broken():
    raise TransientError("the database is locked")
