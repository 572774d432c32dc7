"""What a host sees of the chat that stands in no accounts' file, and what becomes of what nobody calls for."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from src.db.waiting import waiting
from src.errors import SettingsError
from src.model.answer import Action
from src.model.statuses import OutboxStatus
from src.services import alerts, outbox_moves, retention
from src.services.chat import expire_uncalled
from src.settings import load_settings
from src.workers.housekeeping import drop_uncalled
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.chat import ACCOUNT, Chat, chat  # noqa: F401
from tests.support.dashboard import words_of


async def held(chat, text="Is it free?", user="u1"):
    """A call whose reply waits for a person; returns the draft."""
    call = asyncio.create_task(chat.ask(text, user=user))
    (request,) = await chat.asked()
    chat.answer(request, "Maybe.", hold="unsure")
    assert (await call).json()["held"] is True
    return next(job for job in chat.jobs() if job.status is OutboxStatus.DRAFT)


async def test_the_overview_says_what_waits_there_and_leads_to_it(chat):
    draft = await held(chat)
    front = await chat.client.get("/")
    assert "In the account chat: 1 thing waits for you." in words_of(front)
    there = await chat.client.get("/?account=chat")
    assert "Maybe." in words_of(there)
    assert "You see the account chat. Back to default" in words_of(there)
    # From now on this browser looks at the chat, on every page, until it goes back.
    form = {"form_token": there.text.split('name="form_token" value="')[1].split('"')[0], "account": ACCOUNT}
    assert "Maybe." in words_of(await chat.client.get("/outbox"))
    done = await chat.client.post(f"/outbox/{draft.id}/approve", data={**form, "next": "/outbox"})
    assert done.status_code == 303
    assert (await chat.ask()).json()["reply"] == "Maybe."
    back = words_of(await chat.client.get("/?account=default"))
    assert "You see the account chat" not in back
    assert "In the account chat" not in back


async def test_an_escalation_there_is_seen_and_may_be_seen_to(chat):
    call = asyncio.create_task(chat.ask("I want my money back"))
    (request,) = await chat.asked()
    chat.answer(request, None, action=Action.ESCALATE, reason="asks for money")
    assert (await call).json()["held"] is True
    assert "In the account chat: 1 thing waits for you." in words_of(await chat.client.get("/"))
    assert "I want my money back" in words_of(await chat.client.get("/conversations/u1?account=chat"))
    with chat.db.read() as conn:
        (found,) = alerts.find(conn, chat.settings.chat, chat.clock())
    assert (found.kind, found.detail) == ("unanswered", "asks for money")
    assert (await chat.client.post("/api/conversations/u1/seen-to")).status_code == 200
    assert "In the account chat" not in words_of(await chat.client.get("/"))


async def test_the_operators_calls_reach_the_chat_without_a_name_where_there_is_one_account(chat):
    await chat.answered()
    assert (await chat.client.get("/api/conversations/u1")).json()["messages"][0]["role"] == "user"
    assert (await chat.client.get("/api/conversations")).json()["conversations"][0]["account"] == ACCOUNT
    mode = {"scope": "account", "mode": "off"}
    assert (await chat.client.put("/api/mode", json=mode)).status_code == 200
    after = await chat.client.put("/api/mode", json={**mode, "account": ACCOUNT, "mode": "draft"})
    assert after.status_code == 200
    assert (await chat.client.get("/health")).json()["accounts"].keys() == {"default"}, (
        "it counts for nothing"
    )


async def test_a_reply_that_nobody_calls_for_is_no_stuck_one_and_ends_in_time(chat):
    call = asyncio.create_task(chat.ask())
    (request,) = await chat.asked()
    call.cancel()
    chat.answer(request)
    chat.clock.advance(3600)
    with chat.db.read() as conn:
        assert [one.what for one in waiting(conn, ACCOUNT, chat.clock())] == ["stuck"], (
            "were it sent by a worker"
        )
    assert "In the account chat" not in words_of(await chat.client.get("/"))
    assert expire_uncalled(chat.db, ACCOUNT, chat.clock()) == 0
    assert expire_uncalled(chat.db, ACCOUNT, request.reply_by + timedelta(seconds=1)) == 1
    assert [(job.status, job.reason) for job in chat.jobs()] == [("cancelled", "expired")]
    drop_uncalled(chat.db, [ACCOUNT])


async def test_purging_and_forgetting_reach_the_chat(chat, db):
    await chat.answered("My name is Kanarienvogel")
    assert ACCOUNT in chat.settings.asked, "these are purged"
    assert retention.forget(db, ACCOUNT, "u1", now=chat.clock()) > 0
    assert {m.text for m in chat.messages()} == {None}
    assert {c.user_id for c in chat.conversations()} == {None}
    await chat.answered("Kanarienvogel again", user="u2")
    later = chat.clock() + timedelta(days=91)
    assert retention.purge(db, ACCOUNT, keep=timedelta(days=90), now=later).messages == 2
    assert {m.text for m in chat.messages()} == {None}


async def test_a_persons_number_is_forgotten_with_the_rest_where_it_is_the_conversations_name(chat, db):
    await chat.answered(user="46700001")
    assert retention.forget(db, ACCOUNT, "46700001", now=chat.clock(), personal_ids=True) > 0
    (gone,) = chat.conversations()
    assert gone.external_id == f"forgotten-{gone.id}"
    await chat.answered("Here I am again", user="46700001")
    assert len(chat.conversations()) == 2, "who writes again begins anew"
    draft = await held(chat, "And now?", user="46700001")
    later = chat.clock() + timedelta(days=91)
    for still_there in (True, False):
        retention.purge(db, ACCOUNT, keep=timedelta(days=90), now=later, personal_ids=True)
        assert ("46700001" in {one.external_id for one in chat.conversations()}) is still_there
        if still_there:  # a reply waits there, and could not be sent otherwise
            outbox_moves.reject(db, draft.id, None, now=later)
    assert all(one.external_id.startswith("forgotten-") for one in chat.conversations())


async def test_a_path_that_is_not_wanted_is_not_served(db, clock):
    chat = Chat(db, clock, paths="/chat")
    assert (await chat.answered()).status_code == 200
    for path in ("/whatsapp", "/api/chat"):
        assert (await chat.client.post(path, json={})).status_code == 404
    assert (await chat.client.get("/api/rate-limit/u1")).status_code == 404
    await chat.client.aclose()
    chat.wakeup.close()


def test_an_unknown_path_stops_the_start(tmp_path):
    given = {"AI_WEBHOOK_URL": "http://127.0.0.1:9/ai", "CHAT_PATHS": "/chat /webhook"}
    with pytest.raises(SettingsError, match="CHAT_PATHS: must be of /api/chat /chat /whatsapp"):
        load_settings(tmp_path, given)


async def test_a_person_answers_a_call_that_waits(chat):
    call = asyncio.create_task(chat.ask("I want my money back"))
    (request,) = await chat.asked()
    written = await chat.client.post("/api/conversations/u1/messages", json={"message": "You get it. Anna"})
    assert written.status_code == 202
    answered = (await call).json()
    assert (answered["reply"], answered.get("held", False)) == ("You get it. Anna", False)
    assert (chat.jobs()[0].status, chat.jobs()[0].request_id) == (OutboxStatus.SENT, request.id)
    again = await chat.client.post("/api/conversations/u1/messages", json={"message": "And a bonus."})
    assert (again.status_code, again.json()["reason"]) == (409, "caller_has_answer")


async def test_a_person_answers_instead_of_a_draft_and_the_same_call_gets_it(chat):
    draft = await held(chat)
    await chat.client.post("/api/conversations/u1/messages", json={"message": "It is free on Sundays."})
    assert (await chat.ask()).json()["reply"] == "It is free on Sundays."
    assert {job.id: str(job.status) for job in chat.jobs()}[draft.id] == "cancelled"
