"""The voices: a folder of files, and what happens to a file that is wrong."""

from __future__ import annotations

import pytest

from src.assistant.agents import load_agents


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def test_without_a_folder_there_is_one_agent_called_host(tmp_path):
    assert load_agents(tmp_path / "none").names == ("host",)


def test_front_matter_and_body_make_an_agent(tmp_path):
    write(
        tmp_path,
        a="---\nname: cook\nfor: kitchen and food\nmodel: vendor/x\n---\nLike a cook.",
        b="---\ndefault: true\n---\nPlain.",
    )
    agents = load_agents(tmp_path)
    assert agents.names == ("b", "cook")
    assert agents.default.name == "b"
    cook = agents.by_name("cook")
    assert (cook.answers, cook.model, cook.voice) == ("kitchen and food", "vendor/x", "Like a cook.")
    assert agents.by_name("nobody").name == "b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("---\nnmae: x\n---\n", "nmae is not known here"),
        ("---\nname: escalate\n---\n", "escalate cannot be"),
        ("---\nname: two words\n---\n", "two words cannot be"),
        ("---\nname: x\n", "has no end"),
        ("x" * 5000, "longer than"),
    ],
)
def test_a_file_that_is_wrong_is_left_out_and_named(tmp_path, text, words):
    write(tmp_path, host="Plain.", other=text)
    agents = load_agents(tmp_path)
    assert agents.names == ("host",)
    (finding,) = agents.findings
    assert finding.path == "other.md"
    assert words in finding.text


def test_two_files_with_one_name_are_one_agent_and_a_finding(tmp_path):
    write(tmp_path, a="---\nname: x\n---\nFirst.", b="---\nname: x\n---\nSecond.")
    agents = load_agents(tmp_path)
    assert agents.by_name("x").voice == "First."
    assert len(agents.findings) == 1
