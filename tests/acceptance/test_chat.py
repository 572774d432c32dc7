"""The chat from outside: the real commands, killed while a hundred wait, and the assistant alone."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.ai import Plan, SandboxAI
from sandbox.chat.gateway import Gateway, running_gateway
from tests.acceptance.house import CANARIES, House, wait_until
from tests.support.assistant import FILES, write_folder
from tests.support.model_server import ModelServer

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

CALLERS = 100


class NoSite:
    """The house of these tests has no inbox on a site."""

    url = "http://127.0.0.1:9"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """One account: the chat. Nothing opens a browser."""
    accounts = tmp_path / "accounts.toml"
    accounts.write_text('[[account]]\nname = "desk"\nchannel = "chat"\n')
    with SandboxAI() as ai:
        built = House(tmp_path, NoSite(), ai)  # type: ignore[arg-type]
        built.changes |= {"ACCOUNTS_FILE": str(accounts), "CHAT_WAIT_SEC": "60"}
        try:
            yield built
        finally:
            built.kill_all()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with running_gateway() as running:
        yield running


def is_up(house: House) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{house.port}/health/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def client(house: House) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=CALLERS, max_keepalive_connections=0)
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{house.port}",
        headers={"x-api-key": CANARIES[1]},
        timeout=90,
        limits=limits,
    )


async def ask_all(house: House, gateway: Gateway) -> list[httpx.Response | Exception]:
    async with client(house) as caller:
        asked = (gateway.ask(caller, f"4670{n:06}", f"Question {n}") for n in range(CALLERS))
        return list(await asyncio.gather(*asked, return_exceptions=True))  # type: ignore[arg-type]


async def test_killed_while_a_hundred_wait_the_same_calls_get_the_same_replies(
    house: House, gateway: Gateway
) -> None:
    house.ai.default = Plan("hold")
    first = house.start("syncsend")
    await asyncio.to_thread(wait_until, lambda: is_up(house), "the API")
    waiting = asyncio.create_task(ask_all(house, gateway))
    accepted = "SELECT COUNT(*) FROM queue_inbox WHERE status = 'waiting'"
    await asyncio.to_thread(wait_until, lambda: house.rows(accepted) == [(CALLERS,)], "all with the AI")
    first.send_signal(signal.SIGKILL)
    broken = await waiting
    assert all(isinstance(one, httpx.HTTPError) for one in broken), "each connection was reset"

    second = house.start("syncsend")
    await asyncio.to_thread(wait_until, lambda: is_up(house), "the API again")
    assert house.ai.release() == CALLERS
    pending = "SELECT COUNT(*) FROM queue_outbox"
    await asyncio.to_thread(wait_until, lambda: house.rows(pending) == [(CALLERS,)], "all answered")
    replies = [
        one.json()["reply"] for one in await ask_all(house, gateway) if isinstance(one, httpx.Response)
    ]
    again = [one.json()["reply"] for one in await ask_all(house, gateway) if isinstance(one, httpx.Response)]
    assert len(replies) == CALLERS
    assert again == replies
    assert house.rows("SELECT status, COUNT(*) FROM queue_outbox GROUP BY status") == [("sent", CALLERS)]
    of_callers = (
        "SELECT c.external_id, o.text FROM queue_outbox o JOIN conversations c ON c.id = o.conversation_id"
    )
    assert dict(house.rows(of_callers)) == {f"4670{n:06}": replies[n] for n in range(CALLERS)}
    assert len({one.payload["request_id"] for one in house.ai.received}) == CALLERS, "the AI was asked once"
    assert len(house.ai.received) == CALLERS
    async with client(house) as caller:
        health = (await caller.get("/health")).json()
    assert (health["status"], health["accounts"]["desk"]["status"]) == ("healthy", "working")
    assert house.stop(second)[0] == 0


async def test_a_late_reply_is_posted_by_the_worker_to_the_gateway(house: House, gateway: Gateway) -> None:
    house.changes |= {"CHAT_SEND_URL": gateway.url, "CHAT_WAIT_SEC": "0.5"}
    house.ai.default = Plan("callback", "In the yard.", delay=1.5)
    process = house.start("syncsend")
    await asyncio.to_thread(wait_until, lambda: is_up(house), "the API")
    async with client(house) as caller:
        assert (await gateway.ask(caller, "+46 70 1", "Where do I park?")).status_code == 504
    await asyncio.to_thread(wait_until, lambda: gateway.late, "the late reply")
    assert [(one.conversation_id, one.text) for one in gateway.late] == [("46701", "In the yard.")]
    sent = "SELECT 1 FROM queue_outbox WHERE status = 'sent'"
    await asyncio.to_thread(wait_until, lambda: house.rows(sent), "it is noted as sent")
    assert house.stop(process)[0] == 0
    assert len(gateway.late) == 1


async def test_the_assistant_alone_answers_at_api_chat(house: House, tmp_path: Path) -> None:
    with ModelServer() as server:
        house.changes |= {
            "ACCOUNTS_FILE": "",
            "ASSISTANT_BASE_URL": server.base_url,
            "ASSISTANT_MODEL": "main",
            "ASSISTANT_KNOWLEDGE_DIR": str(write_folder(tmp_path / "knowledge", FILES)),
            "ASSISTANT_AGENTS_DIR": str(tmp_path / "agents"),
        }
        process = house.start("assistant")
        await asyncio.to_thread(wait_until, lambda: is_up(house), "the assistant")
        question = body("Where can I park the car behind your house, please?")
        async with client(house) as caller:
            assert (
                await caller.post("/api/chat", json=question, headers={"x-api-key": "no"})
            ).status_code == 401
            first = (await caller.post("/api/chat", json=question)).json()
            steps = len(server.calls)
            again = (await caller.post("/api/chat", json=question)).json()
            assert len(server.calls) == steps, "the model was asked once"
            assert again["message"] == first["message"]
            assert "You can park in the yard behind the house." in first["message"]
            assert (first["agent"], first["language"]) == ("host", "en")
            assert 0.5 <= first["confidence"] <= 1
            assert first["sources"] == [{"title": "Parking", "id": "house.md#parking"}]
            limit = (await caller.get("/api/rate-limit/c1")).json()
            assert (limit["allowed"], limit["remaining"]) == (True, 9)
            server.ways = ["http_503"]
            away = await caller.post("/api/chat", json=body("And where is the bathroom light switch?"))
            assert (away.status_code, away.json()["agent"], away.json()["confidence"]) == (200, "escalate", 0)
            for path in ("/chat", "/whatsapp"):
                assert (await caller.post(path, json={})).status_code == 404
        roles = house.rows("SELECT role, agent FROM messages ORDER BY sequence LIMIT 2")
        assert roles == [("user", "host"), ("assistant", "host")]
        assert house.stop(process)[0] == 0


def body(message: str) -> dict[str, Any]:
    at = datetime.now(UTC).isoformat()
    return {"user_id": "u1", "conversation_id": "c1", "message": message, "timestamp": at}
