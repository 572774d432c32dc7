"""Why an answer is as it is: said on the conversation's page and on a draft's card."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import os

import pytest

from tests.assistant.knowledge.folders import LISTING, SECRETS, write
from tests.support.api import client, inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.assistant_runs import STEPS, add_run, step
from tests.support.dashboard import HERE, a_draft, words_of

KETTLE = {"title": "Kettle", "id": "a.md#kettle"}
DOOR = {"title": "Door", "id": "listings/4711-attic/b.md#door"}


@pytest.fixture
def folder(tmp_path):
    return write(
        tmp_path / "knowledge",
        {
            "a.md": "---\ntitle: House\n---\n## Kettle\nIt stands in the <kitchen>.\n",
            "listings/4711-attic/listing.toml": LISTING,
            "listings/4711-attic/secrets.toml": SECRETS,
            "listings/4711-attic/b.md": "## Door\nThe code is {{door_code}}.\n",
        },
    )


@pytest.mark.parametrize("path", [HERE, "/outbox"])
async def test_a_draft_says_what_it_rests_on_what_was_looked_at_and_what_it_cost(
    client, inbox, db, clock, folder, path
):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    add_run(db, clock(), job.request_id, sources=[KETTLE])
    said = words_of(await one.get(path))
    for part in (
        "Why this answer",
        "a.md:4",
        "It stands in the <kitchen>.",
        "The guest writes in this language: German.",
        "it is about “Kitchen”",
        "7 of your facts may be told to this guest today; the model got 2.",
        "Second look of a model at the draft: nothing against it.",
        "0.9 of 1: the least of what the first look (0.95) and the draft (0.9) say.",
        "Model: small, large.",
        "1,000 tokens, 2.2 s.",
        "US$0.0021",
    ):
        assert part in said
    french = words_of(await one.get(path, headers={"accept-language": "fr"}))
    assert "Pourquoi cette réponse" in french
    assert "allemand" in french
    assert "Cuisine" in french


async def test_what_held_an_answer_is_said_in_words_where_it_was_found(client, inbox, db, clock, folder):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    steps = [
        *STEPS[:5],
        step("gate", "promise"),
        step("decide", "promise", "triage=0.95 draft=0.9 cut=second_try"),
    ]
    add_run(db, clock(), job.request_id, steps=steps, hold="promise", confidence=0.5)
    said = words_of(await one.get("/outbox"))
    assert "It waits for you: It promises something." in said
    assert "Fixed rules on the draft: It promises something." in said
    assert "Cut to 0.5 at most, because the first draft was refused by the fixed rules." in said


async def test_an_escalation_says_its_reason_in_words_at_the_guests_message(client, inbox, db, clock):
    one = client()
    request = inbox.waiting()
    sent = {"conversation_id": thread_id(), "action": "escalate", "reason": "refund"}
    assert (await one.post(inbox.url(request), json=sent)).status_code == 200
    add_run(
        db,
        clock(),
        request.id,
        steps=[step("read", "en"), step("rules", "hit", "refund, complaint")],
        action="escalate",
        reason="refund",
        hard_class="refund",
        confidence=0.0,
        cost=None,
        prompt_tokens=0,
        completion_tokens=0,
    )
    said = words_of(await one.get(HERE))
    assert "Why no answer of the assistant" in said
    assert "It was left to you. It is about money back." in said
    assert "Fixed rules on the guest's words: It is about money back. The guest complains." in said
    assert "No model was asked." in said


async def test_a_model_that_was_asked_in_vain_is_named_without_a_code(client, inbox, db, clock):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    add_run(db, clock(), job.request_id, steps=[step("triage", "http_503", model="small"), *STEPS])
    said = words_of(await one.get("/outbox"))
    assert "The model small was asked in vain: the service failed." in said
    assert "http_503" not in said


async def test_no_value_of_a_secret_and_no_lost_fact_is_shown(client, inbox, db, clock, folder):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    add_run(db, clock(), job.request_id, sources=[DOOR, {"title": "Gone", "id": "gone.md#gone"}])
    page = await one.get("/outbox")
    assert "The code is {{door_code}}." in words_of(page)
    assert "48#21" not in page.text
    assert "gone.md This fact is not in your files any more." in words_of(page)


async def test_a_file_that_was_changed_after_the_answer_is_said_to_be(client, inbox, db, clock, folder):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    add_run(db, clock(), job.request_id, sources=[KETTLE])
    at = clock().timestamp()
    for moved, said in ((at - 60, False), (at + 60, True)):
        os.utime(folder / "a.md", (moved, moved))
        shown = words_of(await client(reply_mode="draft").get("/outbox"))
        assert ("changed after the answer was made" in shown) is said


async def test_with_another_ai_there_is_nothing_to_ask_why(client, inbox):
    one = client(reply_mode="draft")
    await a_draft(one, inbox)
    assert "Why this answer" not in words_of(await one.get("/outbox"))
