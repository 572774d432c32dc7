"""Question and answer in one call: each failure by its name."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr

from src.db import accounts
from src.errors import TransientError
from src.model.answer import Action
from src.model.statuses import OutboxStatus
from src.services.ai_exchange import Response
from src.services.ai_webhook import AiWebhook
from tests.support.chat import ACCOUNT, KEY, Chat, chat  # noqa: F401
from tests.support.waiting import until


async def test_a_call_waits_for_its_answer_which_is_sent_and_stored(chat):
    response = await chat.answered()
    assert (response.status_code, response.json()) == (200, {"user_id": "u1", "reply": "Yes.", "turns": 1})
    (job,) = chat.jobs()
    assert (job.status, job.delivery) == (OutboxStatus.SENT, "accepted")
    assert [(m.text, m.origin) for m in chat.messages()] == [("Is it free?", "guest"), ("Yes.", "assistant")]
    again = await chat.answered("And parking?", "In the yard.")
    assert again.json() == {"user_id": "u1", "reply": "In the yard.", "turns": 2}


async def test_a_number_in_another_spelling_is_the_same_conversation(chat):
    for number, text in (("+46 (0)70-123", "One"), ("0046070123", "One")):
        call = asyncio.create_task(chat.client.post("/whatsapp", json={"number": number, "text": text}))
        if chat.jobs() == []:
            (request,) = await chat.asked()
            chat.answer(request, "Hello.")
        assert (await call).json() == {"reply": "Hello."}
    assert [m.text for m in chat.messages()] == ["One", "Hello."]


async def test_the_api_path_says_agent_and_confidence(chat):
    body = {
        "user_id": "u1",
        "conversation_id": "c1",
        "message": "Is it free?",
        "timestamp": "2026-11-20T12:00:00Z",
    }
    call = asyncio.create_task(chat.client.post("/api/chat", json=body))
    (request,) = await chat.asked()
    chat.answer(request)
    said = (await call).json()
    assert (said["message"], said["agent"], said["confidence"]) == ("Yes.", None, None)
    assert set(said) == {"message", "agent", "confidence", "timestamp"}
    assert (await chat.client.post("/api/chat", json=body)).json()["message"] == "Yes."
    assert [(one.external_id, one.user_id) for one in chat.conversations()] == [("c1", "u1")]
    assert len(chat.jobs()) == 1


async def test_a_caller_who_hangs_up_finds_the_reply_with_the_same_call(chat):
    call = asyncio.create_task(chat.ask())
    (request,) = await chat.asked()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    job = chat.answer(request).job
    assert [one.status for one in chat.jobs()] == [OutboxStatus.PENDING]
    assert (await chat.ask()).json()["reply"] == job.text
    assert len(chat.messages()) == 2


async def test_an_ai_that_is_away_is_504_and_the_request_stays(db, clock):
    chat = Chat(db, clock, wait_sec=0.05)
    response = await chat.ask()
    (request,) = chat.open_requests()
    assert response.status_code == 504
    assert response.json() == {"error": "no_answer_yet", "request_id": request.id, "retry_after": 5}
    chat.answer(request)
    assert (await chat.ask()).json()["reply"] == "Yes."
    await chat.client.aclose()
    chat.wakeup.close()


async def test_after_a_restart_the_same_calls_get_the_same_replies(db, clock):
    before = Chat(db, clock, wait_sec=0.05)
    for number in range(8):
        await before.ask(user=f"u{number}")
    for request in before.open_requests():
        before.answer(request, f"Reply to {request.id}")
    wanted = {job.text for job in before.jobs()}
    after = Chat(db, clock)
    found = [(await after.ask(user=f"u{number}")).json()["reply"] for number in range(8)]
    assert (set(found), len(found)) == (wanted, 8)
    for one in (before, after):
        await one.client.aclose()
        one.wakeup.close()


async def test_the_same_call_again_and_at_the_same_time_asks_the_ai_once(chat):
    calls = [asyncio.create_task(chat.ask(**{"idempotency-key": "k1"})) for _ in range(5)]
    (request,) = await chat.asked()
    chat.answer(request)
    assert {(await one).json()["reply"] for one in calls} == {"Yes."}
    assert (len(chat.jobs()), len(chat.messages())) == (1, 2)


async def test_two_different_calls_at_once_are_one_burst_with_one_reply(chat):
    first = asyncio.create_task(chat.ask("One"))
    await chat.asked()
    second = asyncio.create_task(chat.ask("Two"))
    await until(lambda: len(chat.messages()) == 2)
    (request,) = chat.open_requests()
    assert chat.texts(request) == ["One", "Two"]
    chat.answer(request, "Both.")
    assert [(await one).json()["reply"] for one in (first, second)] == ["Both.", "Both."]
    assert len(chat.jobs()) == 1


async def test_another_text_cancels_the_waiting_reply_and_the_ai_gets_both(chat):
    call = asyncio.create_task(chat.ask("One"))
    (request,) = await chat.asked()
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    chat.answer(request, "Only one.")
    second = asyncio.create_task(chat.ask("Two"))
    (request,) = await chat.asked()
    assert chat.texts(request) == ["One", "Two"]
    assert [(job.status, job.reason) for job in chat.jobs()] == [("cancelled", "guest_wrote_again")]
    chat.answer(request, "Both.")
    assert (await second).json()["reply"] == "Both."


@pytest.mark.parametrize("said", [None, "The host was told."])
async def test_an_escalation_is_answered_with_the_holding_text(chat, said):
    call = asyncio.create_task(chat.ask())
    (request,) = await chat.asked()
    chat.answer(request, None, action=Action.ESCALATE, holding_message=said)
    text = said or "We have your message; a person will answer."
    assert (await call).json() == {"user_id": "u1", "reply": text, "turns": 0, "held": True}
    assert (await chat.ask()).json()["reply"] == text
    assert [(job.text, job.status) for job in chat.jobs()] == ([(said, "sent")] if said else [])


async def test_what_a_person_approves_after_an_escalation_goes_to_the_same_call(chat):
    call = asyncio.create_task(chat.ask())
    (request,) = await chat.asked()
    chat.answer(request, None, action=Action.ESCALATE, holding_message="One moment.", draft="Yes, at 5.")
    assert (await call).json()["reply"] == "One moment."
    (draft,) = [job for job in chat.jobs() if job.status is OutboxStatus.DRAFT]
    assert (await chat.ask()).json()["held"] is True
    assert (await chat.client.post(f"/api/outbox/{draft.id}/approve")).status_code == 200
    assert (await chat.ask()).json() == {"user_id": "u1", "reply": "Yes, at 5.", "turns": 1}


async def test_a_draft_is_held_and_goes_out_once_it_is_approved(chat):
    call = asyncio.create_task(chat.ask())
    (request,) = await chat.asked()
    chat.answer(request, "Maybe.", hold="unsure")
    assert (await call).json()["held"] is True
    (job,) = chat.jobs()
    (listed,) = (await chat.client.get("/api/outbox", params={"status": "draft"})).json()["jobs"]
    assert (listed["id"], listed["account"], listed["conversation_id"]) == (job.id, ACCOUNT, "u1")
    assert (await chat.client.post(f"/api/outbox/{job.id}/approve")).status_code == 200
    again = await chat.ask()
    assert again.json() == {"user_id": "u1", "reply": "Maybe.", "turns": 1}


async def test_ignore_is_an_empty_reply(chat):
    call = asyncio.create_task(chat.ask("thanks"))
    (request,) = await chat.asked()
    chat.answer(request, None, action=Action.IGNORE)
    assert (await call).json() == {"user_id": "u1", "reply": "", "turns": 0}


async def test_a_reply_with_a_secret_never_goes_out_to_a_caller(chat):
    response = await chat.answered(reply="The code is {{door_code}}.")
    assert (response.json()["held"], chat.jobs()[0].status) == (True, OutboxStatus.DRAFT)


async def test_a_paused_account_sends_nothing_and_loses_nothing(db, clock):
    chat = Chat(db, clock, wait_sec=0.05)
    await chat.ask()
    (request,) = chat.open_requests()
    with db.write() as conn:
        accounts.pause(conn, ACCOUNT, clock())
    chat.answer(request)
    assert (await chat.ask()).status_code == 504
    with db.write() as conn:
        accounts.resume(conn, ACCOUNT, clock())
    assert (await chat.ask()).json()["reply"] == "Yes."
    await chat.client.aclose()
    chat.wakeup.close()


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/chat", {"user_id": "u1", "message": " "}, 422, "message"),
        ("/chat", {"user_id": 1, "message": "x"}, 422, "user_id"),
        ("/chat", {"message": "x"}, 422, "user_id"),
        ("/chat", {"user_id": "u1", "message": "x" * 4001}, 413, None),
        ("/whatsapp", {"number": "+", "text": "x"}, 422, "number"),
        ("/whatsapp", {"number": "46", "text": "x" * 4001}, 413, None),
        (
            "/api/chat",
            {"user_id": "u", "conversation_id": "c", "message": "x", "timestamp": "12"},
            422,
            "timestamp",
        ),
        (
            "/api/chat",
            {"user_id": "u", "conversation_id": "c", "message": "x", "timestamp": "2026-11-20T12:00:00"},
            422,
            "timestamp",
        ),
    ],
)
async def test_what_cannot_be_used_names_its_field_and_stores_nothing(chat, path, body, status, field):
    response = await chat.client.post(path, json=body)
    assert (response.status_code, response.json().get("field")) == (status, field)
    assert chat.messages() == []


async def test_no_json_is_422(chat):
    assert (await chat.client.post("/chat", content=b"hello")).status_code == 422


async def test_a_caller_from_elsewhere_needs_a_key(db, clock):
    chat = Chat(db, clock, api_key=KEY, wait_sec=0.05)
    far = chat.from_address("192.0.2.1")
    body = {"user_id": "u1", "message": "x"}
    for headers in ({}, {"x-api-key": "a-wrong-key-of-16-letters"}):
        for client in (far, chat.client):
            assert (await client.post("/chat", json=body, headers=headers)).status_code == 401
    assert chat.messages() == []
    for headers in ({"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}):
        assert (await far.post("/chat", json=body, headers=headers)).status_code == 504
    assert (await far.get("/api/outbox", headers={"x-api-key": KEY})).status_code == 401
    await far.aclose()
    await chat.client.aclose()
    chat.wakeup.close()


async def test_the_rate_limit_counts_what_was_let_in_and_slides(db, clock):
    chat = Chat(db, clock, rate_limit=2, wait_sec=0.01)
    limit = "/api/rate-limit/u1"
    fresh = (await chat.client.get(limit)).json()
    assert (fresh["allowed"], fresh["remaining"], fresh["limit"], fresh["window_sec"]) == (True, 2, 2, 60)
    await chat.ask("One")
    await chat.ask("One")  # the same call again does not count
    clock.advance(10)
    await chat.ask("Two")
    for _ in range(3):
        refused = await chat.ask("Three")
        assert (refused.status_code, refused.json()["allowed"]) == (429, False)
    assert refused.headers["retry-after"] == "51"
    assert refused.json() == (await chat.client.get(limit)).json()
    clock.advance(50)
    assert (await chat.ask("Three")).status_code == 504
    assert (await chat.ask("Four")).status_code == 429
    assert (await chat.client.get("/api/rate-limit/u2")).json()["remaining"] == 2
    await chat.client.aclose()
    chat.wakeup.close()


async def test_pages_of_other_origins_are_403_and_those_that_are_named_may_call(db, clock):
    chat = Chat(db, clock, origins="https://shop.example", api_key=KEY)
    headers = {"origin": "https://shop.example", "x-api-key": KEY}
    response = await chat.client.get("/api/rate-limit/c1", headers=headers)
    assert response.headers["access-control-allow-origin"] == "https://shop.example"
    headers["origin"] = "https://shop.example.evil.example"
    assert (await chat.client.get("/api/rate-limit/c1", headers=headers)).status_code == 403
    asked = await chat.client.options("/api/chat", headers={"origin": "https://shop.example"})
    assert (asked.status_code, asked.headers["access-control-max-age"]) == (204, "600")
    await chat.client.aclose()
    chat.wakeup.close()


async def test_while_the_database_is_away_a_call_is_503(chat, monkeypatch):
    def away(self):
        raise TransientError("the database is locked")

    monkeypatch.setattr(type(chat.db), "write", away)
    assert (await chat.ask()).status_code == 503


async def test_a_hundred_callers_wait_without_a_thread_each(db, clock):
    chat = Chat(db, clock, wait_sec=120)
    before = threading.active_count()
    calls = [asyncio.create_task(chat.ask(user=f"u{number}")) for number in range(100)]
    while len(chat.conversations()) < 100:  # noqa: ASYNC110 - each look takes time from those who call
        await asyncio.sleep(0.1)
    assert threading.active_count() - before <= 60  # the pool's, whatever the number of callers
    for request in chat.open_requests():
        chat.answer(request)
    assert {(await one).status_code for one in calls} == {200}
    await chat.client.aclose()
    chat.wakeup.close()


async def test_the_ai_behind_a_webhook_is_asked_and_may_answer_by_callback(db, clock):
    chat = Chat(db, clock)
    given: list[dict[str, Any]] = []

    def take(request: httpx.Request) -> httpx.Response:
        given.append(json.loads(request.content))
        return httpx.Response(202)

    account = chat.settings.chat
    assert account is not None
    account = replace(account, ai="webhook")
    url = SecretStr("http://127.0.0.1:9/ai")
    account = replace(account, settings=account.settings.model_copy(update={"ai_webhook_url": url}))
    webhook = AiWebhook(
        db,
        chat.wakeup,
        {ACCOUNT: account},
        callback_base_url="http://127.0.0.1:8000",
        secret=None,
        owner="worker",
        is_conversation_id=lambda *_: True,
        clock=clock,
        transport=httpx.MockTransport(take),
    )
    call = asyncio.create_task(chat.ask())
    await chat.asked()
    await webhook.run_once()
    assert (given[0]["message"], given[0]["channel"], given[0]["account"]) == ("Is it free?", "chat", "chat")
    answer = {"conversation_id": "u1", "message": "It is."}
    done = await chat.client.post(given[0]["callback_url"], json=answer)
    assert (done.status_code, (await call).json()["reply"]) == (200, "It is.")
    await webhook.close()
    await chat.client.aclose()
    chat.wakeup.close()


async def test_the_history_of_an_ai_and_the_turns_end_after_some_days_and_messages(db, clock):
    chat = Chat(db, clock)
    await chat.answered("Long ago")
    clock.advance(8 * 86_400)
    assert (await chat.answered("Today", "Yes.")).json()["turns"] == 1
    account = chat.settings.chat
    assert account is not None
    assert (account.settings.history_messages, account.history_from) == (60, timedelta(days=7))
    assert chat.settings.accounts[0].history_from is None
    given: list[dict[str, Any]] = []

    class Noted:
        in_process = True

        async def ask(self, payload: dict[str, Any], request_id: str) -> Response:
            given.append(payload)
            return Response(200, b'{"message": "Again."}')

        async def close(self) -> None: ...

    webhook = AiWebhook(
        db,
        chat.wakeup,
        {ACCOUNT: replace(account, ai="assistant")},
        callback_base_url="http://127.0.0.1:8000",
        secret=None,
        owner="worker",
        is_conversation_id=lambda *_: True,
        clock=clock,
        askers={ACCOUNT: cast("Any", Noted())},
    )
    call = asyncio.create_task(chat.ask("And now?"))
    await chat.asked()
    await webhook.run_once()
    assert (await call).json()["reply"] == "Again."
    assert [one["text"] for one in given[0]["history"]] == ["Today", "Yes."]
    await chat.client.aclose()
    chat.wakeup.close()
