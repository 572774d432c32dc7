"""The migrations make exactly the tables of the model, on both databases, and keep what is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Select, Table, insert, inspect, select, text

from src.db import accounts, connections, database_urls, migrate
from src.db.engine import Database
from src.db.statements import ACCOUNTS, CONVERSATIONS, INBOX, MESSAGES, OUTBOX
from src.model.statuses import FINAL_INBOX, FINAL_OUTBOX, InboxStatus, OutboxStatus
from src.model.tables import METADATA
from src.model.values import LinkState


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database of each kind without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    return request.getfixturevalue("empty_postgres_url")


@pytest.fixture
def conn(empty_url: str) -> Iterator[Connection]:
    engine = connections.make_migration_engine(database_urls.parse(empty_url))
    with engine.connect() as conn:
        yield conn
    engine.dispose()


def script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(migrate.FOLDER))
    return ScriptDirectory.from_config(config)


def test_the_revisions_are_one_numbered_line():
    assert [one.revision for one in script().walk_revisions()][::-1] == migrate.known_revisions()
    assert all(re.fullmatch(r"\d{4}", revision) for revision in migrate.known_revisions())


def test_after_all_migrations_nothing_is_left_to_do(empty_url, conn):
    Database.open(empty_url).close()
    options = {"compare_type": True, "compare_server_default": True}
    assert compare_metadata(MigrationContext.configure(conn, opts=options), METADATA) == []


def test_migrations_and_model_agree_on_checks_indexes_and_defaults_too(empty_url, conn):
    with conn.begin():
        METADATA.create_all(conn)
    of_the_model = anatomy(conn)
    with conn.begin():
        METADATA.drop_all(conn)
    Database.open(empty_url).close()
    of_the_migrations = anatomy(conn)
    assert of_the_migrations - of_the_model == set()
    assert of_the_model - of_the_migrations == set()
    assert any("uq_queue_outbox_one_at_a_time" in line for line in of_the_model)


def anatomy(conn: Connection) -> set[str]:
    """Everything that the database itself says about our tables, a line for each thing."""
    looked = inspect(conn)
    found = set()
    for table in METADATA.tables:
        parts: dict[str, list[Any]] = {
            "column": looked.get_columns(table),
            "primary key": [looked.get_pk_constraint(table)],
            "unique": looked.get_unique_constraints(table),
            "check": looked.get_check_constraints(table),
            "foreign key": looked.get_foreign_keys(table),
            "index": looked.get_indexes(table),
        }
        found |= {f"{table} {kind} {_plain(one)}" for kind, several in parts.items() for one in several}
    conn.rollback()
    return found


def _plain(one: dict[str, Any]) -> str:
    said = []
    for name, value in sorted(one.items()):
        several = value.items() if isinstance(value, dict) else [("", value)]
        said += [f"{name}{part}={part_value}" for part, part_value in several]
    return " ".join(" ".join(said).split())


def fill(db: Database, now) -> None:
    """A row in every status of both queues."""
    with db.write() as conn:
        for number, status in enumerate([*InboxStatus, *OutboxStatus]):
            home = f"c{number}"
            base = {"id": home, "account": "default", "created_at": now}
            conn.execute(insert(CONVERSATIONS).values(**base, external_id=home, stay="{}", updated_at=now))
            if isinstance(status, InboxStatus):
                values = {
                    "newest_external_id": "m",
                    "burst_until": now,
                    "reply_by": now,
                    "processed_at": now if status in FINAL_INBOX else None,
                }
                table = INBOX
            else:
                armed = status is OutboxStatus.UNCONFIRMED
                values = {
                    "text": "x",
                    "idempotency_key": home,
                    "arm_count": int(armed),
                    "armed_at": now if armed else None,
                    "processed_at": now if status in FINAL_OUTBOX else None,
                }
                table = OUTBOX
            conn.execute(
                insert(table).values(
                    **base, conversation_id=home, status=status, due_at=now, attempts=0, **values
                )
            )


def test_a_table_made_anew_keeps_the_rows_of_every_status_and_its_links(empty_url, clock):
    # SQLite changes a table by making it again: what the next migration will do, done here by hand.
    db = Database.open(empty_url)
    fill(db, clock())
    before = _everything(db)
    engine = connections.make_migration_engine(db.url)
    with engine.begin() as conn:
        operations = Operations(MigrationContext.configure(conn))
        recreate = "always" if db.dialect == "sqlite" else "never"
        for name in ("queue_inbox", "queue_outbox", "conversations"):
            with operations.batch_alter_table(name, recreate=recreate) as batch:
                batch.alter_column("account", server_default="default")
    engine.dispose()
    assert _everything(db) == before
    assert len(before) == len(InboxStatus) + len(OutboxStatus)
    db.check()
    db.close()


def _everything(db: Database) -> list[dict[str, Any]]:
    """Every row of both queues, by the columns that are there by now."""
    with db.read() as conn:
        return [
            dict(row) for table in (INBOX, OUTBOX) for row in conn.execute(_rows_of(conn, table)).mappings()
        ]


def _rows_of(conn: Connection, table: Table) -> Select[Any]:
    there = {column["name"] for column in inspect(conn).get_columns(table.name)}
    return select(*(column for column in table.c if column.name in there)).order_by(table.c.id)


def _kept(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> bool:
    """Whether the rows have what they had; columns that came with the upgrade are left out."""
    return _kept_rows(before, after) == before


def test_opening_a_database_with_rows_again_changes_nothing(empty_url, clock):
    db = Database.open(empty_url)
    fill(db, clock())
    before = _everything(db)
    db.close()
    again = Database.open(empty_url)
    assert _everything(again) == before
    again.close()


def test_a_failed_upgrade_leaves_nothing_behind(empty_url, monkeypatch, conn):
    def fails(*_: object) -> None:
        raise RuntimeError("half way")

    monkeypatch.setattr("alembic.command.upgrade", _then(fails))
    with pytest.raises(RuntimeError, match="half way"):
        Database.open(empty_url)
    assert inspect(conn).get_table_names() == []


def _then(after: Any) -> Any:
    upgrade = command.upgrade

    def both(*arguments: Any) -> None:
        upgrade(*arguments)
        after()

    return both


def filled_at(
    revision: str, url: str, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """Make a database as it was at a revision, with a row in every status; returns the rows."""
    upgrade = command.upgrade
    with monkeypatch.context() as before:
        before.setattr("alembic.command.upgrade", lambda config, _: upgrade(config, revision))
        before.setattr(migrate, "known_revisions", lambda: [revision])
        old = Database.open(url)
        fill(old, now)
        held = _everything(old)
        old.close()
    return held


def test_rows_of_every_status_get_columns_for_receipts_and_keep_what_they_had(empty_url, clock, monkeypatch):
    held = filled_at("0006", empty_url, clock(), monkeypatch)
    db = Database.open(empty_url)
    assert _kept(held, _everything(db))
    assert len(held) == len(InboxStatus) + len(OutboxStatus)
    with db.write() as conn:
        assert {tuple(row) for row in conn.execute(select(OUTBOX.c.delivery, OUTBOX.c.delivery_error))} == {
            (None, None)
        }
        conn.execute(insert(MESSAGES).values(**a_message(clock())))
        assert conn.execute(select(MESSAGES.c.arrival)).scalars().all() == [0]
    db.close()


def test_rows_of_every_status_become_answers_of_nobody_in_particular(empty_url, clock, monkeypatch):
    held = filled_at("0007", empty_url, clock(), monkeypatch)
    db = Database.open(empty_url)
    assert _kept(held, _everything(db))
    with db.read() as conn:
        about = select(OUTBOX.c.kind, OUTBOX.c.agent, OUTBOX.c.confidence, OUTBOX.c.sources)
        assert {tuple(row) for row in conn.execute(about)} == {("answer", None, None, None)}
    db.close()


def a_message(now: datetime) -> dict[str, Any]:
    """As a version wrote it that knew nothing of later columns."""
    return {
        "id": "m",
        "account": "default",
        "conversation_id": "c0",
        "external_id": "m",
        "direction": "inbound",
        "origin": "guest",
        "kind": "text",
        "detail": "",
        "sent_at": now,
        "seen_at": now,
    }


def test_conversations_from_before_they_could_be_seen_to_are_kept_and_wait(empty_url, clock, monkeypatch):
    held = filled_at("0005", empty_url, clock(), monkeypatch)
    db = Database.open(empty_url)
    assert _kept(held, _everything(db))
    with db.read() as conn:
        seen_to = conn.execute(select(CONVERSATIONS.c.seen_to_at, CONVERSATIONS.c.seen_to_until)).all()
    assert set(map(tuple, seen_to)) == {(None, None)}
    assert len(seen_to) == len(InboxStatus) + len(OutboxStatus)
    db.close()


def test_accounts_in_every_state_get_their_channel_and_keep_what_they_had(empty_url, clock, monkeypatch):
    upgrade = command.upgrade
    with monkeypatch.context() as before:
        before.setattr("alembic.command.upgrade", lambda config, _: upgrade(config, "0008"))
        before.setattr(migrate, "known_revisions", lambda: ["0008"])
        old = Database.open(empty_url)
    columns = [column for column in ACCOUNTS.c if column.name not in {"channel", "bell"}]
    ok = {"link_state": LinkState.OK, "updated_at": clock()}
    halt = {"halt_kind": "captcha", "halt_detail": "shown", "halt_exit_code": 10, "halted_at": clock()}
    states = {
        "at-work": ok,
        "halted": {**ok, **halt, "link_state": LinkState.HALTED},
        "paused": {**ok, "paused_at": clock()},
        "released": {**ok, "halt_cleared_at": clock(), "swept_through": clock(), "external_id": "host-1"},
    }
    with old.write() as conn:
        for name, state in states.items():
            conn.execute(insert(ACCOUNTS).values(account=name, **state))
        held = conn.execute(select(*columns).order_by(ACCOUNTS.c.account)).all()
    old.close()
    db = Database.open(empty_url)
    with db.write() as conn:
        assert conn.execute(select(*columns).order_by(ACCOUNTS.c.account)).all() == held
        assert {accounts.get(conn, name).channel for name in states} == {"airbnb"}
        assert accounts.take_channel(conn, "halted", "pgnotify", clock()) == "airbnb", "it keeps its channel"
        assert accounts.take_channel(conn, "new", "pgnotify", clock()) == "pgnotify"
    db.close()


def test_messages_of_every_origin_get_role_agent_number_and_time_and_keep_what_they_had(
    empty_url, clock, monkeypatch
):
    held = filled_at("0012", empty_url, clock(), monkeypatch)
    old = connections.make_migration_engine(database_urls.parse(empty_url))
    origins = ["guest", "cotraveller", "host", "team", "site", "assistant"]
    asked, replied = f"c{list(InboxStatus).index(InboxStatus.ANSWERED)}", f"c{len(InboxStatus)}"
    plain = [
        column
        for column in MESSAGES.c
        if column.name not in {"role", "agent", "sequence", "media", "transcribed_at"}
    ]
    with old.begin() as conn:
        conn.execute(
            text(f"UPDATE queue_outbox SET agent = 'anna', request_id = '{asked}' WHERE id = '{replied}'")
        )
        for number, origin in enumerate(origins):
            at = clock.later(-number)
            row = a_message(at) | {"id": origin, "external_id": origin, "origin": origin}
            row["request_id"] = asked if origin == "guest" else None
            row["outbox_id"] = replied if origin == "assistant" else None
            conn.execute(insert(MESSAGES).values(**row))
        before = conn.execute(select(*plain).order_by(MESSAGES.c.id)).all()
    old.dispose()
    db = Database.open(empty_url)
    assert [dict(row) | {"agent": None, "request_id": None} for row in _kept_rows(held, _everything(db))] == [
        row | {"agent": None, "request_id": None} for row in held
    ]
    with db.write() as conn:
        assert conn.execute(select(*plain).order_by(MESSAGES.c.id)).all() == before
        rows = conn.execute(
            text("SELECT origin, role, agent, sequence FROM messages ORDER BY sequence")
        ).all()
        assert [tuple(row) for row in rows] == [
            ("assistant", "assistant", "anna", 1),
            ("site", "system", None, 2),
            ("team", "host", None, 3),
            ("host", "host", None, 4),
            ("cotraveller", "user", None, 5),
            ("guest", "user", "anna", 6),
        ]
        assert (
            conn.execute(text("SELECT COUNT(*) FROM messages WHERE created_at = sent_at")).scalar_one() == 6
        )
        assert set(conn.execute(text("SELECT written_by FROM queue_outbox")).scalars()) == {"assistant"}
        assert set(conn.execute(text("SELECT user_id FROM conversations")).scalars()) == {None}
        conn.execute(insert(MESSAGES).values(**(a_message(clock()) | {"external_id": "by an older version"})))
    db.close()


def _kept_rows(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in old} for row, old in zip(after, before, strict=True)]


def test_messages_of_every_kind_keep_what_they_had_and_have_no_recording(empty_url, clock, monkeypatch):
    held = filled_at("0014", empty_url, clock(), monkeypatch)
    kinds = ["card", "media", "reaction", "text", "unsupported"]
    old = connections.make_migration_engine(database_urls.parse(empty_url))
    with old.begin() as conn:
        for kind in kinds:
            row = a_message(clock()) | {"id": kind, "external_id": kind, "kind": kind}
            conn.execute(insert(MESSAGES).values(**row))
    old.dispose()
    db = Database.open(empty_url)
    assert _kept(held, _everything(db))
    with db.read() as conn:
        of_kinds = select(MESSAGES.c.kind, MESSAGES.c.media, MESSAGES.c.transcribed_at)
        found = conn.execute(of_kinds.where(MESSAGES.c.id.in_(kinds)).order_by(MESSAGES.c.id)).all()
    assert [tuple(row) for row in found] == [(kind, None, None) for kind in kinds]
    db.close()
