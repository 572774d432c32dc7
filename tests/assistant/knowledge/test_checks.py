"""What `check` finds, each with its place, and what is left out for it."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from src.assistant.knowledge import Level, load
from src.assistant.values import Stage
from tests.assistant.knowledge.folders import LISTING, SECRETS, write

TODAY = date(2027, 3, 2)
HOUSE = {"listings/4711-attic/listing.toml": LISTING, "listings/4711-attic/secrets.toml": SECRETS}
EXAMPLE = Path(__file__).resolve().parents[3] / "knowledge.example"


def findings(folder, agents=("host",)):
    return [(f.place, f.level.value, f.text) for f in load(folder, agents).check(TODAY)]


def facts(folder, agents=("host",)):
    return [f.id for f in load(folder, agents).facts_for("4711", Stage.STAYING, TODAY)]


def test_the_example_folder_has_no_findings(tmp_path):
    folder = shutil.copytree(EXAMPLE, tmp_path / "knowledge")
    (folder / "listings/4711-attic/secrets.toml").chmod(0o600)

    assert load(folder, ["host"]).check(date(2026, 11, 21)) == ()
    assert len(load(folder).facts_for("4711", Stage.STAYING, date(2026, 11, 21))) > 15


@pytest.mark.parametrize(
    ("files", "place", "words"),
    [
        ({"a.md": "---\nfoo: 1\n---\n## A\nB\n"}, "a.md:2", "foo is not known here"),
        ({"a.md": "---\nagent: cook\n---\n## A\nB\n"}, "a.md:4", "agent cook has no file"),
        ({"a.csv": "topic,answer,agent\nA,B,host\nC,D,cook\n"}, "a.csv:3", "agent cook has no file"),
        ({"a.md": "## Door\nThe code is 48#21.\n"}, "a.md:1", "value of the secret door_code"),
        ({"a.md": "## A\nB\n\n## Door\nIt is 48 # 21 now.\n"}, "a.md:4", "write {{door_code}} in its place"),
        ({"a.md": "## Door\nThe code is {{gate_code}}.\n"}, "a.md:1", "{{gate_code}} is not in any"),
        (
            {"listings/4712/a.md": "## Door\nThe code is {{door_code}}.\n"},
            "listings/4712/a.md:1",
            "not in the listing's secrets.toml",
        ),
        ({"listings/a.md": "## A\nB\n"}, "listings/a.md", "in a folder of its listing"),
        ({"listing.toml": 'name = "x"\n'}, "listing.toml", "belongs to a listing"),
        ({"listings/4712/listing.toml": "name = \n"}, "listings/4712/listing.toml:1", "cannot be read"),
        ({"listings/4712/listing.toml": 'nmae = "x"\n'}, "listings/4712/listing.toml", "did you mean name?"),
        (
            {"listings/4712/listing.toml": 'name = "x"\ntime_zone = "Paris"\n'},
            "listings/4712/listing.toml:2",
            "Europe/Paris",
        ),
        (
            {"listings/4712/listing.toml": 'check_in = "3 pm"\n'},
            "listings/4712/listing.toml:1",
            'write it like "15:00"',
        ),
        (
            {"listings/4712/secrets.toml": '[key]\nvalue = "abcdef"\nfrom = "monday"\nuntil = "check_out"\n'},
            "listings/4712/secrets.toml:1",
            "[key] from cannot be read",
        ),
        (
            {"listings/4712/secrets.toml": '[key]\nvalue = "abcdef"\nfrom = "check_in"\n'},
            "listings/4712/secrets.toml:1",
            "until is missing",
        ),
        (
            {
                "listings/4712/secrets.toml": '[key]\nvalue="abcdef"\nfrom="check_out"\nuntil="check_out - 1h"\n'
            },
            "listings/4712/secrets.toml:1",
            "from is not before until",
        ),
        ({"listings/4712/c.ics": "no calendar\n"}, "listings/4712/c.ics", "is no calendar"),
    ],
)
def test_a_file_that_is_wrong_is_named_and_left_out_whole(tmp_path, files, place, words):
    write(tmp_path, {**HOUSE, "good.md": "## Bakery\nClosed on Mondays.\n", **files})

    ((found, level, text),) = findings(tmp_path)

    assert (found, level) == (place, "error")
    assert words in text
    assert "good.md#bakery" in facts(tmp_path)
    wrong = next(iter(files))
    assert not [one for one in facts(tmp_path) if one.startswith(f"{wrong}#")]


def test_a_finding_never_quotes_a_secrets_value(tmp_path):
    broken = ["[key]\nvalue = 'open-sesame\n", "[key]\nvalue = 'open-sesame'\nfrom = 'open-sesame'\n"]
    broken += ["open-sesame", "[key]\nvalue = ['open-sesame']\nfrom='check_in'\nuntil='check_out'\n"]
    for text in broken:
        write(tmp_path, {"listings/1/secrets.toml": text})
        assert "open-sesame" not in str(load(tmp_path))


def test_a_file_that_is_not_utf_8_is_named_with_the_line(tmp_path):
    (tmp_path / "a.md").write_bytes(b"## K\xc3\xbcche\n\nK\xfcche\n")

    assert findings(tmp_path) == [("a.md:3", "error", "is not UTF-8; save it with the encoding UTF-8")]


def test_a_link_to_a_place_outside_is_not_read(tmp_path):
    outside = tmp_path / "outside.md"
    outside.write_text("## A\nB\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.md").symlink_to(outside)

    ((place, _, text),) = findings(tmp_path / "in")
    assert place == "a.md"
    assert "link" in text


def test_two_folders_with_one_listing_id_are_both_left_out(tmp_path):
    write(
        tmp_path,
        {
            **HOUSE,
            "listings/4711-old/attic.md": "## Kettle\nGone.\n",
            "listings/4711-attic/a.md": "## Cat\nNo.\n",
        },
    )

    assert [(place, level) for place, level, _ in findings(tmp_path)] == [
        ("listings/4711-attic", "error"),
        ("listings/4711-old", "error"),
    ]
    assert facts(tmp_path) == []
    assert load(tmp_path).listing("4711") is None
    assert [one.name for one in load(tmp_path).secrets_of("4711")] == ["door_code"], "still not written down"


def test_other_numbers_on_one_topic_are_a_contradiction_and_both_places_are_named(tmp_path):
    write(
        tmp_path,
        {
            "a.md": "## Check-in\nCheck-in is from 15:00.\n",
            "b.csv": "topic,answer\nPets,No.\nCheck-in,From 4 pm.\n",
        },
    )

    assert [(place, "b.csv:3" in text or "a.md:1" in text) for place, _, text in findings(tmp_path)] == [
        ("a.md:1", True),
        ("b.csv:3", True),
    ]
    knowledge = load(tmp_path)
    assert knowledge.contradictions[0].fact_ids == ("a.md#check-in", "b.csv#check-in")
    assert knowledge.contradicting(["b.csv#check-in"])
    assert not knowledge.contradicting(["b.csv#pets"])
    assert len(facts(tmp_path)) == 3, "both are there; a draft that cites one of them is held"


@pytest.mark.parametrize(
    "files",
    [
        {"a.md": "## Check-in\nFrom 15:00.\n", "b.md": "## Check-in\nFrom 3 pm, until 22:00.\n"},
        {"a.md": "## Parking\n12 € a day.\n", "b.md": "## Parking\n300 m from the house.\n"},
        {
            "a.csv": "topic,answer,valid_until\nPool,From 9:00.,2027-03-02\n",
            "b.csv": "topic,answer,valid_from\nPool,From 10:00.,2027-03-03\n",
        },
        {"listings/4711/a.md": "## Beds\n2 beds.\n", "listings/4712/a.md": "## Beds\n3 beds.\n"},
        {"a.md": "## Beds\n2 beds.\n", "listings/4711/a.md": "## Beds\n3 beds.\n"},
        {"a.md": "## Stairs\n" + "4 steps. \n\n" * 100 + "5 steps. \n\n" * 100},
    ],
    ids=["same time", "other kinds", "other days", "other listings", "listing before all", "one long text"],
)
def test_numbers_that_can_both_be_true_are_no_contradiction(tmp_path, files):
    assert findings(write(tmp_path, files)) == []


def test_what_has_ended_or_was_not_reviewed_for_a_year_is_a_warning(tmp_path):
    write(
        tmp_path,
        {
            "a.csv": "topic,answer,valid_until\nPool,Open.,2027-03-01\n",
            "b.md": "---\nreviewed: 2026-03-01\n---\n## A\nB\n",
            "c.md": "---\nreviewed: 2026-03-02\n---\n## C\nD\n",
        },
    )

    assert [(place, level) for place, level, _ in findings(tmp_path)] == [
        ("a.csv:2", "warning"),
        ("b.md:1", "warning"),
    ]
    assert "b.md#a" in facts(tmp_path)


def test_secrets_that_others_can_read_are_a_warning_and_work(tmp_path):
    write(tmp_path, HOUSE)
    (tmp_path / "listings/4711-attic/secrets.toml").chmod(0o644)

    ((place, level, text),) = findings(tmp_path)
    assert (place, level) == ("listings/4711-attic/secrets.toml", "warning")
    assert "chmod 600" in text
    assert load(tmp_path).listing("4711").secrets


def test_secrets_without_a_time_zone_are_a_warning(tmp_path):
    write(
        tmp_path,
        {"listings/4711/secrets.toml": SECRETS, "listings/4711/listing.toml": 'name = "A"\n'},
    )

    ((place, level, text),) = findings(tmp_path)
    assert (place, level) == ("listings/4711/listing.toml", "warning")
    assert "time_zone" in text


def test_a_file_of_another_kind_is_a_warning(tmp_path):
    write(tmp_path, {"manual.pdf": "x", "notes.txt": "x", ".hidden.md": "## A\nB", "~$lock.csv": "x"})

    assert [(place, level) for place, level, _ in findings(tmp_path)] == [
        ("manual.pdf", "warning"),
        ("notes.txt", "warning"),
    ]


def test_a_folder_that_is_not_there_says_how_to_make_one(tmp_path):
    knowledge = load(tmp_path / "knowledge")

    assert knowledge.findings[0].level is Level.ERROR
    assert "knowledge example" in knowledge.findings[0].text
    assert knowledge.facts_for("4711", Stage.STAYING, TODAY) == ()


def test_a_code_of_one_listing_in_a_file_of_another_is_told_by_chance_only_if_it_is_short(tmp_path):
    write(
        tmp_path,
        {
            "listings/1/secrets.toml": SECRETS.replace("48#21", "1500"),
            "listings/1/listing.toml": LISTING,
            "listings/2/a.md": "## Beach\n1500 metres.\n",
        },
    )
    assert findings(tmp_path) == []

    write(tmp_path, {"listings/1/secrets.toml": SECRETS.replace("48#21", "150077")})
    write(tmp_path, {"listings/2/a.md": "## Beach\n150077 grains.\n"})
    assert len(findings(tmp_path)) == 1
