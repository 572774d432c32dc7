"""What `doctor` says of the built-in assistant."""

from __future__ import annotations

import pytest

from src.commands.doctor_assistant import look_at_assistant
from tests.support.assistant import FILES, settings_for, write_folder
from tests.support.model_server import ModelServer


@pytest.fixture
def server():
    with ModelServer(script={"doctor": {"word": "lamp"}}) as running:
        yield running


def findings(server, folder, files=FILES, **given):
    write_folder(folder / "knowledge", files)
    (folder / "knowledge").mkdir(exist_ok=True)
    assistant = settings_for(
        server, assistant_knowledge_dir=folder / "knowledge", assistant_agents_dir=folder / "agents", **given
    )
    return {one.what: one for one in look_at_assistant(assistant)}


def test_a_model_that_answers_and_a_folder_with_facts_are_well(server, tmp_path):
    found = findings(server, tmp_path)
    assert all(one.ok for one in found.values())
    assert "main answers with structured output" in found["model"].words
    assert found["knowledge"].words.startswith("4 facts, 1 listings")
    assert "kettle" not in server.calls[0].text


@pytest.mark.parametrize(
    ("way", "words", "help_text"),
    [
        ("http_401", "model_key_refused (http_401)", "ASSISTANT_API_KEY"),
        ("http_503", "model_down (http_503)", "ASSISTANT_BASE_URL"),
        ("malformed", "model_unreadable", "structured outputs"),
        ("hanging", "model_slow (timeout)", "ASSISTANT_TIMEOUT_SEC"),
    ],
)
def test_a_model_that_does_not_answer_is_missing_and_says_what_to_do(server, tmp_path, way, words, help_text):
    server.ways = [way]
    found = findings(server, tmp_path, assistant_timeout_sec=0.5)["model"]
    assert not found.ok
    assert words in found.words
    assert help_text in found.help


def test_a_model_that_is_not_there_is_told_with_near_names(server, tmp_path):
    server.ways = ["http_404"]
    found = findings(server, tmp_path, assistant_model="mian")["model"]
    assert "did you mean main?" in found.help


def test_a_folder_without_facts_is_no_hindrance_but_is_told(server, tmp_path):
    found = findings(server, tmp_path, files={})["knowledge"]
    assert found.ok
    assert "knowledge example" in found.words


def test_a_voice_that_is_left_out_is_named(server, tmp_path):
    write_folder(tmp_path / "agents", {"cook.md": "---\nnmae: x\n---\n"})
    assert "agents/cook.md:2: nmae is not known here" in findings(server, tmp_path)["voices"].words


def test_a_listing_that_guests_write_about_and_that_has_no_facts_is_named(server, tmp_path):
    write_folder(tmp_path / "knowledge", FILES)
    assistant = settings_for(server, assistant_knowledge_dir=tmp_path / "knowledge")
    lines = [one.words for one in look_at_assistant(assistant, {"4711", "815"})]
    assert [line for line in lines if line.startswith("815 has no facts")]
    assert not [line for line in lines if line.startswith("4711 has no facts")]


def test_a_listing_with_general_facts_alone_is_named(server, tmp_path):
    write_folder(tmp_path / "knowledge", {**FILES, "house.md": "# Trash\nThe bins are in the yard.\n"})
    assistant = settings_for(server, assistant_knowledge_dir=tmp_path / "knowledge")
    lines = [one.words for one in look_at_assistant(assistant, {"4711", "815"})]
    assert "815 has no facts of its own, only those for all listings" in lines
