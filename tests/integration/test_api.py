"""The callback and the operator's side, every row of the contract: codes, fields, texts."""

import asyncio
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from httpx import ASGITransport
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from src.api.app import create_app
from src.api.limits import too_deep
from src.db import accounts, inbox_queue, outbox_queue
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import ExitCode, TransientError
from src.model.statuses import InboxStatus, OutboxStatus
from src.services import tokens
from src.settings import Settings
from tests.integration.api_support import ACCOUNT, CALLBACK, WEBHOOK_SECRET, Inbox, is_conversation_id, thread_id

KEY = "a-long-random-key"
SAID = "Réponse IA ajoutée à la queue d'envoi"


@pytest.fixture
def inbox(db, clock, make_message, make_conversation):
    return Inbox(db, clock, make_message, make_conversation)


@pytest.fixture
async def client(db, clock):
    """Makes clients of an application with these settings; by default one on this machine without credentials."""
    made, wakeup = [], Wakeup(db)

    def make(*, peer="127.0.0.1", base_url="http://127.0.0.1:8000", headers=None, browser_state=None, **settings):
        app = create_app(
            Settings(**settings), db, wakeup, is_conversation_id=is_conversation_id, clock=clock,
            browser_state=browser_state,
        )
        made.append(
            httpx.AsyncClient(transport=ASGITransport(app, client=(peer, 50_000)), base_url=base_url, headers=headers)
        )
        return made[-1]

    yield make
    for one in made:
        await one.aclose()
    wakeup.close()


def body(message="Oui, bien sûr.", **fields):
    return {"conversation_id": thread_id(), "message": message, "sender": "Gerda Guest", **fields}


def signed(content, *, secret=WEBHOOK_SECRET, message_id="msg_1", at=None, **more):
    at = at or datetime.now(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, content),
        **more,
    }


# --- the callback ----------------------------------------------------------------------------------------


async def test_an_answer_is_taken_with_exactly_the_contracts_words(client, inbox):
    request = inbox.waiting()
    response = await client().post(inbox.url(request), json=body())
    (job,) = inbox.jobs()
    assert response.status_code == 200
    assert response.json() == {"success": True, "outbox_id": job.id, "message": SAID, "thread_id": thread_id()}
    again = await client().post(inbox.url(request), json=body())
    assert (again.status_code, again.json()) == (200, response.json())
    assert len(inbox.jobs()) == 1


@pytest.mark.parametrize("action", ["escalate", "ignore"])
async def test_an_action_is_a_success_without_an_outbox_id(client, inbox, action):
    request = inbox.waiting()
    sent = {"conversation_id": thread_id(), "action": action, "reason": "because"}
    response = await client().post(inbox.url(request), json=sent)
    assert (response.status_code, response.json()["success"], response.json()["outbox_id"]) == (200, True, None)
    assert response.json()["thread_id"] == thread_id()
    assert inbox.now_of(request).reason == "because"


async def test_what_is_no_longer_wanted_is_409_with_its_reason(client, inbox, db, clock):
    request = inbox.waiting()
    with db.write() as conn:
        inbox_queue.cancelled(conn, request.id, [InboxStatus.WAITING], "guest_wrote_again", clock())
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


@pytest.mark.parametrize(("sent", "field"), MALFORMED, ids=lambda value: str(value)[:40])
async def test_what_is_malformed_is_422_and_names_the_field(client, inbox, sent, field):
    response = await client().post(CALLBACK, content=json.dumps(sent))
    assert response.status_code == 422
    assert response.json()["success"] is False
    assert response.json()["field"] == field
    assert inbox.jobs() == []


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe\x00", b"conversation_id=x", b"NaN", b"[" * 60_000, b'{"a":' * 9_000])
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
    for sent in (body(canary, action="ignore"), {"conversation_id": canary, "message": canary}, {canary: canary}):
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


@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(sent=near_bodies.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200))
def test_whatever_comes_in_the_answer_is_200_or_a_4xx(db, clock, sent):
    async def post():
        app = create_app(Settings(), db, Wakeup(db), is_conversation_id=is_conversation_id, clock=clock)
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


# --- doors -----------------------------------------------------------------------------------------------


