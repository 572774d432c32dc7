"""Opening the database, its two kinds of transaction, and what happens when it is out of reach."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import exc, func, insert, select, text

from src.db import accounts, connections, database_urls, migrate
from src.db.engine import Connection, Database, after_commit
from src.db.statements import META
from src.errors import SettingsError, TransientError


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def put(conn, key: str, value: str = "x") -> None:
    conn.execute(insert(META).values(key=key, value=value))


def write_and_fail(db: Database, step: Callable[[Connection], None]) -> None:
    with db.write() as conn:
        step(conn)
        raise RuntimeError("in between")


def count(db: Database) -> int:
    with db.read() as conn:
        return conn.execute(select(func.count()).select_from(META)).scalar_one()


# --- opening ---------------------------------------------------------------------------------------------


def test_a_sqlite_database_is_closed_to_others(tmp_path):
    path = tmp_path / "made" / "here" / "inbox.db"
    db = Database.open(f"sqlite:///{path}")
    with db.write() as conn:
        put(conn, "k")
    files = sorted(file.name for file in path.parent.iterdir())
    assert files == ["inbox.db", "inbox.db-shm", "inbox.db-wal", "inbox.db.lock"]
    assert {rights(file) for file in path.parent.iterdir()} == {0o600}
    assert rights(path.parent) == 0o700
    db.close()


def test_every_sqlite_connection_is_safe(tmp_path):
    db = Database.open(f"sqlite:///{tmp_path}/inbox.db")
    with db.write() as first, db.read() as second:
        for conn in (first, second):
            found = [
                conn.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
            assert found == ["wal", 2, 1, 5000]
    db.close()


@pytest.mark.postgres
def test_every_postgresql_session_counts_in_utc(postgres_server):
    for url in postgres_server.emptied_database():
        db = Database.open(url)
        with db.read() as conn:
            assert conn.execute(text("SHOW timezone")).scalar_one() == "UTC"
        db.close()


def test_the_id_and_the_secret_are_made_once(database_url):
    first, second = Database.open(database_url), Database.open(database_url)
    assert (first.database_id, first.secret) == (second.database_id, second.secret)
    assert len(first.secret) == 32
    first.close()
    second.close()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_many_processes_may_start_on_an_empty_database_at_once(kind, tmp_path, request, in_processes):
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path}/new/inbox.db"
    else:
        url = request.getfixturevalue("empty_postgres_url")
    assert len(set(in_processes(4, open_and_tell, url))) == 1


def open_and_tell(_number: int, url: str) -> tuple[str, bytes]:
    db = Database.open(url)
    db.close()
    return db.database_id, db.secret


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("inbox.db", "is not a database URL"),
        ("mysql://root:hunter2@localhost/x", "'mysql' is not supported"),
        ("postgresql+psycopg2://root:hunter2@localhost/x", "is not supported"),
        ("postgresql+psycopg://localhost", "names no database"),
        ("postgresql+psycopg://localhost:port/x", "is not a database URL"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("sqlite://data/inbox.db", "three slashes"),
        ("sqlite:////proc/nowhere/inbox.db", "cannot be opened for writing"),
    ],
)
def test_an_address_that_cannot_work_is_refused_by_name(url, why):
    with pytest.raises(SettingsError, match="DATABASE_URL") as refused:
        Database.open(url)
    (problem,) = refused.value.problems
    assert why in problem
    assert "hunter2" not in problem


def test_a_server_that_does_not_answer_is_refused_by_name():
    with pytest.raises(SettingsError, match=r"DATABASE_URL: .*localhost:1/x cannot be used") as refused:
        Database.open("postgresql+psycopg://me:hunter2@localhost:1/x")
    assert "hunter2" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "inbox.db"
    path.write_text("a diary, and quite a long one, since short files look empty " * 20)
    with pytest.raises(SettingsError, match="cannot be used"):
        Database.open(f"sqlite:///{path}")
    assert path.read_text().startswith("a diary")


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "inbox.db"
    Database.open(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    with pytest.raises(
        SettingsError, match=f"9999, which is newer than this code .schema {migrate.known_revisions()[-1]}"
    ):
        Database.open(f"sqlite:///{path}")


def test_a_network_file_system_is_refused(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path.resolve()} nfs4 rw 0 0\n")
    monkeypatch.setattr(database_urls, "_MOUNTS", mounts)
    with pytest.raises(SettingsError, match=r"network file system .nfs4"):
        Database.open(f"sqlite:///{tmp_path}/inbox.db")


# --- transactions ----------------------------------------------------------------------------------------


def test_a_write_is_kept_and_a_failed_one_leaves_nothing(db):
    before = count(db)
    with db.write() as conn:
        put(conn, "kept")
    with pytest.raises(RuntimeError, match="in between"):
        write_and_fail(db, lambda conn: put(conn, "lost"))
    assert count(db) == before + 1


def test_a_reader_cannot_write(db):
    with pytest.raises(exc.DBAPIError), db.read() as conn:
        put(conn, "k")
    with db.write() as conn:
        put(conn, "the connection is as good as new")


def test_what_is_to_follow_a_commit_follows_no_rollback(db):
    done: list[str] = []
    with db.write() as conn:
        after_commit(conn, lambda: done.append("kept"))
        assert done == []
    with pytest.raises(RuntimeError, match="in between"):
        write_and_fail(db, lambda conn: after_commit(conn, lambda: done.append("lost")))
    assert done == ["kept"]


def add_one(db: Database) -> None:
    """Read, then write: with SQLite's own deferred transactions most of these fail with "database is locked"."""
    with db.write() as conn:
        row = select(META.c.value).where(META.c.key == "number").with_for_update()
        number = int(conn.execute(row).scalar_one())
        conn.execute(META.update().where(META.c.key == "number").values(value=str(number + 1)))


