"""The questions that no fact answers, on their page: asked, answered in one line, left unanswered."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from src.db import inbox_queue, missing_facts
from src.model.statuses import InboxStatus
from tests.assistant.knowledge.folders import LISTING, SECRETS, write
from tests.support.api import client, inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.assistant_runs import with_assistant
from tests.support.dashboard import form_of, words_of

HERE = "/ai/missing-facts"
QUESTION = "Gibt es einen Mixer?"


@pytest.fixture
def folder(tmp_path):
    return write(
        tmp_path / "knowledge",
        {
            "listings/4711-attic/listing.toml": LISTING,
            "listings/4711-attic/secrets.toml": SECRETS,
        },
    )


@pytest.fixture
def ask(inbox, db, clock):
    """A guest of the attic asks, and is left to a person."""

    def asked(question=QUESTION, listing="4711"):
        request = inbox.waiting()
        with db.write() as conn:
            inbox_queue.finish(
                conn, request.id, [InboxStatus.WAITING], InboxStatus.ESCALATED, "missing_fact", clock()
            )
            return missing_facts.ask(conn, listing, "kitchen", question, request_id=request.id, now=clock())

    return asked


@pytest.fixture
def one(client, tmp_path):
    return client(**with_assistant(tmp_path))


async def press(one, fact, move, **fields):
    data = {**await form_of(one, HERE), **fields}
    return await one.post(f"{HERE}/{fact.id}/{move}", data=data)


async def test_a_question_is_listed_with_its_listing_and_who_waits(one, ask, folder):
    ask()
    page = await one.get(HERE)
    said = words_of(page)
    for part in (QUESTION, "The attic · asked 1 time,", "waiting: Gerda Guest"):
        assert part in said
    assert f"/conversations/{thread_id().replace('=', '%3D')}" in page.text
    for path in ("/", HERE):
        assert "1 question waits for you" in words_of(await one.get(path))
    assert "1 question that your facts do not answer" in words_of(await one.get("/"))


async def test_one_line_answers_it_is_kept_and_what_follows_is_said(one, ask, folder, inbox):
    fact = ask()
    done = await press(one, fact, "answer", message="  In the lower cupboard. ", audience="booked")
    assert (done.status_code, done.headers["location"]) == (303, f"{HERE}?again=1&done=fact_kept")
    assert "In the lower cupboard.,4711,booked" in (folder / "learned.csv").read_text()
    said = words_of(await one.get(done.headers["location"]))
    assert "Kept as a fact." in said
    assert "1 message that waited for it is put to the assistant again" in said
    assert "is a fact now" in said
    assert "learned.csv#" in said
    assert "No question waits for you." in said


async def test_a_question_that_nobody_waits_for_says_so(one, ask, folder, db, clock, inbox):
    with db.write() as conn:
        fact = missing_facts.ask(conn, None, None, QUESTION, request_id=None, now=clock())
    done = await press(one, fact, "answer", message="Yes.", scope="all")
    assert "Nobody waits for it any more." in words_of(await one.get(done.headers["location"]))


async def test_a_question_is_left_unanswered_and_leaves_every_count(one, ask, folder):
    fact = ask()
    done = await press(one, fact, "dismiss")
    assert done.headers["location"] == f"{HERE}?done=fact_dismissed"
    said = words_of(await one.get(HERE))
    assert "left unanswered" in said
    assert "1 question waits" not in said


async def test_a_secrets_value_is_not_kept_and_no_word_is_lost(one, ask, folder):
    fact = ask()
    refused = await press(one, fact, "answer", message="The code is 48#21, see you.")
    assert refused.status_code == 422
    said = words_of(refused)
    assert "Write its placeholder instead" in said
    assert "The code is 48#21, see you." in refused.text  # what was typed, given back to who typed it
    assert not (folder / "learned.csv").exists()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"message": " "}, 422),
        ({"message": "x" * 1_001}, 422),
        ({"message": "Yes.", "valid_until": "tomorrow"}, 422),
        ({"message": "Yes.", "scope": "planet"}, 422),
        ({"message": "Yes.", "audience": "everybody"}, 422),
    ],
)
async def test_what_cannot_be_kept_is_a_page_that_says_so(one, ask, folder, fields, status):
    refused = await press(one, ask(), "answer", **fields)
    assert (refused.status_code, refused.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert not (folder / "learned.csv").exists()


async def test_the_second_of_two_answers_is_told_kindly(one, ask, folder):
    fact = ask()
    theirs = await form_of(one, HERE)
    await press(one, fact, "answer", message="In the lower cupboard.")
    late = await one.post(f"{HERE}/{fact.id}/answer", data={**theirs, "message": "Somewhere else."})
    assert late.status_code == 409
    assert "answered already" in words_of(late)
    assert "Somewhere else." in late.text
    assert (folder / "learned.csv").read_text().count("Mixer") == 1


async def test_an_unknown_question_and_a_foreign_form_change_nothing(one, ask, folder):
    fact = ask()
    assert (
        await one.post(f"{HERE}/nope/answer", data={**await form_of(one, HERE), "message": "x"})
    ).status_code == 404
    refused = await one.post(f"{HERE}/{fact.id}/answer", data={"message": "Yes.", "form_token": "1"})
    assert (refused.status_code, (folder / "learned.csv").exists()) == (409, False)


async def test_with_another_ai_nothing_speaks_of_missing_facts(client):
    said = words_of(await client().get("/"))
    assert "Missing facts" not in said
    assert "question" not in said
