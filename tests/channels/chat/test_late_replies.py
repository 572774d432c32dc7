"""Replies that nobody waits for: POSTed to CHAT_SEND_URL once, whatever the program there says or leaves unsaid."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from sandbox.chat.gateway import running_gateway
from src.channels.base import Place
from src.channels.chat.channel import ChatChannel
from src.channels.chat.settings import ChatSettings
from src.model.statuses import OutboxStatus
from src.services import outbox_moves
from src.services.intake import Rules
from src.services.send import Send
from src.services.store import StoredHere
from src.settings import Settings
from src.workers.crew import Work
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.chat import ACCOUNT, KEY, Chat
from tests.support.ports import free_port


@pytest.fixture
def gateway():
    with running_gateway() as running:
        yield running


class ChatWithWorker(Chat):
    """The API, and a SEND worker whose gateway is there."""

    def __init__(self, db, clock, gateway, folder):
        super().__init__(db, clock, wait_sec=0.2, send_url=SecretStr(gateway.url), api_key=SecretStr(KEY))
        self.client.headers["x-api-key"] = KEY
        account = self.settings.chat
        rules = Rules.of(account.settings)
        store = StoredHere(db, ACCOUNT, rules, clock)
        place = Place(account=ACCOUNT, session_dir=folder, evidence_dir=folder, store=store)
        self.channel = ChatChannel(account.own, place)
        self.send = Send(db, account=ACCOUNT, owner="w", rules=rules, wakeup=self.wakeup, clock=clock)

    async def run_send(self):
        await self.send.run_once(self.channel)


@pytest.fixture
async def late(db, clock, gateway, tmp_path):
    made = ChatWithWorker(db, clock, gateway, tmp_path)
    await made.channel.open()
    yield made
    await made.channel.close()
    await made.client.aclose()
    made.wakeup.close()


async def unanswered(chat, user="46700001"):
    """A call that is answered after its caller has gone."""
    assert (await chat.ask(user=user)).status_code == 504
    (request,) = await chat.asked()
    chat.answer(request)


async def test_a_reply_that_nobody_waits_for_is_posted_once(late, gateway):
    await unanswered(late)
    await late.run_send()
    assert gateway.late == [], "whoever asked may still take it"
    late.clock.advance(3)
    for _ in range(2):
        await late.run_send()
    (taken,) = gateway.late
    (job,) = late.jobs()
    assert taken.body == {"id": job.id, "conversation_id": "46700001", "number": "46700001", "text": "Yes."}
    assert (taken.headers["idempotency-key"], taken.headers["x-api-key"]) == (job.id, KEY)
    assert (job.status, job.delivery) == (OutboxStatus.SENT, "accepted")
    assert [m.text for m in late.messages()] == ["Is it free?", "Yes."]
    assert (await late.ask(user="46700001")).json()["reply"] == "Yes.", "the same call hears it, too"
    assert len(gateway.late) == 1


async def test_a_caller_who_waits_takes_the_reply_before_it_is_posted(late, gateway):
    call = asyncio.create_task(late.ask())
    (request,) = await late.asked()
    late.answer(request)
    await late.run_send()
    assert (await call).json()["reply"] == "Yes."
    late.clock.advance(60)
    await late.run_send()
    assert gateway.late == []


async def test_a_draft_that_a_person_approves_is_posted_at_once(late, gateway):
    call = asyncio.create_task(late.ask(user="anna"))
    (request,) = await late.asked()
    late.answer(request, "Maybe.", hold="unsure")
    assert (await call).json()["held"] is True
    (job,) = late.jobs()
    outbox_moves.approve(late.db, late.wakeup, job.id, None, now=late.clock())
    await late.run_send()
    assert [one.body for one in gateway.late] == [{"id": job.id, "conversation_id": "anna", "text": "Maybe."}]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_program_that_is_busy_gets_the_reply_later(late, gateway, status):
    gateway.answers = [status]
    await unanswered(late)
    late.clock.advance(3)
    await late.run_send()
    (job,) = late.jobs()
    assert (job.status, job.arm_count, gateway.late) == (OutboxStatus.PENDING, 0, [])
    late.clock.advance(600)
    await late.run_send()
    assert (late.jobs()[0].status, gateway.texts("46700001")) == (OutboxStatus.SENT, ["Yes."])


async def test_a_program_that_is_not_there_gets_the_reply_later(late, gateway):
    away = replace_url(late, f"http://127.0.0.1:{free_port()}/")
    await unanswered(late)
    late.clock.advance(3)
    await late.run_send()
    assert (late.jobs()[0].status, late.jobs()[0].arm_count) == (OutboxStatus.PENDING, 0)
    late.channel._settings = away
    late.clock.advance(600)
    await late.run_send()
    assert gateway.texts("46700001") == ["Yes."]


def replace_url(chat, url):
    """The channel calls there from now on; returns the settings that it had."""
    before = chat.channel._settings
    chat.channel._settings = before.model_copy(update={"send_url": SecretStr(url)})
    return before


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_program_that_refuses_the_reply_makes_it_failed_with_its_code(late, gateway, status):
    gateway.answers = [status]
    await unanswered(late)
    late.clock.advance(3)
    await late.run_send()
    (job,) = late.jobs()
    assert (job.status, job.delivery, job.delivery_error) == (OutboxStatus.FAILED, "failed", f"http_{status}")


@pytest.mark.parametrize("fault", ["lost", 500])
async def test_an_answer_that_is_lost_leaves_the_reply_unconfirmed_and_never_posted_again(
    late, gateway, fault
):
    if fault == "lost":
        gateway.loses_answers = 1
    else:
        gateway.answers = [500]
    await unanswered(late)
    late.clock.advance(3)
    for _ in range(3):
        await late.run_send()
        late.clock.advance(600)
    (job,) = late.jobs()
    assert (job.status, job.reason) == (OutboxStatus.UNCONFIRMED, "no_proof")
    assert len(gateway.late) == (1 if fault == "lost" else 0)


async def test_a_newer_message_cancels_the_reply_before_it_is_posted(late, gateway):
    await unanswered(late)
    late.clock.advance(3)
    assert (await late.ask("And the cot?", user="46700001")).status_code == 504
    await late.run_send()
    assert gateway.late == []
    assert [(job.status, job.reason) for job in late.jobs()] == [("cancelled", "guest_wrote_again")]


def test_a_worker_sends_there_only_with_an_address():
    def works(**own):
        return Work(sync=True, send=True).of(Settings(channels=(ChatSettings(**own),)).chat).names

    assert works() == []
    assert "send" in works(send_url=SecretStr("http://127.0.0.1:9/"))