async def test_the_token_lets_in_from_anywhere_with_and_without_a_key(client, inbox):
    request = inbox.waiting()
    for settings in ({}, {"api_key": KEY}, {"webhook_secret": WEBHOOK_SECRET}):
        outside = client(peer="203.0.113.9", base_url="https://porter.test", headers={"x-forwarded-for": "1.2.3.4"}, **settings)
        assert (await outside.post(inbox.url(request), json=body())).status_code == 200


@pytest.mark.parametrize("headers", [{"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}, {"authorization": f"bearer  {KEY}"}])
async def test_the_key_lets_in_from_anywhere(client, inbox, headers):
    outside = client(peer="203.0.113.9", api_key=KEY, headers=headers)
    assert (await outside.post(CALLBACK, json=body())).status_code == 200
    assert (await outside.get("/api/outbox")).status_code == 200


async def test_a_signature_lets_in_from_anywhere_and_its_id_makes_it_repeatable(client, inbox):
    outside = client(peer="203.0.113.9", webhook_secret=WEBHOOK_SECRET)
    content = json.dumps(body())
    first = await outside.post(CALLBACK, content=content, headers=signed(content))
    again = await outside.post(CALLBACK, content=content, headers=signed(content))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["outbox_id"] == again.json()["outbox_id"]
    assert len(inbox.jobs()) == 1


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "localhost", "[::1]:8000"])
async def test_a_direct_call_from_this_machine_is_let_in_where_there_is_no_secret(client, host):
    assert (await client(headers={"host": host}).post(CALLBACK, json=body())).status_code == 200


FROM_ELSEWHERE = {
    "another machine": {"peer": "203.0.113.9"},
    "no peer at all": {"peer": ""},
    "through a proxy": {"headers": {"x-forwarded-for": "127.0.0.1"}},
    "through a tunnel": {"headers": {"forwarded": "for=127.0.0.1"}},
    "through a cloud": {"headers": {"cf-connecting-ip": "127.0.0.1"}},
    "by a name that was pointed here": {"base_url": "http://evil.test"},
    "by a name that looks local": {"base_url": "http://localhost.evil.test"},
    "a foreign web page": {"headers": {"origin": "http://evil.test"}},
    "a web page without an origin": {"headers": {"origin": "null"}},
    "another program's page on this machine": {"headers": {"origin": "http://127.0.0.1:3000"}},
    "a cross-site call of a browser": {"headers": {"sec-fetch-site": "cross-site"}},
}


@pytest.mark.parametrize("name", FROM_ELSEWHERE)
async def test_who_is_not_directly_on_this_machine_stays_outside(client, inbox, name):
    one = client(**FROM_ELSEWHERE[name])
    response = await one.post(CALLBACK, json=body())
    assert response.status_code == 401
    assert response.json() == {"success": False, "error": "Not let in."}
    assert (await one.get("/api/conversations")).status_code == 401
    assert inbox.jobs() == []


def forged(content, token, secret):
    """Twelve ways to look like somebody who may come in."""
    old = datetime.now(UTC) - timedelta(minutes=6)
    good = signed(content)
    raw = hmac.new(b"guess", content.encode(), hashlib.sha256).hexdigest()
    return {
        "no credentials": (CALLBACK, {}),
        "a wrong key": (CALLBACK, {"x-api-key": "wrong"}),
        "the key's beginning": (CALLBACK, {"x-api-key": KEY[:-1]}),
        "an empty key": (CALLBACK, {"x-api-key": ""}),
        "a wrong bearer": (CALLBACK, {"authorization": "Bearer wrong"}),
        "basic instead of bearer": (CALLBACK, {"authorization": f"Basic {KEY}"}),
        "the key in the address": (f"{CALLBACK}?api_key={KEY}&key={KEY}", {}),
        "a made-up token": (f"{CALLBACK}?token=abc.def", {}),
        "another database's token": (f"{CALLBACK}?token={tokens.make(b'other', token.partition('.')[0])}", {}),
        "another request's signature in the token": (f"{CALLBACK}?token=other.{token.partition('.')[2]}", {}),
        "two tokens": (f"{CALLBACK}?token={token}&token=x", {}),
        "a signature of another body": (CALLBACK, signed(content + " ")),
        "an old signature": (CALLBACK, signed(content, at=old)),
        "a signature of tomorrow": (CALLBACK, signed(content, at=datetime.now(UTC) + timedelta(days=1))),
        "a signature by another secret": (CALLBACK, signed(content, secret="whsec_" + "QUJD" * 8)),
        "a signature for another id": (CALLBACK, {**good, "webhook-id": "msg_2"}),
        "a signature without a version": (CALLBACK, {**good, "webhook-signature": raw}),
        "a broken timestamp": (CALLBACK, {**good, "webhook-timestamp": "nan"}),
    }


@pytest.mark.parametrize("name", forged("{}", "a.b", WEBHOOK_SECRET))
@pytest.mark.parametrize("secrets", [{}, {"api_key": KEY, "webhook_secret": WEBHOOK_SECRET}], ids=["open", "locked"])
async def test_whoever_shows_something_forged_is_401_and_leaves_no_row(client, inbox, name, secrets):
    if not secrets and name in {"no credentials", "the key in the address"}:
        pytest.skip("that is nobody who shows something")
    request = inbox.waiting()
    content = json.dumps(body())
    url, headers = forged(content, inbox.token(request), WEBHOOK_SECRET)[name]
    response = await client(**secrets).post(url, content=content, headers=headers)
    assert response.status_code == 401
    assert response.json()["success"] is False
    assert inbox.jobs() == []
    assert inbox.now_of(request).status is InboxStatus.WAITING


async def test_malformed_bodies_of_strangers_are_not_even_parsed(client):
    for content in (b"{", b"[" * 60_000, b"{}"):
        assert (await client(api_key=KEY).post(CALLBACK, content=content)).status_code == 401


async def test_a_token_opens_nothing_but_the_callback(client, inbox):
    token = inbox.token(inbox.waiting())
    locked = client(api_key=KEY)
    assert (await locked.get(f"/api/outbox?token={token}")).status_code == 401
    assert (await locked.get("/api/outbox", headers={"authorization": f"Bearer {token}"})).status_code == 401


OPERATORS = [
    ("GET", "/api/outbox"), ("GET", "/api/conversations"), ("GET", f"/api/conversations/{thread_id()}"),
    ("POST", "/api/outbox/x/approve"), ("POST", "/api/outbox/x/reject"), ("POST", "/api/outbox/x/retry"),
    ("POST", "/api/outbox/x/cancel"), ("POST", "/api/outbox/x/confirm-sent"), ("POST", "/api/outbox/x/send-again"),
    ("POST", "/api/pause"), ("POST", "/api/resume"), ("PUT", "/api/mode"), ("POST", "/api/ai/verify"),
    ("GET", "/metrics"),
]


@pytest.mark.parametrize(("method", "path"), OPERATORS)
async def test_every_endpoint_of_the_operator_has_a_door(client, method, path):
    assert (await client(api_key=KEY).request(method, path)).status_code == 401
    assert (await client(peer="203.0.113.9").request(method, path)).status_code == 401
    opened = await client(api_key=KEY, headers={"x-api-key": KEY}).request(method, path)
    assert opened.status_code in {200, 404, 422, 502}


# --- the operator's side ---------------------------------------------------------------------------------


async def a_draft(one, inbox):
    request = inbox.waiting()
    await one.post(inbox.url(request), json=body())
    return inbox.jobs()[0]


async def test_a_draft_is_listed_and_approved_with_another_text(client, inbox):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    (listed,) = (await one.get("/api/outbox", params={"status": "draft"})).json()["jobs"]
    assert (listed["id"], listed["conversation_id"], listed["reason"]) == (job.id, thread_id(), "approval_required")
    assert (await one.get("/api/outbox", params={"status": "sent"})).json()["jobs"] == []
    response = await one.post(f"/api/outbox/{job.id}/approve", json={"message": "Encore mieux."})
    assert (response.status_code, response.json()["job"]["status"], response.json()["job"]["text"]) == (
        200, "pending", "Encore mieux.")
    again = await one.post(f"/api/outbox/{job.id}/approve")
    assert (again.status_code, again.json()["state"], again.json()["success"]) == (409, "pending", False)


async def test_a_draft_is_rejected_with_a_reason_and_a_pending_reply_cancelled(client, inbox):
    one = client(reply_mode="draft")
    job = await a_draft(one, inbox)
    rejected = await one.post(f"/api/outbox/{job.id}/reject", json={"reason": "wrong price"})
    assert (rejected.json()["job"]["status"], rejected.json()["job"]["reason"]) == ("cancelled", "wrong price")
    unasked = await client().post(CALLBACK, json=body(conversation_id=thread_id(5)))
    cancelled = await one.post(f"/api/outbox/{unasked.json()['outbox_id']}/cancel")
    assert (cancelled.json()["job"]["status"], cancelled.json()["job"]["reason"]) == ("cancelled", "cancelled_by_person")


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

    for scope, scope_id, mode in (("account", None, "draft"), ("listing", "listing-1", "off"), ("conversation", thread_id(), "auto")):
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


async def test_the_ai_can_be_tried(client, httpserver):
    httpserver.expect_request("/hook", method="POST").respond_with_json({"ok": True})
    found = await client(ai_webhook_url=httpserver.url_for("/hook")).post("/api/ai/verify")
    assert (found.status_code, found.json()["outcome"]) == (200, "http_200")
    missing = await client(ai_webhook_url=httpserver.url_for("/nothing")).post("/api/ai/verify")
    assert missing.status_code == 502
    assert missing.json()["success"] is False


# --- health, metrics, docs -------------------------------------------------------------------------------


def beat_all(db, clock, names=("sync", "send")):
    with db.write() as conn:
        accounts.ensure(conn, ACCOUNT, clock())
        for name in names:
            accounts.beat(conn, ACCOUNT, name, process_id=1, hostname="here", now=clock(), started=True)


AI = {"ai_webhook_url": "http://127.0.0.1:9/hook"}


async def test_healthy_is_said_only_when_everything_runs(client, db, clock):
    one = client(**AI, browser_state=lambda: "ready")
    degraded = (await one.get("/health")).json()
    assert degraded["status"] == "degraded"
    assert degraded["problems"] == ["sync_never_ran", "send_never_ran"]
    beat_all(db, clock)
    healthy = await one.get("/health")
    assert healthy.status_code == 200
    told = healthy.json()
    assert told["status"] == "healthy"
    assert (told["product"], told["database"], told["database_id"]) == ("nightporter", "ok", db.database_id)
    assert told["browser"] == "ready"
    assert told["ai_webhook"]["state"] == "not_called_yet"
    assert told["halt"] is None
    assert set(told["outbox"]) == {str(status) for status in OutboxStatus}
    assert set(told["inbox"]) == {str(status) for status in InboxStatus}


async def test_workers_that_fell_silent_or_stopped_degrade_it(client, db, clock):
    one = client(**AI, scrape_interval_sec=10, send_worker_interval_sec=60)
    beat_all(db, clock)
    clock.advance(31)
    assert (await one.get("/health")).json()["problems"] == ["sync_silent"]
    with db.write() as conn:
        accounts.worker_stopped(conn, ACCOUNT, "send", process_id=1, now=clock())
    assert (await one.get("/health")).json()["problems"] == ["sync_silent", "send_stopped"]


async def test_an_ai_that_fails_again_and_again_degrades_it(client, db, clock):
    one = client(**AI)
    beat_all(db, clock, ("sync", "send", "ai_webhook"))
    for failures in range(1, 4):
        with db.write() as conn:
            accounts.cycle_done(conn, ACCOUNT, "ai_webhook", outcome="timeout", duration_ms=1, ok=False, now=clock())
        assert (await one.get("/health")).json()["status"] == ("degraded" if failures == 3 else "healthy")
    assert (await one.get("/health")).json()["ai_webhook"]["last_outcome"] == "timeout"


async def test_an_unconfirmed_reply_degrades_it(client, db, clock, inbox):
    one = client(**AI)
    beat_all(db, clock)
    job = await a_draft(one, inbox)
    with db.write() as conn:
        outbox_queue.claim(conn, ACCOUNT, owner="w", lease_until=clock.later(60), now=clock())
        outbox_queue.arm(conn, job.id, "w", after_external_id=None, now=clock())
        outbox_queue.unconfirmed(conn, job.id, "no_proof", clock())
    told = (await one.get("/health")).json()
    assert (told["status"], told["problems"], told["outbox"]["unconfirmed"]) == ("degraded", ["unconfirmed_replies"], 1)


async def test_a_halt_says_what_a_person_needs_to_know(client, db, clock):
    with db.write() as conn:
        accounts.halt(conn, ACCOUNT, "challenge", "a challenge was met", ExitCode.HALTED_PERSON_NEEDED, "/x.png", clock())
    response = await client(**AI).get("/health")
    assert response.status_code == 200
    assert response.json()["status"] == "halted"
    assert response.json()["halt"] == {
        "kind": "challenge", "detail": "a challenge was met", "exit_code": 10, "since": clock().isoformat()}


async def test_without_the_database_health_is_503_and_an_answer_is_to_be_sent_again(client, db, inbox, monkeypatch):
    request = inbox.waiting()
    one = client()

    def gone(*_):
        raise TransientError("the connection to the database was lost")

    monkeypatch.setattr(Database, "check", gone)
    monkeypatch.setattr(Database, "write", gone)
    health = await one.get("/health")
    assert (health.status_code, health.json()["database"]) == (503, "unreachable")
    assert health.json()["database_id"] == db.database_id
    assert (await one.get("/health/live")).status_code == 200
    assert (await one.get("/health/ready")).status_code == 503
    assert (await one.get("/metrics")).status_code == 503
    failed = await one.post(inbox.url(request), json=body())
    assert (failed.status_code, failed.json()["success"]) == (503, False)
    monkeypatch.undo()
    assert (await one.get("/health/ready")).status_code == 200
    assert (await one.post(inbox.url(request), json=body())).status_code == 200


async def test_a_bug_is_500_without_details_and_the_next_call_works(client, inbox, monkeypatch):
    request = inbox.waiting()
    one = client()

    def bug(*_, **__):
        raise RuntimeError("canary-3141")

    monkeypatch.setattr("src.api.callback.take_answer", bug)
    response = await one.post(inbox.url(request), json=body())
    assert response.status_code == 500
    assert response.json()["success"] is False
    assert "canary-3141" not in response.text
    monkeypatch.undo()
    assert (await one.post(inbox.url(request), json=body())).status_code == 200


async def test_metrics_tell_the_queues(client, inbox, db, clock):
    one = client()
    beat_all(db, clock)
    await a_draft(one, inbox)
    text = (await one.get("/metrics")).text
    assert 'nightporter_outbox_jobs{status="pending"} 1.0' in text
    assert 'nightporter_inbox_requests{status="answered"} 1.0' in text
    assert 'nightporter_callbacks_total{result="enqueued"} 1.0' in text
    assert 'nightporter_worker_beat_age_seconds{worker="sync"}' in text


async def test_health_and_docs_are_open_and_say_nothing_of_a_guest(client, inbox):
    inbox.waiting()
    outside = client(api_key=KEY, peer="203.0.113.9")
    for path in ("/health", "/health/live", "/health/ready", "/docs", "/openapi.json"):
        response = await outside.get(path)
        assert response.status_code == 200
        assert "Gerda" not in response.text
        assert "cot?" not in response.text
        assert response.headers["cache-control"] == "no-store"


async def test_the_docs_need_nothing_from_elsewhere_and_name_every_endpoint(client):
    page = (await client().get("/docs")).text
    assert "//" not in page.replace("http://", "")
    assert "<script" not in page
    openapi = (await client().get("/openapi.json")).json()
    for path in openapi["paths"]:
        assert path in page
    public = {CALLBACK, "/health", "/health/live", "/health/ready", "/metrics", "/api/outbox", "/api/conversations",
              "/api/pause", "/api/resume", "/api/mode", "/api/ai/verify"}
    assert public <= set(openapi["paths"])
    assert "message" in page


async def test_errors_of_the_framework_look_like_all_others(client):
    assert (await client().get("/nothing")).json() == {"success": False, "error": "Not Found"}
    wrong = await client().get(CALLBACK)
    assert (wrong.status_code, wrong.json()["success"]) == (405, False)
