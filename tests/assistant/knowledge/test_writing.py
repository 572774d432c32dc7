"""Writing into the folder."""

from __future__ import annotations

import pytest

from src.assistant.knowledge import load
from src.assistant.knowledge.writing import (
    AlreadyThere,
    NotUsable,
    PathRefused,
    check_path,
    folder_of_listing,
    learn,
    remove_file,
    write_file,
)
from tests.assistant.knowledge.folders import LISTING, SECRETS, write


@pytest.mark.parametrize(
    "path",
    [
        "/etc/a.md",
        "../a.md",
        "a/../../b.md",
        "a/../b.md",
        "",
        ".",
        "a",
        "a.txt",
        "a.md.exe",
        "a\0.md",
        "a\n.md",
        ".hidden.md",
        ".git/a.md",
        "~a.md",
        "a//b.md",
        "a/",
        "C:\\a.md",
        "c:a.md",
        "a\\b.md",
        "listings/4711/secrets.toml",
        "listings/4711/SECRETS.TOML",
        "secrets.toml",
        "x" * 300 + ".md",
    ],
)
def test_a_path_that_is_not_a_plain_one_below_the_folder_is_refused(tmp_path, path):
    for attempt in (lambda: check_path(tmp_path, path), lambda: write_file(tmp_path, path, b"## A\nB\n")):
        with pytest.raises(PathRefused):
            attempt()
    assert list(tmp_path.iterdir()) == []


def test_links_do_not_lead_out_of_the_folder(tmp_path):
    folder, outside = tmp_path / "knowledge", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "a.md").write_text("## Mine\nPrivate.\n")
    (folder / "linked").symlink_to(outside)
    (folder / "a.md").symlink_to(outside / "a.md")
    (folder / "new.md").symlink_to(outside / "new.md")

    for path in ("linked/a.md", "linked/new.md", "a.md", "new.md"):
        with pytest.raises(PathRefused):
            write_file(folder, path, b"## A\nB\n", overwrite=True)
        with pytest.raises(PathRefused):
            remove_file(folder, path)
    assert (outside / "a.md").read_text() == "## Mine\nPrivate.\n"
    assert [one.name for one in outside.iterdir()] == ["a.md"]


def test_a_file_is_written_whole_and_closed_to_others(tmp_path):
    assert write_file(tmp_path / "new", "listings/4711/a.md", "## Küche\nHier.\n".encode()) == ()

    target = tmp_path / "new/listings/4711/a.md"
    assert target.read_text(encoding="utf-8") == "## Küche\nHier.\n"
    assert target.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in target.parent.iterdir()] == ["a.md"]


def test_a_file_that_is_there_is_replaced_only_if_that_is_said(tmp_path):
    write_file(tmp_path, "a.md", b"## A\nOld.\n")
    with pytest.raises(AlreadyThere):
        write_file(tmp_path, "a.md", b"## A\nNew.\n")
    assert (tmp_path / "a.md").read_bytes() == b"## A\nOld.\n"

    write_file(tmp_path, "a.md", b"## A\nNew.\n", overwrite=True)
    assert (tmp_path / "a.md").read_bytes() == b"## A\nNew.\n"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.md", b"---\nfoo: 1\n---\nA"),
        ("a.csv", b"nothing\n"),
        ("a.md", b"\xff\xfe"),
        ("a.ics", b"BEGIN:VCALENDAR\nEND:VCALENDAR\n"),
        ("listings/1/listing.toml", b"name ="),
    ],
)
def test_a_file_that_could_not_be_used_is_not_written(tmp_path, path, content):
    with pytest.raises(NotUsable):
        write_file(tmp_path, path, content)
    assert list(tmp_path.iterdir()) == []


def test_a_file_cannot_take_the_place_of_a_folder(tmp_path):
    (tmp_path / "a.md").mkdir()
    (tmp_path / "b").write_text("x")
    for path in ("a.md", "b/c.md"):
        with pytest.raises(PathRefused):
            write_file(tmp_path, path, b"## A\nB\n", overwrite=True)


def test_a_file_is_removed_once(tmp_path):
    write_file(tmp_path, "a.md", b"## A\nB\n")
    assert remove_file(tmp_path, "a.md")
    assert not remove_file(tmp_path, "a.md")


def test_secrets_are_written_by_hand_alone(tmp_path):
    with pytest.raises(PathRefused, match="by hand"):
        remove_file(write(tmp_path, {"listings/1/secrets.toml": SECRETS}), "listings/1/secrets.toml")
    assert load(tmp_path).listing("1").secrets


def test_what_is_learned_is_a_fact_from_then_on(tmp_path):
    first = learn(
        tmp_path, {"question": "Is there a blender?", "answer": 'No,\nbut a "mixer".', "listing": "4711"}
    )
    second = learn(tmp_path, {"question": "Is there a sauna?", "answer": "Yes."})

    assert (first, second) == ("learned.csv#is-there-a-blender", "learned.csv#is-there-a-sauna")
    (document,) = load(tmp_path).documents
    assert document.facts[0].text == 'Is there a blender?\nNo, but a "mixer".'
    assert document.fact_listings == (("4711",), ())


def test_what_is_learned_goes_into_the_columns_that_are_there(tmp_path):
    (tmp_path / "learned.csv").write_bytes("\ufeffanswer;question\r\nJa.;Sauna?".encode())
    learn(tmp_path, {"question": "Iron?", "answer": "Yes; two."})

    texts = [fact.text for fact in load(tmp_path).documents[0].facts]
    assert texts == ["Sauna?\nJa.", "Iron?\nYes; two."]


def test_what_is_learned_is_not_written_where_it_would_be_lost(tmp_path):
    before = "question,answer\nSauna?,Yes.\n"
    (tmp_path / "learned.csv").write_text(before)
    with pytest.raises(NotUsable, match="has no column listing"):
        learn(tmp_path, {"question": "Iron?", "answer": "Yes.", "listing": "4711"})

    broken = "question,answer\nSauna?,\n"
    (tmp_path / "learned.csv").write_text(broken)
    with pytest.raises(NotUsable, match="needs an answer"):
        learn(tmp_path, {"question": "Iron?", "answer": "Yes."})
    assert (tmp_path / "learned.csv").read_text() == broken


def test_files_for_a_listing_go_where_its_files_are(tmp_path):
    write(tmp_path, {"listings/4711-attic/listing.toml": LISTING})

    assert str(folder_of_listing(tmp_path, "4711")) == "listings/4711-attic"
    assert str(folder_of_listing(tmp_path, "4712")) == "listings/4712"
