"""The recipes for the webhook do what they say: their examples go through our own webhook and callback."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import json
import re
from pathlib import Path

import httpx
import pytest
from httpx import ASGITransport
from standardwebhooks import Webhook

from src.db import conversations
from src.model.answer import Action
from src.services.ai_exchange import build_payload, parse_answer
from tests.support.api import WEBHOOK_SECRET, client, inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
REQUEST, *ANSWERS = EXAMPLES


def payload_of(db, request):
    with db.read() as conn:
        conversation = conversations.get(conn, request.conversation_id)
        own = conversations.messages_of_request(conn, request.id)
    return build_payload(request, conversation, own, [], "http://127.0.0.1:8000/callback", "airbnb")


def test_the_example_of_a_request_has_the_fields_of_a_real_one(db, inbox):
    assert set(REQUEST) == set(payload_of(db, inbox.waiting()))


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.get("action", "message"))
async def test_each_example_of_an_answer_is_taken_by_the_callback(client, inbox, answer):
    request = inbox.waiting()
    assert answer["conversation_id"] == thread_id()
    response = await client().post(inbox.url(request), json=answer)
    assert (response.status_code, response.json()["success"]) == (200, True)


async def test_the_example_in_python_answers_and_escalates(db, inbox):
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    there: dict = {}
    exec(code.group(1), there)
    async with httpx.AsyncClient(transport=ASGITransport(there["app"]), base_url="http://ai") as ai:
        for number, (text, action) in enumerate((("Is there a cot?", None), ("A refund!", Action.ESCALATE))):
            request = inbox.waiting(thread_id(number), text)
            said = await ai.post("/webhook", json=payload_of(db, request))
            answer = parse_answer(said.content, thread_id(number), request.id)
            assert answer.action is action
            assert bool(answer.message) is (action is None)


async def test_the_workflow_of_n8n_asks_for_fields_that_come_and_sends_what_is_taken(client, db, inbox):
    workflow = json.loads((ROOT / "ops" / "n8n-workflow.json").read_text(encoding="utf-8"))
    nodes = {node["name"]: node for node in workflow["nodes"]}
    for start, ways in workflow["connections"].items():
        assert start in nodes
        assert all(way["node"] in nodes for way in ways["main"][0])
    request = inbox.waiting()
    payload = payload_of(db, request)
    everything = json.dumps(workflow)
    assert set(re.findall(r"\.json\.body\.(\w+)", everything)) <= set(payload)
    assert nodes["Guest message"]["parameters"]["responseMode"] == "responseNode"
    sent = re.search(r"JSON\.stringify\(\{(.*)\}\)", nodes["Answer"]["parameters"]["jsonBody"])
    fields = re.findall(r"(\w+):", sent.group(1))
    values = {"conversation_id": payload["conversation_id"], "message": "Thank you."}
    response = await client().post(inbox.url(request), json={name: values[name] for name in fields})
    assert response.status_code == 200
    taken = re.search(r"JSON\.stringify\((\{.*\})\)", nodes["Taken"]["parameters"]["responseBody"])
    said = re.sub(r"(\w+):", r'"\1":', taken.group(1)).encode()
    assert parse_answer(said, thread_id(), request.id) is None, "an acknowledgement is no answer"


async def test_verify_says_whether_a_signature_is_right_and_why_not(client, clock):
    one = client(webhook_secret=WEBHOOK_SECRET, api_key="a-long-random-key", peer="203.0.113.9")
    body = '{"message": "test"}'
    right = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(clock().timestamp())),
        "webhook-signature": Webhook(WEBHOOK_SECRET).sign("msg_1", clock(), body),
    }
    good = await one.post("/api/ai/verify", content=body, headers=right)
    assert (good.status_code, good.json()) == (200, {"success": True, "signature": "valid"})
    bad = await one.post("/api/ai/verify", content=body + "\n", headers=right)
    assert (bad.status_code, bad.json()["reason"]) == (401, "body_changed")
    nobody = await one.post("/api/ai/verify", content=body)
    assert nobody.status_code == 401
