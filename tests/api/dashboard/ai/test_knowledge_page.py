"""What the assistant knows, on its page: findings, search, a fact in one line, and what it would answer."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from src.db import autonomy
from tests.assistant.knowledge.folders import LISTING, SECRETS, write
from tests.support.api import client  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.assistant_runs import with_assistant
from tests.support.dashboard import form_of, words_of
from tests.support.with_model import model, trial  # noqa: F401

HERE = "/ai/knowledge"


@pytest.fixture
def folder(tmp_path):
    return write(
        tmp_path / "knowledge",
        {
            "house.md": "---\ntitle: House\n---\n# Kettle\nThe kettle stands in the kitchen.\n",
            "listings/4711-attic/listing.toml": LISTING,
            "listings/4711-attic/secrets.toml": SECRETS,
        },
    )


@pytest.fixture
def one(client, folder, tmp_path):
    return client(**with_assistant(tmp_path))


async def test_the_files_are_listed_and_nothing_is_found_wrong(one):
    said = words_of(await one.get(HERE))
    assert "House house.md · 1 fact · All listings" in said
    assert "Nothing was found." in said


@pytest.mark.parametrize(
    ("files", "english", "french"),
    [
        (
            {"pool.md": "---\nvalid_until: 2020-01-01\n---\n# Pool\nOpen.\n"},
            "Has ended pool.md:4 pool ended on 2020-01-01; renew it or take it out. It is told to nobody any more.",
            "A pris fin pool.md:4",
        ),
        (
            {"a.csv": "topic,answer\nCheck-in,15:00\n", "b.csv": "topic,answer\nCheck-in,16:00\n"},
            "Contradiction a.csv:2 check-in: other numbers than in b.csv:2",
            "Contradiction a.csv:2 check-in : d'autres nombres que dans b.csv:2",
        ),
        (
            {"listings/4711-attic/safe.md": "# Safe\nIt is 48#21.\n"},
            (
                "Gives a code away listings/4711-attic/safe.md:1 safe holds the value of the secret door_code; "
                "write {{door_code}} in its place. The whole file is left out until it is mended."
            ),
            "Révèle un code",
        ),
        ({"nothing.md": "<!-- later -->\n"}, "Empty nothing.md has no fact in it", "Vide nothing.md"),
        (
            {"bad.csv": "nothing\n1\n"},
            "Cannot be used bad.csv:1 nothing is not known here",
            "Inutilisable bad.csv:1 nothing est inconnu ici ; sont possibles : topic",
        ),
    ],
)
async def test_each_finding_is_said_in_the_hosts_language(one, folder, files, english, french):
    write(folder, files)
    page = await one.get(HERE)
    assert english in words_of(page)
    assert "48#21" not in page.text
    assert french in words_of(await one.get(HERE, headers={"accept-language": "fr"}))


async def test_facts_are_searched_as_a_guest_would_be_told(one, folder):
    write(folder, {"listings/4711-attic/b.md": "---\naudience: booked\n---\n# Bikes\nIn the cellar.\n"})
    asked = {"q": "bikes in the cellar", "listing": "4711"}
    assert "b.md#bikes" not in words_of(await one.get(HERE, params=asked))
    found = words_of(await one.get(HERE, params={**asked, "audience": "booked"}))
    assert "listings/4711-attic/b.md#bikes" in found


async def test_a_fact_is_added_in_one_line(one, folder):
    form = {
        **await form_of(one, HERE),
        "question": "Is there a lift?",
        "message": "No, three floors by stairs.",
    }
    done = await one.post(f"{HERE}/facts", data={**form, "listing": "4711"})
    assert (done.status_code, done.headers["location"]) == (303, f"{HERE}?done=fact_added")
    assert (
        'Is there a lift?,"No, three floors by stairs.",4711,anyone' in (folder / "learned.csv").read_text()
    )
    said = words_of(await one.get(done.headers["location"]))
    assert "learned.csv · 1 fact" in said


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"question": "The code?", "message": "It is 48#21."}, "Write its placeholder instead"),
        ({"question": "Is 48#21 the code?", "message": "Yes."}, "Write its placeholder instead"),
        ({"question": " ", "message": "Yes."}, "Nothing was changed"),
        ({"question": "x", "message": "Yes.", "audience": "cats"}, "Nothing was changed"),
    ],
)
async def test_what_cannot_be_kept_is_said_and_nothing_is_written(one, folder, fields, said):
    refused = await one.post(f"{HERE}/facts", data={**await form_of(one, HERE), **fields})
    assert refused.status_code == 422
    assert said in words_of(refused)
    assert not (folder / "learned.csv").exists()


# --- what it would answer ----------------------------------------------------------------------------------


async def press_try(one, message, **fields):
    return await one.post(f"{HERE}/try", data={**await form_of(one, HERE), "message": message, **fields})


async def test_an_answer_is_tried_with_its_sources_and_nothing_is_stored(trial, db, folder):
    one = trial(reply_mode="auto")
    page = await press_try(one, "Hello, where is the kettle in the kitchen please?", listing="4711")
    said = words_of(page)
    assert "This answer would go out by itself." in said
    assert "The kettle stands in the kitchen." in said
    assert "house.md:4" in said
    assert "Hello, where is the kettle" in page.text  # it is still in the box
    assert "These tokens do not count for the day's budget." in said
    with db.read() as conn:
        for table in ("assistant_runs", "queue_outbox", "missing_facts"):
            assert conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0


async def test_whether_it_would_go_out_is_what_the_mode_and_the_topic_say(trial, db, clock, folder):
    kettle = ("Hello, where is the kettle in the kitchen please?",)
    waits = words_of(await press_try(trial(reply_mode="draft"), *kettle, listing="4711"))
    assert "This answer would wait for you: you are asked first." in waits
    key = autonomy.Key("default", "4711", "other", "stay")
    with db.write() as conn:
        autonomy.set_level(conn, key, "auto", "host", clock())
    assert "would go out by itself" in words_of(
        await press_try(trial(reply_mode="draft"), *kettle, listing="4711")
    )
    with db.write() as conn:
        autonomy.set_level(conn, key, "draft", "rejected", clock())
    lost = words_of(await press_try(trial(reply_mode="auto"), *kettle, listing="4711"))
    assert "its topic may not go out by itself" in lost


async def test_what_a_person_must_answer_and_what_no_fact_says_are_tried_too(trial, folder):
    one = trial(reply_mode="auto")
    refund = words_of(await press_try(one, "I want my money back!"))
    assert "It would be left to you. It is about money back." in refund
    assert "The guest would get your holding text:" in refund
    missing = words_of(await press_try(one, "Hello, do you have a trampoline?"))
    assert "Your facts do not say:" in missing


async def test_a_model_that_is_away_is_an_outcome_and_no_error(trial, model, folder):
    model.ways = ["http_503"]
    page = await press_try(trial(reply_mode="auto"), "Hello, where is the kettle please?")
    assert page.status_code == 200
    assert "It would be left to you." in words_of(page)


async def test_without_a_model_nothing_can_be_tried(one):
    assert "What would it answer?" not in words_of(await one.get(HERE))
    assert (await press_try(one, "Hello?")).status_code == 409
