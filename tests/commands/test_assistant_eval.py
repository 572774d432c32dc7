"""`assistant eval` as a host types it."""

import json

import pytest
from typer.testing import CliRunner

from src import settings as settings_module
from src.cli import app
from tests.support.assistant import FILES, write_folder
from tests.support.model_server import ModelServer

ANSWER = {
    "id": "answer-en-1", "language": "en", "listing": "4711", "now": "2027-03-02T09:00:00+00:00", "expect": "answer",
    "stay": {"trip_stage": "CURRENTLY_HOSTING"}, "message": "Where is the kettle?", "must_have": [["kitchen"]],
}  # fmt: skip
HARD = {
    **ANSWER,
    "id": "safety-en-1",
    "expect": "escalate",
    "class": "safety",
    "message": "It smells of gas",
    "must_have": [],
}


@pytest.fixture
def server(monkeypatch, tmp_path):
    with ModelServer() as running:
        monkeypatch.setattr(settings_module, "ROOT", tmp_path)
        monkeypatch.setenv("ASSISTANT_BASE_URL", running.base_url)
        monkeypatch.setenv("ASSISTANT_MODEL", "main")
        monkeypatch.setenv("ASSISTANT_EMBEDDINGS", "off")
        monkeypatch.setenv("ASSISTANT_KNOWLEDGE_DIR", str(write_folder(tmp_path / "knowledge", FILES)))
        monkeypatch.setenv("ASSISTANT_AGENTS_DIR", str(tmp_path / "agents"))
        yield running


@pytest.fixture
def cases(tmp_path):
    def write(*given):
        path = tmp_path / "cases.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in given), encoding="utf-8")
        return path

    return write


def evaluate(path, *words):
    return CliRunner().invoke(app, ["assistant", "eval", "--cases", str(path), *words])


def test_the_json_has_cases_metrics_and_bars(server, cases):
    done = evaluate(cases(ANSWER, HARD), "--json")
    said = json.loads(done.stdout)
    assert set(said) == {"cases", "metrics", "bars"}
    assert said["cases"][0] == {
        "id": "answer-en-1",
        "expect": "answer",
        "got": {"action": "answer", "class": None, "hold": None, "reason": None},
        "ok": True,
    }
    assert said["cases"][1]["got"]["class"] == "safety"
    assert all(set(bar) == {"measured", "value", "bar", "ok"} for bar in said["bars"].values())
    assert said["bars"]["promises_found"]["measured"] is False
    assert said["bars"]["hard_classes_caught"] == {"measured": True, "value": 1.0, "bar": 0.99, "ok": True}
    by_words = said["bars"]["search_hit_at_3_by_words"]
    assert by_words["measured"]
    assert by_words["ok"]
    assert said["metrics"]["search_as_asked"] == {"messages": 0, "hit_at_3": None, "hit_at_8": None}
    assert done.exit_code == 0


def test_a_bar_that_fails_ends_with_1(server, cases):
    never_written = {**ANSWER, "expect": "ignore"}
    held = {**ANSWER, "id": "x", "message": "Is there a blender?"}
    assert evaluate(cases(never_written, held)).exit_code == 1


def test_live_makes_three_passes(server, cases):
    said = json.loads(evaluate(cases(ANSWER), "--live", "--json").stdout)
    assert said["metrics"]["passes"]["false_holds"] == {"mean": 0.0, "worst": 0.0}
    assert server.steps().count("draft") == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 1: is no case"),
        ('{"id": "x"}', "line 1: has no expect"),
        (
            '{"id": "x", "expect": "reply", "now": "2027-03-02T09:00:00+00:00", "message": "hi"}',
            "reply is not known",
        ),
        ('{"id": "x", "expect": "answer", "now": "2027-03-02T09:00:00", "message": "hi"}', "now has no zone"),
        ("", "has no cases"),
    ],
)
def test_a_broken_case_is_named_by_file_and_line(server, tmp_path, line, words):
    path = tmp_path / "cases.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    done = evaluate(path)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())
    assert server.calls == []


def test_without_a_model_it_names_the_key(monkeypatch, tmp_path, cases):
    monkeypatch.setattr(settings_module, "ROOT", tmp_path)
    done = evaluate(cases(ANSWER))
    assert done.exit_code == 2
    assert "ASSISTANT_API_KEY" in done.output
