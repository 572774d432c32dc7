"""The assistant over HTTP: a webhook that answers soon or later, a try, and why a run went as it did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from sqlalchemy import text as sql

from src.assistant.live import LiveAssistant
from src.commands.assistant import make_assistant_app
from src.db.wakeup import Wakeup
from src.services.hand_in import HandIn
from src.services.late_answers import LateAnswers
from src.settings import Settings
from tests.support.assistant import FILES, HOLDING, PARTS, settings_for, write_folder
from tests.support.model_server import ModelServer

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

KETTLE = "Where is the kettle in your kitchen, please?"
ANSWER = "The kettle stands in the kitchen cupboard."
KEY = "k" * 24
BODY = {
    "conversation_id": "c1",
    "sender": "Camille",
    "message": KETTLE,
    "property_id": "4711",
    "request_id": "r1",
    "callback_url": "http://other.test/api/ai/webhook-simple?token=t",
}


class Other(httpx.AsyncBaseTransport):
    """The Nightporter that asked."""

    def __init__(self):
        self.statuses = [200]
        self.calls = []
        self.called = asyncio.Event()

    async def handle_async_request(self, request):
        self.calls.append((str(request.url), json.loads(await request.aread())))
        self.called.set()
        return httpx.Response(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def other() -> Other:
    return Other()


class Served:
    """The assistant's app with everything behind it."""

    def __init__(self, db, clock, server, folder, other, *, soon_sec=25.0, **settings):
        self.settings = Settings(api_key=KEY, **settings)
        given = settings_for(
            server, assistant_knowledge_dir=folder / "knowledge", assistant_agents_dir=folder / "agents"
        )
        self.assistant = LiveAssistant(given, db, clock=clock, parts=PARTS)
        self.hand_in = HandIn(self.settings.webhook_secret, pauses_sec=(0.0, 0.0), transport=other)
        self.late = LateAnswers(self.assistant, self.hand_in, soon_sec=soon_sec)
        self.wakeup = Wakeup(db)
        app = make_assistant_app(self.settings, db, self.wakeup, self.assistant, self.late, clock=clock)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://localhost", headers={"x-api-key": KEY}
        )

    async def close(self):
        await self.client.aclose()
        await self.late.close()
        await self.hand_in.close()
        await self.assistant.close()
        self.wakeup.close()


@pytest.fixture
async def serve(db, clock, server, tmp_path, other) -> AsyncIterator:
    write_folder(tmp_path / "knowledge", FILES)
    made = []

    def make(**given):
        made.append(Served(db, clock, server, tmp_path, other, **given))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def settled(served):
    """Until nothing is at work any more."""
    while tasks := list(served.late._working.values()):
        await asyncio.gather(*tasks)


# --- the webhook ------------------------------------------------------------------------------------------------


async def test_an_answer_that_is_ready_soon_is_the_response(serve):
    response = await serve().client.post("/api/assistant/webhook", json=BODY)
    assert response.status_code == 200
    assert response.json()["message"] == ANSWER
    assert response.json()["agent"] == "host"


async def test_an_escalation_is_the_response_too(serve):
    response = await serve().client.post("/api/assistant/webhook", json={**BODY, "message": "refund"})
    said = response.json()
    assert (said["action"], said["class"], said["holding_message"]) == ("escalate", "refund", HOLDING)


async def test_an_answer_that_takes_longer_is_handed_in_at_the_callback(serve, server, other, db):
    server.ways, server.slow_sec = ["slow"], 0.3
    served = serve(soon_sec=0.05)
    response = await served.client.post("/api/assistant/webhook", json=BODY)
    assert response.status_code == 202
    again = await served.client.post("/api/assistant/webhook", json=BODY)
    assert again.status_code == 202
    await settled(served)
    ((url, body),) = other.calls
    assert url == BODY["callback_url"]
    assert (body["conversation_id"], body["request_id"], body["message"]) == ("c1", "r1", ANSWER)
    with db.read() as conn:
        assert conn.execute(sql("SELECT payload, state FROM assistant_runs")).all() == [(None, "done")]


async def test_a_callback_that_fails_is_tried_again(serve, server, other):
    server.ways, server.slow_sec, other.statuses = ["slow"], 0.2, [503, 500, 200]
    served = serve(soon_sec=0.05)
    await served.client.post("/api/assistant/webhook", json=BODY)
    await settled(served)
    assert len(other.calls) == 3


