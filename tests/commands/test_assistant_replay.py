"""``assistant replay``: the host's own past through the assistant. It costs, and sends nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text as sql
from typer.testing import CliRunner

from src import settings as settings_module
from src.cli import app
from src.db import conversations
from src.db.engine import Database
from src.model.inbox import AuthorRole, MessageKind, SeenConversation, SeenMessage, SeenPerson
from src.model.values import Direction
from src.services.past import stage_then
from tests.support.assistant import FILES, write_folder
from tests.support.model_server import ModelServer

NOW = datetime.now(UTC).replace(microsecond=0)
STAY = {"reservation_status": "ACCEPTED"}


@pytest.fixture
def server(monkeypatch, tmp_path):
    with ModelServer() as running:
        monkeypatch.setattr(settings_module, "ROOT", tmp_path)
        monkeypatch.setenv("ASSISTANT_BASE_URL", running.base_url)
        monkeypatch.setenv("ASSISTANT_MODEL", "main")
        monkeypatch.setenv("ASSISTANT_KNOWLEDGE_DIR", str(write_folder(tmp_path / "knowledge", FILES)))
        monkeypatch.setenv("ASSISTANT_AGENTS_DIR", str(tmp_path / "agents"))
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'inbox.db'}")
        monkeypatch.setenv("LOG_DIR", str(tmp_path / "logs"))
        yield running


@pytest.fixture
def db(server, tmp_path):
    opened = Database.open(f"sqlite:///{tmp_path / 'inbox.db'}")
    yield opened
    opened.close()


@pytest.fixture
def said(db):
    """A conversation of (who, text), a minute apart, ``days`` ago."""

    def said(number, *lines, days=1.0):
        begun = NOW - timedelta(days=days)
        messages = tuple(
            SeenMessage(
                f"m{number}-{place}", who, "Gerda Guest" if who is AuthorRole.GUEST else "Henk Host",
                who, MessageKind.TEXT, "text", text, begun + timedelta(minutes=place),
            )
            for place, (who, text) in enumerate(lines)
        )  # fmt: skip
        seen = SeenConversation(
            external_id=f"c{number}", kind="STAY", is_stay=True, is_hosting=True, viewer_id="host-1",
            viewer_is_host=True, people=(SeenPerson("guest-1", AuthorRole.GUEST, "Gerda Guest"),),
            last_activity_at=messages[-1].sent_at, listing_id="4711", opened=True, messages=messages,
            stay=STAY,
        )  # fmt: skip
        with db.write() as conn:
            stored = conversations.upsert_seen(
                conn, "default", seen, skip_reason=None, fingerprint=None, now=NOW
            )
            for message in messages:
                inbound = message.role is AuthorRole.GUEST
                conversations.insert_message(
                    conn,
                    "default",
                    stored.id,
                    message,
                    direction=Direction.INBOUND if inbound else Direction.OUTBOUND,
                    origin=str(message.role),
                    skip_reason=None,
                    now=NOW,
                )

    return said


GUEST, HOST = AuthorRole.GUEST, AuthorRole.HOST
KETTLE = "Where is the kettle in your kitchen?"


def replay(*words, stdin=""):
    return CliRunner().invoke(app, ["assistant", "replay", *words], input=stdin)


def rows_of(db, table):
    with db.read() as conn:
        return conn.execute(sql(f"SELECT * FROM {table}")).mappings().all()


def test_it_shows_what_it_would_have_said_and_stores_runs_alone(server, db, said):
    said(1, (GUEST, "Hello!"), (GUEST, KETTLE), (HOST, "In the cupboard, dear."), (GUEST, "Thanks"))
    said(2, (GUEST, "Is there a crane?"))
    result = replay("--yes")
    assert result.exit_code == 0, result.output
    assert "1 messages that you answered" in result.output
    assert "The kettle stands in the kitchen cupboard." in result.output
    assert "In the cupboard, dear." in result.output
    (run,) = rows_of(db, "assistant_runs")
    assert (run["kind"], run["state"], run["request_id"]) == ("replay", "done", None)
    for table in ("queue_inbox", "queue_outbox", "missing_facts"):
        assert rows_of(db, table) == []


def test_the_answer_of_that_time_is_not_told_to_the_model(server, said):
    said(1, (GUEST, "Hi"), (HOST, "Welcome!"), (GUEST, KETTLE), (HOST, "Behind the red curtain."))
    assert replay("--yes", "--limit", "1").exit_code == 0
    everything = " ".join(call.text for call in server.calls)
    assert "Welcome!" in everything
    assert "red curtain" not in everything


def test_without_yes_and_a_person_it_says_the_cost_and_calls_nobody(server, said):
    said(1, (GUEST, KETTLE), (HOST, "In the cupboard."))
    result = replay()
    assert result.exit_code == 2
    assert "about" in result.output
    assert "tokens" in result.output
    assert server.calls == []


def test_it_stops_at_the_budget_of_the_day(server, said, monkeypatch):
    monkeypatch.setenv("ASSISTANT_TOKENS_DAY", "0")
    said(1, (GUEST, KETTLE), (HOST, "In the cupboard."))
    result = replay("--yes")
    assert "leaves 0 for today" in result.output
    assert "1 messages were not looked at" in result.output
    assert server.calls == []


def test_a_figure_that_is_not_the_hosts_is_counted(server, said):
    said(1, (GUEST, "When is the check-in, please?"), (HOST, "From 16:00 on."))
    result = replay("--yes")
    assert "other figure: 15:00" in result.output


def test_only_the_days_that_are_asked_for_are_looked_at(server, said):
    said(1, (GUEST, KETTLE), (HOST, "In the cupboard."), days=20)
    assert "nothing to replay" in replay("--yes", "--days", "10").output


@pytest.mark.parametrize(
    ("stay", "day", "first", "stage"),
    [
        ({"stage": "past", "check_in": "2027-03-01", "check_out": "2027-03-04"}, 2, False, "staying"),
        ({"stage": "past", "check_in": "2027-03-01", "check_out": "2027-03-04"}, 9, False, "past"),
        ({"stage": "past", "check_in": "2027-03-05", "check_out": "2027-03-07"}, 2, False, "booked"),
        ({"stage": "past", "check_in": "2027-03-05", "check_out": "2027-03-07"}, 2, True, "inquiry"),
        ({"stage": "cancelled", "check_in": "2027-03-01", "check_out": "2027-03-04"}, 2, False, "inquiry"),
        ({"stage": "staying"}, 2, False, "booked"),
    ],
)
def test_the_stage_of_that_time_is_the_one_that_is_told_least(stay, day, first, stage):
    assert stage_then(stay, datetime(2027, 3, day, 12, tzinfo=UTC), first=first) == stage
