"""`assistant ask` as a host types it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from src import settings as settings_module
from src.cli import app
from src.db.accounts import set_mode
from src.db.autonomy import Key, set_level
from src.db.engine import Database
from src.model.values import ReplyMode
from tests.support.assistant import FILES, write_folder
from tests.support.model_answers import good_triage
from tests.support.model_server import ModelServer

FIELDS = {
    "action", "message", "holding_message", "draft", "hold", "class", "reason", "agent", "topic", "language",
    "confidence", "sources", "missing", "steps",
}  # fmt: skip


@pytest.fixture
def server(monkeypatch, tmp_path):
    with ModelServer() as running:
        monkeypatch.setattr(settings_module, "ROOT", tmp_path)
        monkeypatch.setenv("ASSISTANT_BASE_URL", running.base_url)
        monkeypatch.setenv("ASSISTANT_MODEL", "main")
        monkeypatch.setenv("ASSISTANT_KNOWLEDGE_DIR", str(write_folder(tmp_path / "knowledge", FILES)))
        monkeypatch.setenv("ASSISTANT_AGENTS_DIR", str(tmp_path / "agents"))
        yield running


def ask(*words):
    return CliRunner().invoke(app, ["assistant", "ask", *words])


def asked(*words):
    return json.loads(ask(*words, "--json").stdout)


def test_the_json_has_the_fields_of_the_contract(server):
    said = asked("Where is the kettle in your kitchen?")
    assert set(said) == FIELDS
    assert said["action"] == "answer"
    assert said["sources"] == [{"title": "Kettle", "id": "listings/4711-attic/attic.md#kettle"}]
    assert {"name", "model", "ms", "outcome"} <= set(said["steps"][-1])


def test_the_only_listing_is_taken_where_none_is_named(server):
    assert "listing     4711" in ask("Where is the kettle?").stdout


def test_the_stay_the_clock_the_sender_and_the_history_reach_the_model(server, tmp_path):
    (tmp_path / "h.json").write_text('[{"role": "host", "text": "Welcome"}]', encoding="utf-8")
    ask(
        "Where are the bicycles in the cellar?", "--listing", "4711", "--stage", "staying",
        "--check-in", "2027-03-01", "--check-out", "2027-03-04", "--now", "2027-03-02T09:00",
        "--sender", "Camille", "--history", str(tmp_path / "h.json"),
    )  # fmt: skip
    draft = server.calls[1]
    assert "now: Tuesday 2027-03-02 09:00 (Europe/Paris)" in draft.system
    assert "nights left: 2" in draft.system
    assert "Bicycles" in draft.system
    assert draft.data["guest_name"] == "Camille"
    assert draft.data["history"] == [{"role": "host", "text": "Welcome"}]


@pytest.mark.parametrize("way", ["http_503", "http_429", "hanging", "http_401", "html"])
def test_a_service_that_does_not_answer_is_an_escalation_and_no_error(server, monkeypatch, way):
    server.ways = [way]
    monkeypatch.setenv("ASSISTANT_TIMEOUT_SEC", "0.3")
    said = asked("Where is the kettle?")
    assert said["action"] == "escalate"
    assert said["message"] is None
    assert said["reason"].startswith("model_")
    assert said["holding_message"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--stage", "gone"], "--stage gone: is not known"),
        (["--check-in", "soon"], "--check-in soon: is not a date"),
        (["--check-in", "2027-03-04", "--check-out", "2027-03-01"], "--check-out 2027-03-01: is before"),
        (["--now", "noon"], "--now noon: is not a time"),
        (["--history", "/nowhere.json"], "--history /nowhere.json: cannot be read"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(server, words, line):
    result = ask("Hello?", *words)
    assert result.exit_code == 2
    assert line in result.stderr
    assert server.calls == []


@pytest.mark.parametrize("text", ["{", "{}", '[{"role": "cook", "text": "x"}]', '[{"role": "guest"}]'])
def test_a_history_of_another_form_is_named(server, tmp_path, text):
    (tmp_path / "h.json").write_text(text, encoding="utf-8")
    result = ask("Hello?", "--history", str(tmp_path / "h.json"))
    assert (result.exit_code, result.stderr.startswith("--history")) == (2, True)


def test_without_a_model_it_says_what_to_write(server, monkeypatch):
    monkeypatch.delenv("ASSISTANT_BASE_URL")
    result = ask("Hello?")
    assert result.exit_code == 2
    assert result.stderr.startswith("ASSISTANT_API_KEY: is not set")


KETTLE = ("Where is the kettle in your kitchen?", "--stage", "booked")


def test_it_says_what_the_mode_and_the_topics_record_make_of_an_answer(server, monkeypatch, tmp_path):
    url = f"sqlite:///{tmp_path / 'inbox.db'}"
    monkeypatch.setenv("DATABASE_URL", url)
    server.script["triage"] = lambda call: {**good_triage(call), "topic": "kitchen"}
    assert "the mode is draft; kitchen may not go out by itself here" in ask(*KETTLE).stdout
    db, now = Database.open(url), datetime(2027, 1, 1, tzinfo=UTC)
    key = Key("default", "4711", "kitchen", "stay")
    with db.write() as conn:
        set_level(conn, key, "auto", "host", now)
    assert "would be sent (the mode is draft, and kitchen may go out by itself here)" in ask(*KETTLE).stdout
    with db.write() as conn:
        set_mode(conn, "default", "listing", "4711", ReplyMode.DRAFT, now)
    assert "set by a person" in ask(*KETTLE).stdout
    with db.write() as conn:
        set_mode(conn, "default", "listing", "4711", ReplyMode.AUTO, now)
        set_level(conn, key, "draft", "rejected", now)
    assert "kitchen needs your approval here" in ask(*KETTLE).stdout
    db.close()