@pytest.mark.parametrize("status", [409, 401, 404])
async def test_a_callback_that_is_refused_is_not_tried_again(serve, server, other, status):
    server.ways, server.slow_sec, other.statuses = ["slow"], 0.2, [status]
    served = serve(soon_sec=0.05)
    await served.client.post("/api/assistant/webhook", json=BODY)
    await settled(served)
    assert len(other.calls) == 1


async def test_a_restart_goes_on_with_what_was_accepted(serve, server, other):
    server.ways = ["hanging"]
    first = serve(soon_sec=0.05)
    assert (await first.client.post("/api/assistant/webhook", json=BODY)).status_code == 202
    await first.late.close()
    server.ways = ["good"]
    second = serve()
    assert await second.late.take_up() == 1
    await settled(second)
    ((_, body),) = other.calls
    assert body["message"] == ANSWER
    assert await second.late.take_up() == 0


async def test_while_no_model_answers_the_caller_is_asked_to_come_again(serve, server):
    server.ways, server.retry_after = ["http_429"], "30"
    response = await serve().client.post("/api/assistant/webhook", json=BODY)
    assert (response.status_code, response.headers["retry-after"]) == (503, "31")
    assert response.json()["reason"] == "model_down"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"message": " \u200b"}, "message"),
        ({"message": "x" * 4001}, "message"),
        ({"message": 7}, "message"),
        ({"conversation_id": ""}, "conversation_id"),
    ],
)
async def test_what_is_malformed_names_its_field(serve, server, change, field):
    response = await serve().client.post("/api/assistant/webhook", json={**BODY, **change})
    assert (response.status_code, response.json()["field"]) == (422, field)
    assert server.calls == []


async def test_nobody_is_let_in_without_the_key(serve, server):
    served = serve()
    for path in ("/api/assistant/webhook", "/api/assistant/try"):
        response = await served.client.post(path, json=BODY, headers={"x-api-key": "wrong"})
        assert response.status_code == 401
    assert server.calls == []


# --- a try, and why ---------------------------------------------------------------------------------------------


async def test_a_try_tells_the_whole_decision_and_stores_nothing(serve, db):
    body = {"message": KETTLE, "property_id": "4711", "now": "2027-03-02T09:00:00+01:00", "sender": "Camille"}
    response = await serve().client.post("/api/assistant/try", json=body)
    said = response.json()
    assert (said["action"], said["message"], said["confidence"]) == ("answer", ANSWER, 0.95)
    assert [step["name"] for step in said["steps"]][-1] == "decide"
    with db.read() as conn:
        assert conn.execute(sql("SELECT COUNT(*) FROM assistant_runs")).scalar_one() == 0


@pytest.mark.parametrize("way", ["http_503", "http_429", "http_401", "html", "malformed"])
async def test_a_model_that_does_not_answer_is_no_error_of_who_tries(serve, server, way):
    server.ways = [way]
    response = await serve().client.post("/api/assistant/try", json={"message": KETTLE})
    assert response.status_code == 200
    assert response.json()["action"] == "escalate"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"now": "noon"}, "now"),
        ({"now": "2027-03-02T09:00:00"}, "now"),
        ({"history": [{"role": "cook"}]}, "history.0.role"),
    ],
)
async def test_a_try_with_a_wrong_value_names_it(serve, change, field):
    response = await serve().client.post("/api/assistant/try", json={"message": KETTLE, **change})
    assert (response.status_code, response.json()["field"]) == (422, field)


async def test_a_run_is_found_by_its_id_and_by_its_requests(serve):
    served = serve()
    await served.client.post("/api/assistant/webhook", json=BODY)
    run = (await served.client.get("/api/assistant/runs/r1")).json()
    assert (run["action"], run["topic"], run["state"]) == ("answer", "other", "done")
    assert run["sources"][0]["id"] == "listings/4711-attic/attic.md#kettle"
    same = (await served.client.get(f"/api/assistant/runs/{run['id']}")).json()
    assert same == run
    assert (await served.client.get("/api/assistant/runs/nothing")).status_code == 404


async def test_health_is_degraded_while_the_key_is_refused(serve, server):
    served = serve()
    assert (await served.client.get("/health")).json()["status"] == "healthy"
    server.ways = ["http_401"]
    await served.client.post("/api/assistant/webhook", json=BODY)
    said = (await served.client.get("/health")).json()
    assert (said["status"], said["problems"]) == ("degraded", ["assistant_model_key_refused"])
    assert list(said["refused_services"].values()) == ["http_401"]


async def test_the_docs_are_there(serve):
    response = await serve().client.get("/docs")
    assert response.status_code == 200
    assert "/api/assistant/webhook" in response.text
