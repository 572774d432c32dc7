"""One suite for whoever is asked: an AI over HTTP, and the one in this process."""

from __future__ import annotations

import asyncio
import json
import os
import socket

import httpx
import pytest

from src.model.asking import Asked
from src.services.ai_exchange import parse_answer
from src.services.askers import BuiltInAsker, find_dead
from src.services.http_asker import HttpAsker

PAYLOAD = {"conversation_id": "c1", "message": "Is there a cot?", "request_id": "r1"}


class Ai:
    """What it says next, and what it was asked."""

    def __init__(self):
        self.body = {"message": "Yes."}
        self.away = False
        self.retry_after = None
        self.broken = False
        self.payloads = []
        self.hang = False
        self.asked = asyncio.Event()

    async def _asked(self, payload):
        self.payloads.append(payload)
        self.asked.set()
        if self.hang:
            await asyncio.Event().wait()


class OverHttp(Ai, httpx.AsyncBaseTransport):
    async def handle_async_request(self, request):
        await self._asked(json.loads(await request.aread()))
        if self.broken:
            raise httpx.ReadError("gone")
        if self.away:
            headers = {"retry-after": str(self.retry_after)} if self.retry_after else {}
            return httpx.Response(503, headers=headers)
        return httpx.Response(200, json=self.body)


class InProcess(Ai):
    async def respond(self, payload):
        await self._asked(payload)
        if self.broken:
            raise ValueError("words of a guest")
        if self.away:
            return Asked(None, "model_down", self.retry_after)
        return Asked(self.body)

    async def close(self):
        """Nothing to let go of."""


@pytest.fixture(params=["http", "built_in"])
def ai(request):
    return OverHttp() if request.param == "http" else InProcess()


@pytest.fixture
async def asker(ai):
    over_http = isinstance(ai, OverHttp)
    made = HttpAsker("http://ai.test/", None, transport=ai) if over_http else BuiltInAsker(ai)
    yield made
    await made.close()
    await made.close()


async def test_the_ai_gets_the_payload_as_it_is(asker, ai):
    await asker.ask(PAYLOAD, "r1")
    assert ai.payloads == [PAYLOAD]


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Ja, natürlich.", "agent": "host", "confidence": 0.9},
        {"action": "escalate", "reason": "refund", "holding_message": "A person reads it."},
        {"action": "ignore", "reason": "closing"},
    ],
)
async def test_an_answer_is_the_body_of_an_accepted_response(asker, ai, body):
    ai.body = body
    response = await asker.ask(PAYLOAD, "r1")
    assert response.accepted
    answer = parse_answer(response.body, "c1", "r1")
    assert (answer.message, answer.action) == (body.get("message"), body.get("action"))
    assert answer.holding_message == body.get("holding_message")


async def test_an_ai_that_is_away_is_to_be_asked_again_when_it_says(asker, ai):
    ai.away, ai.retry_after = True, 17
    response = await asker.ask(PAYLOAD, "r1")
    assert not response.accepted
    assert not response.refused
    assert int(response.retry_after) in {17, 18}


async def test_an_ai_that_breaks_is_to_be_asked_again(asker, ai):
    ai.broken = True
    response = await asker.ask(PAYLOAD, "r1")
    assert not response.accepted
    assert not response.refused
    assert response.outcome
    assert "guest" not in response.outcome


async def test_it_may_be_cancelled(asker, ai):
    ai.hang = True
    task = asyncio.create_task(asker.ask(PAYLOAD, "r1"))
    await ai.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_trouble_behind_an_answer_is_told_with_it():
    class Troubled(InProcess):
        async def respond(self, payload):
            return Asked({"action": "escalate", "reason": "model_key_refused"}, "model_key_refused")

    response = await BuiltInAsker(Troubled()).ask(PAYLOAD, "r1")
    assert (response.accepted, response.outcome) == (True, "model_key_refused")


# --- who is dead ------------------------------------------------------------------------------------------------


HOST = socket.gethostname()
NOBODY = 2**22 + 7  # above the largest process number of Linux


def test_a_process_of_this_host_that_is_gone_is_dead():
    gone, own = f"{HOST}-{NOBODY}-aaaa", f"{HOST}-{os.getpid()}-bbbb"
    assert find_dead({gone, own}, own=own, one_machine=False) == [gone]


def test_a_process_before_us_with_our_number_is_dead():
    before = f"{HOST}-{os.getpid()}-aaaa"
    assert find_dead({before}, own=f"{HOST}-{os.getpid()}-bbbb", one_machine=False) == [before]


def test_a_process_that_lives_is_left_alone():
    assert find_dead({f"{HOST}-{os.getppid()}-aaaa"}, own="x", one_machine=True) == []


def test_another_hosts_process_is_dead_only_if_the_database_is_on_one_machine():
    elsewhere = f"other-host-{os.getppid()}-aaaa"
    assert find_dead({elsewhere}, own="x", one_machine=False) == []
    assert find_dead({elsewhere}, own="x", one_machine=True) == [elsewhere]
