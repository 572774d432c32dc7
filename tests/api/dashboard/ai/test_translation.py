"""Question and draft in the host's language: made once, counted, masked, and never in anybody's way."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from datetime import timedelta

import pytest

from src.db import conversations, missing_facts
from src.services import retention
from tests.assistant.knowledge.folders import LISTING, SECRETS, write
from tests.support.api import inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.assistant_runs import add_run
from tests.support.dashboard import HERE, a_draft, form_of, words_of
from tests.support.with_model import model, trial  # noqa: F401

PATH = "/ai/translations"
HTMX = {"hx-request": "true"}
DONE = {"text": "Yes, of course."}


@pytest.fixture
def folder(tmp_path):
    return write(
        tmp_path / "knowledge",
        {"listings/listing-1/listing.toml": LISTING, "listings/listing-1/secrets.toml": SECRETS},
    )


@pytest.fixture
async def drafted(trial, inbox, db, clock, model):
    """A draft in German for a host who reads English, and the client."""
    model.script["translation"] = DONE
    one = trial(reply_mode="draft")
    job = await a_draft(one, inbox, "Gibt es ein Bett?")
    add_run(db, clock(), job.request_id, language="de")
    return one, job


async def ask(one, job, path="/outbox", **more):
    data = {**await form_of(one, path), "what": "reply", "id": job.id, **more}
    return await one.post(PATH, data=data, headers=HTMX)


def rows(db, sql):
    with db.read() as conn:
        return [tuple(row) for row in conn.exec_driver_sql(sql)]


@pytest.mark.parametrize("path", [HERE, "/outbox"])
async def test_a_draft_is_translated_once_and_then_stands_on_the_page(drafted, model, path):
    one, job = drafted
    page = await one.get(path)
    assert 'hx-trigger="submit, load"' in page.text
    assert model.calls == []  # the page itself waits for no model
    part = await ask(one, job, path)
    assert "Yes, of course." in words_of(part)
    assert "<html" not in part.text
    assert "Yes, of course." in words_of(await one.get(path))
    await ask(one, job, path)
    assert model.steps() == ["translation"]
    assert model.calls[0].data == {"text": "Oui, bien sûr.", "to": "en"}


async def test_it_is_counted_in_the_budget_of_the_day(drafted, db):
    one, job = drafted
    await ask(one, job)
    ((kind, tokens, conversation),) = rows(
        db,
        "SELECT kind, prompt_tokens + completion_tokens, conversation_id FROM assistant_runs WHERE kind <> 'live'",
    )
    assert (kind, tokens > 0, conversation) == ("translation", True, None)


async def test_over_the_budget_nothing_is_asked_and_it_is_said(trial, inbox, db, clock, model):
    one = trial({"assistant_tokens_day": 1_000}, reply_mode="draft")
    job = await a_draft(one, inbox)
    add_run(db, clock(), job.request_id, language="de")
    said = words_of(await ask(one, job))
    assert "could not be translated now" in said
    assert "The tokens of the day are used up." in said
    assert model.calls == []


async def test_a_model_that_fails_is_said_to_and_left_alone_for_a_while(drafted, model, clock):
    one, job = drafted
    model.ways = ["http_503"]
    for _ in range(2):
        said = words_of(await ask(one, job))
        assert "the text stays as it is. The model service did not answer" in said
    assert len(model.calls) == 1
    assert "Approve and send" in words_of(await one.get("/outbox"))
    model.ways = ["good"]
    clock.advance(301)
    assert "Yes, of course." in words_of(await ask(one, job))


async def test_no_value_of_a_secret_leaves_or_is_kept(trial, inbox, db, clock, model, folder):
    model.script["translation"] = lambda call: {"text": f"{call.data['text']} 48#21"}
    one = trial(reply_mode="draft")
    job = await a_draft(one, inbox, "Ist der Code 48#21?", listing_id="listing-1")
    add_run(db, clock(), job.request_id, language="de")
    with db.read() as conn:
        home = conversations.by_external_id(conn, "default", thread_id())
        (message,) = conversations.messages_of(conn, home.id, 5)
    part = await ask(one, job, what="message", id=message.id)
    assert "Ist der Code {{door_code}}? {{door_code}}" in words_of(part)
    assert "48#21" not in model.calls[0].text
    assert rows(db, "SELECT text FROM translations") == [("Ist der Code {{door_code}}? {{door_code}}",)]


async def test_a_missing_fact_is_read_in_the_hosts_language(trial, db, clock, model):
    model.script["translation"] = {"text": "Is there a blender?"}
    one = trial(reply_mode="draft")
    with db.write() as conn:
        fact = missing_facts.ask(conn, "4711", None, "Gibt es einen Mixer?", request_id=None, now=clock())
    data = {**await form_of(one, "/ai/missing-facts"), "what": "question", "id": fact.id}
    plain = await one.post(PATH, data=data)  # without scripts
    assert (plain.status_code, plain.headers["location"]) == (303, "/ai/missing-facts")
    assert "Is there a blender?" in words_of(await one.get("/ai/missing-facts"))


async def test_what_is_in_the_hosts_language_already_is_left_alone(trial, inbox, db, clock, model):
    one = trial(reply_mode="draft")
    job = await a_draft(one, inbox)
    add_run(db, clock(), job.request_id, language="en")
    assert "Translate" not in words_of(await one.get("/outbox"))
    french = words_of(await one.get("/outbox", headers={"accept-language": "fr"}))
    assert "Traduire" in french


async def test_a_translation_goes_with_the_words_that_it_is_of(drafted, db, clock, inbox):
    one, job = drafted
    await ask(one, job)
    assert len(rows(db, "SELECT key FROM translations")) == 1
    retention.forget(db, "default", thread_id(), now=clock())
    assert rows(db, "SELECT key FROM translations") == []


async def test_a_translation_is_purged_as_if_it_were_the_text(drafted, db, clock):
    one, job = drafted
    await ask(one, job)
    retention.purge(db, "default", keep=timedelta(days=1), now=clock() + timedelta(hours=23))
    assert len(rows(db, "SELECT key FROM translations")) == 1
    retention.purge(db, "default", keep=timedelta(days=1), now=clock() + timedelta(hours=25))
    assert rows(db, "SELECT key FROM translations") == []


@pytest.mark.parametrize(("what", "text_id"), [("reply", "nope"), ("secret", "x"), ("message", "\0")])
async def test_an_unknown_text_is_not_found_and_costs_nothing(drafted, model, what, text_id):
    one, job = drafted
    assert (await ask(one, job, what=what, id=text_id)).status_code == 404
    assert model.calls == []
    with_no_form = await one.post(PATH, data={"what": "reply", "id": job.id})
    assert (with_no_form.status_code, model.calls) == (409, [])