async def test_threads_read_and_then_write_without_getting_in_each_others_way(db):
    with db.write() as conn:
        put(conn, "number", "0")
    await asyncio.gather(*(asyncio.to_thread(add_one, db) for _ in range(60)))
    with db.read() as conn:
        assert conn.execute(select(META.c.value).where(META.c.key == "number")).scalar_one() == "60"


def test_so_do_processes(db, database_url, in_processes):
    with db.write() as conn:
        put(conn, "number", "0")
    in_processes(4, add_fifteen, database_url)
    with db.read() as conn:
        assert conn.execute(select(META.c.value).where(META.c.key == "number")).scalar_one() == "60"


def add_fifteen(_number: int, url: str) -> None:
    db = Database.open(url)
    for _ in range(15):
        add_one(db)
    db.close()


def test_a_writer_of_another_process_is_waited_for(tmp_path):
    db = Database.open(f"sqlite:///{tmp_path}/inbox.db")
    other = sqlite3.connect(db.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    wants = threading.Event()

    def let_go() -> None:
        wants.wait()
        other.execute("COMMIT")

    thread = threading.Thread(target=let_go)
    thread.start()
    wants.set()
    with db.write() as conn:
        put(conn, "k")
    thread.join()
    other.close()
    db.close()


# --- trouble that passes ---------------------------------------------------------------------------------


def test_a_database_that_stays_locked_is_transient(tmp_path, monkeypatch):
    monkeypatch.setattr(connections, "LOCK_WAIT_SEC", 0.01)
    monkeypatch.setattr(connections, "_BUSY_TIMEOUT", "PRAGMA busy_timeout=1")
    monkeypatch.setattr(connections, "_SQLITE_PRAGMAS", ("PRAGMA busy_timeout=1", "PRAGMA journal_mode=WAL"))
    db = Database.open(f"sqlite:///{tmp_path}/inbox.db")
    other = sqlite3.connect(db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TransientError, match="locked"), db.write():
        pass
    other.execute("COMMIT")
    other.close()
    with db.write() as conn:
        put(conn, "k")
    db.close()


def test_a_full_disk_is_transient_and_nothing_half_written_stays(tmp_path):
    db = Database.open(f"sqlite:///{tmp_path}/inbox.db")
    before = count(db)

    def fill(conn) -> None:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        conn.exec_driver_sql(f"PRAGMA max_page_count={pages + 5}")
        put(conn, "small")
        put(conn, "big", "x" * 1_000_000)

    with pytest.raises(TransientError, match="full"), db.write() as conn:
        fill(conn)
    # Who swallows the error believes that all is well, but SQLite has rolled back already.
    with (
        pytest.raises(TransientError, match="gave the transaction up"),
        db.write() as conn,
        suppress(exc.OperationalError),
    ):
        fill(conn)
    assert count(db) == before
    with db.write() as conn:
        conn.exec_driver_sql("PRAGMA max_page_count=1000000")
        put(conn, "k")
    db.close()


def write_while_the_server_hangs_up(db: Database, url: str) -> None:
    with db.write() as conn:
        number = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [number])
        put(conn, "k")


