"""`knowledge add|list|search|check|example`, as a person types them."""

from __future__ import annotations

import json

import pytest

from src.commands import knowledge
from tests.assistant.knowledge.folders import LISTING, SECRETS, write


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "knowledge"
    monkeypatch.setenv("ASSISTANT_KNOWLEDGE_DIR", str(folder))
    monkeypatch.setenv("ASSISTANT_AGENTS_DIR", str(tmp_path / "agents"))
    monkeypatch.setenv("ASSISTANT_EMBEDDINGS", "off")
    return folder


def test_the_example_is_a_folder_without_errors_and_its_secrets_are_closed(folder, capsys):
    assert knowledge.run_example() == 0
    assert knowledge.run_check(as_json=False) == 0
    assert (folder / "listings/4711-attic/secrets.toml").stat().st_mode & 0o777 == 0o600
    assert "0 errors" in capsys.readouterr().out


def test_the_example_overwrites_nothing(folder, capsys):
    write(folder, {"mine.md": "## Mine\nHere.\n"})

    assert knowledge.run_example() == 1
    assert [one.name for one in folder.iterdir()] == ["mine.md"]
    assert "is there already" in capsys.readouterr().err


def test_check_ends_with_1_if_there_are_errors_and_with_0_for_warnings(folder, capsys):
    write(folder, {"a.csv": "topic,answer,valid_until\nPool,Open.,2020-01-01\n"})
    assert knowledge.run_check(as_json=False) == 0
    assert "a.csv:2: warning: pool ended on 2020-01-01" in capsys.readouterr().out

    write(folder, {"b.md": "---\nfoo: 1\n---\n## A\nB\n"})
    assert knowledge.run_check(as_json=False) == 1
    assert "b.md:2: error: foo is not known here" in capsys.readouterr().out

    assert knowledge.run_check(as_json=True) == 1
    assert {(one["path"], one["level"]) for one in json.loads(capsys.readouterr().out)["findings"]} == {
        ("a.csv", "warning"),
        ("b.md", "error"),
    }


def test_check_says_how_to_begin_where_there_is_no_folder(folder, capsys):
    assert knowledge.run_check(as_json=False) == 1
    assert "knowledge example" in capsys.readouterr().out


def test_check_knows_the_agents_there_are(folder, tmp_path, capsys):
    write(folder, {"a.md": "---\nagent: cook\n---\n## A\nB\n"})
    assert knowledge.run_check(as_json=False) == 1

    write(tmp_path / "agents", {"cook.md": "Short.\n"})
    assert knowledge.run_check(as_json=False) == 0


def test_a_file_is_added_to_its_listings_folder(folder, tmp_path, capsys):
    write(folder, {"listings/4711-attic/listing.toml": LISTING})
    (tmp_path / "attic.md").write_text("## Kettle\nKitchen.\n")

    assert knowledge.run_add(tmp_path / "attic.md", "4711", overwrite=False) == 0
    assert (folder / "listings/4711-attic/attic.md").exists()
    assert "1 fact\n" in capsys.readouterr().out

    assert knowledge.run_add(tmp_path / "attic.md", "4711", overwrite=False) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert knowledge.run_add(tmp_path / "attic.md", "4711", overwrite=True) == 0


def test_a_file_that_cannot_be_used_is_not_added(folder, tmp_path, capsys):
    (tmp_path / "a.csv").write_text("no,header\n")
    (tmp_path / "a.pdf").write_text("x")

    assert knowledge.run_add(tmp_path / "a.csv", None, overwrite=False) == 1
    assert "Nothing was copied" in capsys.readouterr().err
    assert knowledge.run_add(tmp_path / "a.pdf", None, overwrite=False) == 1
    assert ".md" in capsys.readouterr().err
    assert knowledge.run_add(tmp_path / "none.md", None, overwrite=False) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert not folder.exists()


def test_a_file_that_gives_a_secret_away_is_named_when_it_is_added(folder, tmp_path, capsys):
    write(folder, {"listings/4711/listing.toml": LISTING, "listings/4711/secrets.toml": SECRETS})
    (tmp_path / "a.md").write_text("## Door\nThe code is 48#21.\n")

    assert knowledge.run_add(tmp_path / "a.md", "4711", overwrite=False) == 1
    out = capsys.readouterr().out
    assert "value of the secret door_code" in out
    assert "48#21" not in out


def test_secrets_can_be_added_and_are_closed(folder, tmp_path):
    write(folder, {"listings/4711/listing.toml": LISTING})
    write(tmp_path, {"secrets.toml": SECRETS})

    assert knowledge.run_add(tmp_path / "secrets.toml", "4711", overwrite=False) == 0
    assert (folder / "listings/4711/secrets.toml").stat().st_mode & 0o777 == 0o600


def test_search_finds_facts_and_ends_with_1_if_there_are_none(folder, capsys):
    knowledge.run_example()
    capsys.readouterr()

    assert knowledge.run_search("Where is the kettle?", "4711", "anyone", 3, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)[0]["id"] == "listings/4711-attic/attic.md#kettle"

    assert knowledge.run_search("Wi-Fi password", "4711", "anyone", 5, as_json=False) == 1, "who only asks"
    assert knowledge.run_search("Wi-Fi password", None, "booked", 5, as_json=False) == 0
    assert "after-booking.md#wi-fi" in capsys.readouterr().out

    assert knowledge.run_search("xylophone", "4711", "anyone", 5, as_json=False) == 1
    assert knowledge.run_search("kettle", None, "friends", 5, as_json=False) == 1


def test_list_names_every_file_with_facts(folder, capsys):
    knowledge.run_example()
    capsys.readouterr()
    assert knowledge.run_list(as_json=False) == 0
    assert (
        "listings/4711-attic/attic.md: 8 facts for listing 4711, audience anyone" in capsys.readouterr().out
    )
    assert knowledge.run_list(as_json=True) == 0
    assert {one["state"] for one in json.loads(capsys.readouterr().out)["documents"]} == {"valid"}
