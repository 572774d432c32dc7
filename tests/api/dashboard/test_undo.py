"""A reply that was approved on a page waits a moment, in which the approval can be taken back."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from src.db import accounts, outbox_queue, outbox_views
from src.model.statuses import OutboxStatus
from tests.support.api import ACCOUNT, body, client, inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.dashboard import HERE, a_draft, at_work, in_state, press, words_of

KEY = "a-key-of-sixteen-letters"


def now_of(db, job):
    with db.read() as conn:
        return outbox_views.get(conn, job.id)


def due(db, clock):
    with db.write() as conn:
        return outbox_queue.claim(conn, ACCOUNT, owner="w", lease_until=clock.later(60), now=clock())


async def test_an_approved_reply_is_not_due_before_the_undo_is_over(client, inbox, db, clock):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    at_work(db, clock)
    done = await press(one, job, "approve")
    assert now_of(db, job).status is OutboxStatus.PENDING
    said = await one.get(done.headers["location"])
    assert "Approved: it goes out in some seconds." in words_of(said)
    assert "Undo" in words_of(said)
    clock.advance(4.9)
    assert due(db, clock) is None
    clock.advance(0.2)
    assert due(db, clock).id == job.id


async def test_undo_brings_the_draft_back_as_it_was_with_its_reason_and_what_was_changed(
    client, inbox, db, clock
):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    await press(one, job, "approve", message="Words of mine.")
    assert "The mode is draft" not in words_of(await one.get("/outbox?state=pending"))
    back = await press(one, job, "take-back", HERE)
    assert "Taken back: it is a draft again." in words_of(await one.get(back.headers["location"]))
    draft = now_of(db, job)
    assert (draft.status, draft.reason, draft.approved_at) == (OutboxStatus.DRAFT, job.reason, None)
    assert (draft.text, draft.drafted_text) == ("Words of mine.", job.text)
    clock.advance(60)
    assert due(db, clock) is None
    await press(one, job, "approve")
    clock.advance(6)
    assert due(db, clock).text == "Words of mine."


async def test_the_undo_waits_in_the_queue_so_that_a_restart_keeps_it(client, inbox, db, clock):
    job = await a_draft(client(reply_mode="draft"), inbox)
    await press(client(reply_mode="draft"), job, "approve")
    after_restart = client(reply_mode="draft")
    clock.advance(2)
    assert due(db, clock) is None
    assert (await press(after_restart, job, "take-back", HERE)).status_code == 303
    assert now_of(db, job).status is OutboxStatus.DRAFT


@pytest.mark.parametrize(
    ("state", "says"), [("processing", "is being sent right now"), ("sent", "is sent already")]
)
async def test_undo_says_so_when_the_reply_is_in_hand(client, inbox, db, clock, state, says):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    done = await press(one, job, "approve")
    clock.advance(6)
    due(db, clock) if state == "processing" else in_state(db, clock, job, state)
    refused = await press(one, job, "take-back", HERE)
    assert refused.status_code == 409
    assert says in words_of(refused)
    assert now_of(db, job).status == state
    assert "Undo" not in words_of(await one.get(done.headers["location"]))


async def test_by_the_api_an_approved_reply_is_due_at_once(client, inbox, db, clock):
    one = client(reply_mode="draft", api_key=KEY)
    request = inbox.waiting("")
    await one.post(inbox.url(request), json=body(), headers={"x-api-key": KEY})
    (job,) = inbox.jobs()
    answer = await one.post(f"/api/outbox/{job.id}/approve", headers={"x-api-key": KEY})
    assert answer.status_code == 200
    assert now_of(db, job).reason is None
    assert due(db, clock).id == job.id


async def test_with_approve_undo_sec_0_a_page_approves_at_once_too(client, inbox, db, clock):
    one = client(reply_mode="draft", approve_undo_sec=0)
    job = await a_draft(one, inbox)
    await press(one, job, "approve")
    assert due(db, clock).id == job.id


async def test_what_waits_for_the_undo_is_said_truly_while_sending_is_paused(client, inbox, db, clock):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    at_work(db, clock)
    with db.write() as conn:
        accounts.pause(conn, ACCOUNT, clock())
    done = await press(one, job, "approve")
    clock.advance(10)
    at_work(db, clock)
    said = words_of(await one.get(done.headers["location"]))
    assert "Approved, but it does not go out now." in said
    assert "Undo" in said
    assert (await press(one, job, "take-back", HERE)).status_code == 303


async def test_nobody_takes_back_what_no_person_has_approved(client, inbox, db, clock):
    one = client(reply_mode="auto")
    job = await a_draft(one, inbox)
    refused = await press(one, job, "take-back", HERE)
    assert refused.status_code == 409
    assert now_of(db, job).status is OutboxStatus.PENDING


async def test_drafts_that_are_too_late_come_last_and_every_draft_has_its_clock(client, inbox, db, clock):
    one = client(reply_mode="draft")
    late = await a_draft(one, inbox)
    clock.advance(86_400 * 2)
    request = inbox.waiting(thread_id(2), "Is there parking?")
    answer = body(conversation_id=thread_id(2))
    assert (await one.post(inbox.url(request), json=answer)).status_code == 200
    fresh = next(job for job in inbox.jobs() if job.id != late.id)
    for path in ("/outbox?state=draft", "/"):
        text = (await one.get(path)).text
        assert text.index(fresh.id) < text.index(late.id), path
        assert "left to send" in text or "left of 24 h" in text