@pytest.mark.postgres
def test_a_lost_connection_is_transient_and_the_next_one_works(postgres_server):
    for url in postgres_server.emptied_database():
        db = Database.open(url)
        with pytest.raises(TransientError, match=r"lost|stopping"):
            write_while_the_server_hangs_up(db, url)
        with db.write() as conn:
            put(conn, "k")
        db.close()


@pytest.mark.postgres
def test_an_error_of_postgresql_does_not_quote_the_row(postgres_server):
    for url in postgres_server.emptied_database():
        db = Database.open(url)
        with db.write() as conn:
            put(conn, "k", "a guest's words")
        with pytest.raises(exc.IntegrityError) as error, db.write() as conn:
            put(conn, "k", "a guest's words")
        assert "duplicate key" in str(error.value)
        assert "(k)" not in str(error.value)
        assert "guest" not in str(error.value) + str(error.value.orig)
        db.close()


def test_a_database_within_reach_passes_the_check(db):
    db.check()


def test_a_sqlite_file_that_was_taken_away_fails_the_check(tmp_path):
    db = Database.open(f"sqlite:///{tmp_path}/inbox.db")
    db.path.rename(tmp_path / "elsewhere.db")
    with pytest.raises(TransientError, match="gone"):
        db.check()
    db.close()


@pytest.mark.postgres
def test_a_server_that_stopped_fails_the_check(postgres_server, monkeypatch):
    for url in postgres_server.emptied_database():
        db = Database.open(url)
        db.close()
        monkeypatch.setattr(
            db._engine.dialect, "connect", lambda *_, **__: psycopg.connect("host=127.0.0.1 port=1")
        )
        with pytest.raises(TransientError, match="lost"):
            db.check()


def test_a_database_in_whose_place_is_another_fails_the_check(db):
    with db.write() as conn:
        conn.execute(META.update().where(META.c.key == "database_id").values(value="another"))
    with pytest.raises(TransientError, match="another one"):
        db.check()


def test_a_time_comes_back_as_it_was_stored(db, clock):
    precise = clock().replace(microsecond=123_456)
    with db.write() as conn:
        assert accounts.ensure(conn, "default", precise).updated_at == precise


@pytest.mark.postgres
@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_an_address_as_hosting_platforms_write_it_is_postgresql(postgres_server, scheme):
    for url in postgres_server.emptied_database():
        Database.open(url.replace("postgresql+psycopg", scheme)).close()


def test_a_connection_that_a_thread_has_in_hand_when_the_database_is_closed_is_closed_after_it(database_url):
    # A caller of the API that has gone leaves a look at the database behind in its thread.
    db = Database.open(database_url)
    at_work, go_on = threading.Event(), threading.Event()
    held: list[Any] = []

    def look() -> None:
        with db.read() as conn:
            held.append(conn.connection.driver_connection)
            at_work.set()
            go_on.wait(30)

    thread = threading.Thread(target=look)
    thread.start()
    assert at_work.wait(30)
    db.close()
    go_on.set()
    thread.join(30)
    if db.dialect == "postgresql":
        assert held[0].closed
    else:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            held[0].execute("SELECT 1")


def test_what_need_not_be_durable_is_there_at_once_and_the_next_commit_is_durable_again(db, clock):
    with db.write(durable=False) as conn:
        accounts.ensure(conn, "default", clock())
    with db.read() as conn:
        assert accounts.find(conn, "default") is not None
    with db.write() as conn:
        if db.path is None:
            assert conn.exec_driver_sql("SHOW synchronous_commit").scalar_one() != "off"
        else:
            assert conn.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2


def test_after_an_error_in_what_need_not_be_durable_the_next_commit_is_durable(db):
    with pytest.raises(ZeroDivisionError), db.write(durable=False):
        raise ZeroDivisionError
    with db.write() as conn:
        if db.path is not None:
            assert conn.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
