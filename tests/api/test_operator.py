"""What a person does through the API."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from src.db import accounts, outbox_queue
from src.model.values import ReplyMode
from tests.support.api import ACCOUNT, CALLBACK, body, client, inbox, thread_id  # noqa: F401


async def a_draft(one, inbox):
    request = inbox.waiting()
    await one.post(inbox.url(request), json=body())
    return inbox.jobs()[0]


async def test_a_draft_is_listed_and_approved_with_another_text(client, inbox):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    (listed,) = (await one.get("/api/outbox", params={"status": "draft"})).json()["jobs"]
    assert (listed["id"], listed["conversation_id"], listed["reason"]) == (
        job.id,
        thread_id(),
        "approval_required",
    )
    assert (await one.get("/api/outbox", params={"status": "sent"})).json()["jobs"] == []
    response = await one.post(f"/api/outbox/{job.id}/approve", json={"message": "Encore mieux."})
    assert (response.status_code, response.json()["job"]["status"], response.json()["job"]["text"]) == (
        200,
        "pending",
        "Encore mieux.",
    )
    again = await one.post(f"/api/outbox/{job.id}/approve")
    assert (again.status_code, again.json()["state"], again.json()["success"]) == (409, "pending", False)


async def test_a_draft_is_rejected_with_a_reason_and_a_pending_reply_cancelled(client, inbox):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    rejected = await one.post(f"/api/outbox/{job.id}/reject", json={"reason": "wrong price"})
    assert (rejected.json()["job"]["status"], rejected.json()["job"]["reason"]) == (
        "cancelled",
        "wrong price",
    )
    unasked = await client().post(CALLBACK, json=body(conversation_id=thread_id(5)))
    cancelled = await one.post(f"/api/outbox/{unasked.json()['outbox_id']}/cancel")
    assert (cancelled.json()["job"]["status"], cancelled.json()["job"]["reason"]) == (
        "cancelled",
        "cancelled_by_person",
    )


@pytest.mark.parametrize("text", ["", " \n", "\u3164", "\u2800"], ids=ascii)
async def test_a_draft_is_not_approved_with_a_text_that_only_looks_filled(client, inbox, text):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    response = await one.post(f"/api/outbox/{job.id}/approve", json={"message": text})
    assert (response.status_code, response.json()["field"]) == (422, "message")
    assert [(one.status, one.text) for one in inbox.jobs()] == [("draft", job.text)]


async def test_a_reason_that_only_looks_filled_is_none(client, inbox):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    rejected = await one.post(f"/api/outbox/{job.id}/reject", json={"reason": "\u3164"})
    assert rejected.json()["job"]["reason"] == "rejected"


async def test_an_unconfirmed_reply_is_confirmed_or_sent_again_but_never_retried(client, inbox, db, clock):
    one = client()
    job = await a_draft(one, inbox)
    with db.write() as conn:
        outbox_queue.claim(conn, ACCOUNT, owner="w", lease_until=clock.later(60), now=clock())
        outbox_queue.arm(conn, job.id, "w", after_external_id=None, now=clock())
        outbox_queue.unconfirmed(conn, job.id, "no_proof", clock())
    retried = await one.post(f"/api/outbox/{job.id}/retry")
    assert (retried.status_code, retried.json()["state"]) == (409, "unconfirmed")
    again = await one.post(f"/api/outbox/{job.id}/send-again")
    assert (again.json()["job"]["status"], again.json()["job"]["replaces_id"]) == ("pending", job.id)
    confirmed = await one.post(f"/api/outbox/{job.id}/confirm-sent")
    assert confirmed.json()["job"]["status"] == "sent"


@pytest.mark.parametrize("job_id", ["nope", "%00", "a b", "x" * 100])
async def test_an_unknown_reply_is_404(client, job_id):
    for move in ("approve", "reject", "retry", "cancel", "confirm-sent", "send-again"):
        response = await client().post(f"/api/outbox/{job_id}/{move}")
        assert (response.status_code, response.json()["success"]) == (404, False)


async def test_a_conversation_is_shown_with_its_messages_request_and_replies(client, inbox):
    one = client()
    await a_draft(one, inbox)
    (listed,) = (await one.get("/api/conversations")).json()["conversations"]
    assert (listed["conversation_id"], listed["guest_name"]) == (thread_id(), "Gerda Guest")
    shown = (await one.get(f"/api/conversations/{thread_id()}")).json()
    assert shown["conversation"]["mode"] == "auto"
    assert [message["text"] for message in shown["messages"]] == ["Is there a cot?"]
    assert shown["request"]["status"] == "answered"
    assert [job["text"] for job in shown["jobs"]] == ["Oui, bien sûr."]
    for unknown in (thread_id(4), "%00", "a%20b", ""):
        assert (await one.get(f"/api/conversations/{unknown}")).status_code == 404


@pytest.mark.parametrize("query", ["status=odd", "limit=0", "limit=501", "limit=x"])
async def test_a_query_that_makes_no_sense_is_422(client, query):
    response = await client().get(f"/api/outbox?{query}")
    assert (response.status_code, response.json()["field"]) == (422, query.partition("=")[0])


async def test_sending_is_paused_and_resumed(client, db):
    one = client()
    assert (await one.post("/api/pause")).json() == {"success": True, "paused": True}
    assert (await one.get("/health")).json()["paused"] is True
    assert (await one.post("/api/resume")).json() == {"success": True, "paused": False}
    assert (await one.get("/health")).json()["paused"] is False


async def test_a_mode_holds_for_the_account_a_listing_or_a_conversation(client, inbox):
    one = client()
    inbox.conversation(thread_id())

    async def mode_now():
        return (await one.get(f"/api/conversations/{thread_id()}")).json()["conversation"]["mode"]

    for scope, scope_id, mode in (
        ("account", None, "draft"),
        ("listing", "listing-1", "off"),
        ("conversation", thread_id(), "auto"),
    ):
        response = await one.put("/api/mode", json={"scope": scope, "id": scope_id, "mode": mode})
        assert response.status_code == 200
        assert await mode_now() == mode


@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [
        ({"scope": "house", "id": "1", "mode": "auto"}, 422, "scope"),
        ({"scope": "account", "mode": "loud"}, 422, "mode"),
        ({"scope": "listing", "mode": "auto"}, 422, "id"),
        ({"scope": "listing", "id": "a\0", "mode": "auto"}, 422, "id"),
        ({"scope": "account", "mode": "auto", "modus": 1}, 422, "modus"),
        ({"scope": "conversation", "id": thread_id(4), "mode": "auto"}, 404, None),
        ({}, 422, "scope"),
    ],
)
async def test_a_mode_that_makes_no_sense_is_refused(client, sent, status, field):
    response = await client().put("/api/mode", json=sent)
    assert (response.status_code, response.json().get("field")) == (status, field)


async def test_the_answer_to_a_mode_says_what_holds_and_reply_mode_off_decides(client, inbox):
    inbox.conversation(thread_id())
    places = [("account", None), ("listing", "listing-1"), ("conversation", thread_id())]
    for reply_mode, holds in (("off", "off"), ("draft", "auto")):
        one = client(reply_mode=reply_mode)
        for scope, scope_id in places:
            body = {"scope": scope, "id": scope_id, "mode": "auto"}
            answer = (await one.put("/api/mode", json=body)).json()
            assert (answer["mode"], answer["set"]) == (holds, "auto"), (reply_mode, scope)
        shown = await one.get(f"/api/conversations/{thread_id()}")
        assert shown.json()["conversation"]["mode"] == holds
    for scope, scope_id in places[:0:-1]:
        body = {"scope": scope, "id": scope_id, "mode": "inherit"}
        assert (await one.put("/api/mode", json=body)).json()["mode"] == "auto"
    off = {"scope": "account", "mode": "inherit"}
    assert (await one.put("/api/mode", json=off)).json()["mode"] == "draft"


async def test_a_mode_for_a_listing_that_nobody_has_is_refused(client, inbox, db, clock):
    one = client()
    inbox.conversation(thread_id())
    refused = await one.put("/api/mode", json={"scope": "listing", "id": "listing-9", "mode": "auto"})
    assert (refused.status_code, refused.json()["field"]) == (422, "id")
    assert "no conversation is about it" in refused.json()["error"]
    with db.write() as conn:
        assert accounts.modes(conn, ACCOUNT) == []
        accounts.set_mode(conn, ACCOUNT, "listing", "listing-9", ReplyMode.OFF, clock())
    gone = {"scope": "listing", "id": "listing-9", "mode": "inherit"}
    assert (await one.put("/api/mode", json=gone)).status_code == 200
    with db.read() as conn:
        assert accounts.modes(conn, ACCOUNT) == []


async def test_the_ai_can_be_tried(client, httpserver):
    httpserver.expect_request("/hook", method="POST").respond_with_json({"ok": True})
    found = await client(ai_webhook_url=httpserver.url_for("/hook")).post("/api/ai/verify")
    assert (found.status_code, found.json()["outcome"]) == (200, "http_200")
    missing = await client(ai_webhook_url=httpserver.url_for("/nothing")).post("/api/ai/verify")
    assert missing.status_code == 502
    assert missing.json()["success"] is False
