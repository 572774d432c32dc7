"""The callback, every row of the contract: codes, fields, texts."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import asyncio
import json
from contextlib import closing

import httpx
import pytest
from httpx import ASGITransport
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from src.api.limits import too_deep
from src.commands.serving import make_app
from src.db import inbox_queue
from src.db.wakeup import Wakeup
from src.model.statuses import InboxStatus
from src.settings import Settings
from tests.support.api import (  # noqa: F401
    CALLBACK,
    KEY,
    body,
    client,
    inbox,
    is_conversation_id,
    thread_id,
)

SAID = "Réponse IA ajoutée à la queue d'envoi"


async def test_an_answer_is_taken_with_exactly_the_contracts_words(client, inbox):
    request = inbox.waiting()
    response = await client().post(inbox.url(request), json=body())
    (job,) = inbox.jobs()
    assert response.status_code == 200
    assert response.json() == {
        "success": True,
        "outbox_id": job.id,
        "message": SAID,
        "thread_id": thread_id(),
    }
    again = await client().post(inbox.url(request), json=body())
    assert (again.status_code, again.json()) == (200, response.json())
    assert len(inbox.jobs()) == 1


@pytest.mark.parametrize("action", ["escalate", "ignore"])
async def test_an_action_is_a_success_without_an_outbox_id(client, inbox, action):
    request = inbox.waiting()
    sent = {"conversation_id": thread_id(), "action": action, "reason": "because"}
    response = await client().post(inbox.url(request), json=sent)
    assert (response.status_code, response.json()["success"], response.json()["outbox_id"]) == (
        200,
        True,
        None,
    )
    assert response.json()["thread_id"] == thread_id()
    assert inbox.now_of(request).reason == "because"


async def test_what_is_no_longer_wanted_is_409_with_its_reason(client, inbox, db, clock):
    request = inbox.waiting()
    with db.write() as conn:
        inbox_queue.finish(
            conn, request.id, [InboxStatus.WAITING], InboxStatus.CANCELLED, "guest_wrote_again", clock()
        )
    response = await client().post(inbox.url(request), json=body())
    assert response.status_code == 409
    assert response.json()["success"] is False
    assert response.json()["reason"] == "guest_wrote_again"
    assert inbox.jobs() == []


async def test_an_expired_request_is_409(client, inbox, clock):
    request = inbox.waiting(reply_in=10)
    clock.advance(11)
    response = await client().post(inbox.url(request), json=body())
    assert (response.status_code, response.json()["reason"]) == (409, "no_answer_in_time")
    assert inbox.jobs() == []


async def test_a_well_formed_conversation_that_is_not_yet_known_is_accepted(client, inbox):
    response = await client().post(CALLBACK, json=body(conversation_id=thread_id(987654321)))
    assert response.status_code == 200
    assert response.json()["thread_id"] == thread_id(987654321)
    assert [job.id for job in inbox.jobs()] == [response.json()["outbox_id"]]


MALFORMED = [
    ({"message": "Oui"}, "conversation_id"),
    ({"conversation_id": None, "message": "Oui"}, "conversation_id"),
    ({"conversation_id": 1234567, "message": "Oui"}, "conversation_id"),
    ({"conversation_id": "", "message": "Oui"}, "conversation_id"),
    ({"conversation_id": "nonsense", "message": "Oui"}, "conversation_id"),
    ({"conversation_id": "x" * 201, "message": "Oui"}, "conversation_id"),
    ({"conversation_id": "\0", "message": "Oui"}, "conversation_id"),
    ({"conversation_id": thread_id()}, "message"),
    (body(None), "message"),
    (body(""), "message"),
    (body(" \n "), "message"),
    (body(5), "message"),
    (body(["Oui"]), "message"),
    (body({"text": "Oui"}), "message"),
    (body("x" * 4001), "message"),
    (body("a\0b"), "message"),
    (body("a\ud800b"), "message"),
    (body(sender=5), "sender"),
    (body(None, action="dance"), "action"),
    (body("Oui", action="ignore"), "action"),
    (body(None, action="ignore", reason=5), "reason"),
    ([], "body"),
    ("text", "body"),
    (None, "body"),
]


@pytest.mark.parametrize(
    "text", ["\u3164", "\u2800 \u2800", "\u115f\u1160", "\uffa0\u200b", "\U000e0020"], ids=ascii
)
async def test_a_reply_that_only_looks_filled_is_empty(client, inbox, text):
    request = inbox.waiting()
    response = await client().post(inbox.url(request), json=body(text))
    assert (response.status_code, response.json()["field"]) == (422, "message")
    assert "empty" in response.json()["error"]
    assert inbox.jobs() == []
    assert inbox.now_of(request).status is InboxStatus.WAITING


@pytest.mark.parametrize(("sent", "field"), MALFORMED, ids=lambda value: str(value)[:40])
async def test_what_is_malformed_is_422_and_names_the_field(client, inbox, sent, field):
    response = await client().post(CALLBACK, content=json.dumps(sent))
    assert response.status_code == 422
    assert response.json()["success"] is False
    assert response.json()["field"] == field
    assert inbox.jobs() == []


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"confidence": 2}, "confidence"),
        ({"confidence": "high"}, "confidence"),
        ({"agent": 7}, "agent"),
        ({"sources": "none"}, "sources"),
        ({"sources": [{"title": 3}]}, "sources.0.title"),
        ({"hold": True}, "hold"),
        ({"class": 3}, "class"),
        ({"messages": []}, "messages"),
        ({"messages": ["x", 3]}, "messages.1"),
        ({"action": "escalate", "message": None, "holding_message": "\u200b"}, "holding_message"),
    ],
    ids=str,
)
async def test_what_an_ai_says_beside_its_answer_has_to_be_right(client, inbox, more, field):
    response = await client().post(inbox.url(inbox.waiting()), json={**body(), **more})
    assert (response.status_code, response.json()["field"]) == (422, field)
    assert inbox.jobs() == []


async def test_a_callback_may_say_who_wrote_it_how_sure_and_why_it_waits(client, inbox):
    source = {"title": "Kettle", "id": "a.md#kettle"}
    more = {"agent": "host", "topic": "kitchen", "confidence": 0.7, "sources": [source], "hold": "unsure"}
    response = await client().post(inbox.url(inbox.waiting()), json={**body(), **more})
    assert response.status_code == 200
    (job,) = inbox.jobs()
    assert (job.status, job.reason, job.agent, job.confidence) == ("draft", "unsure", "host", 0.7)
    assert json.loads(job.sources) == [source]


async def test_the_parts_of_a_callback_are_one_reply(client, inbox):
    parts = {**body("not used"), "messages": ["One.", "Two."]}
    await client().post(inbox.url(inbox.waiting()), json=parts)
    (job,) = inbox.jobs()
    assert job.text == "One.\n\nTwo."


async def test_an_escalation_by_callback_brings_its_holding_text(client, inbox):
    request = inbox.waiting()
    said = {"action": "escalate", "class": "refund", "holding_message": "A person reads it."}
    response = await client().post(inbox.url(request), json={**said, "conversation_id": thread_id()})
    (job,) = inbox.jobs()
    assert response.json()["outbox_id"] == job.id
    assert (job.kind, job.text) == ("holding", "A person reads it.")
    assert inbox.now_of(request).hard_class == "refund"


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff\xfe\x00", b"conversation_id=x", b"NaN", b"[" * 60_000, b'{"a":' * 9_000]
)
async def test_what_is_no_json_is_422(client, inbox, raw):
    response = await client().post(CALLBACK, content=raw)
    assert (response.status_code, response.json()["field"]) == (422, "body")
    assert inbox.jobs() == []


async def test_another_conversation_than_the_tokens_is_422(client, inbox):
    request = inbox.waiting()
    response = await client().post(inbox.url(request), json=body(conversation_id=thread_id(5)))
    assert (response.status_code, response.json()["field"]) == (422, "conversation_id")
    assert inbox.jobs() == []


async def test_an_answer_names_its_request_where_it_has_no_token(client, inbox):
    request = inbox.waiting()
    keyed = client(api_key=KEY, headers={"x-api-key": KEY})
    other = await keyed.post(inbox.url(request), json=body(request_id="another-request"))
    assert (other.status_code, other.json()["field"]) == (422, "request_id")
    wrong = await keyed.post(CALLBACK, json=body(request_id=request.id, conversation_id=thread_id(5)))
    assert wrong.status_code == 422
    assert (await keyed.post(CALLBACK, json=body(request_id=request.id))).status_code == 200
    assert (await keyed.post(CALLBACK, json=body(request_id="their own\0id"))).status_code == 200
    assert len(inbox.jobs()) == 1


async def test_nothing_that_was_sent_comes_back_in_an_error(client):
    canary = "canary-2718"
    for sent in (
        body(canary, action="ignore"),
        {"conversation_id": canary, "message": canary},
        {canary: canary},
    ):
        response = await client().post(f"{CALLBACK}?token={canary}", json=sent)
        assert response.status_code == 401
        assert canary not in response.text
        response = await client().post(CALLBACK, json=sent)
        assert response.status_code == 422
        assert canary not in response.text


@pytest.mark.parametrize(("size", "status"), [(64 * 1024, 200), (64 * 1024 + 1, 413), (3_000_000, 413)])
async def test_the_body_may_have_64_kib(client, inbox, size, status):
    request = inbox.waiting()
    content = json.dumps(body(padding="")).encode()
    content = content.replace(b'"padding": ""', b'"padding": "' + b"x" * (size - len(content)) + b'"')
    assert len(content) == size
    assert (await client().post(inbox.url(request), content=content)).status_code == status

    async def in_parts():
        for start in range(0, size, 10_000):
            yield content[start : start + 10_000]

    assert (await client().post(inbox.url(request), content=in_parts())).status_code == status
    assert len(inbox.jobs()) == (1 if status == 200 else 0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
near_bodies = st.fixed_dictionaries(
    {},
    optional={
        "conversation_id": st.just(thread_id()) | json_values,
        "message": st.just("Oui") | json_values,
        "sender": json_values,
        "action": st.sampled_from(["escalate", "ignore"]) | json_values,
        "reason": json_values,
        "request_id": json_values,
    },
)


@pytest.fixture
def app(db, clock):
    with closing(Wakeup(db)) as wakeup:
        yield make_app(Settings(), db, wakeup, is_conversation_id=is_conversation_id, clock=clock)


@hypothesis_settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sent=near_bodies.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200))
def test_whatever_comes_in_the_answer_is_200_or_a_4xx(app, sent):
    async def post():
        async with httpx.AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1") as one:
            return await one.post(CALLBACK, content=sent)

    response = asyncio.run(post())
    assert response.status_code in {200, 409, 422}
    assert response.json()["success"] is (response.status_code == 200)


def test_depth_is_counted_outside_of_strings_only():
    assert not too_deep(json.dumps({"a": "[" * 100 + '\\"' + "{" * 100}).encode())
    assert not too_deep(b'{"a": "\\\\"}' + b"[]" * 100)
    assert too_deep(b"[" * 33)
    assert not too_deep(b"[" * 32)
