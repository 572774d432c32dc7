"""Who is let in, and that nobody else is."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import hashlib
import hmac
import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from src.model.statuses import InboxStatus
from src.services import tokens
from tests.support.api import CALLBACK, KEY, WEBHOOK_SECRET, body, client, inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401


def signed(content, *, secret=WEBHOOK_SECRET, message_id="msg_1", at=None, **more):
    at = at or datetime.now(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, content),
        **more,
    }


async def test_the_token_lets_in_from_anywhere_with_and_without_a_key(client, inbox):
    request = inbox.waiting()
    for settings in ({}, {"api_key": KEY}, {"webhook_secret": WEBHOOK_SECRET}):
        outside = client(
            peer="203.0.113.9",
            base_url="https://porter.test",
            headers={"x-forwarded-for": "1.2.3.4"},
            **settings,
        )
        assert (await outside.post(inbox.url(request), json=body())).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}, {"authorization": f"bearer  {KEY}"}]
)
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
        "another database's token": (
            f"{CALLBACK}?token={tokens.make(b'other', token.partition('.')[0])}",
            {},
        ),
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
@pytest.mark.parametrize(
    "secrets", [{}, {"api_key": KEY, "webhook_secret": WEBHOOK_SECRET}], ids=["open", "locked"]
)
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
    ("GET", "/api/outbox"),
    ("GET", "/api/conversations"),
    ("GET", f"/api/conversations/{thread_id()}"),
    ("POST", f"/api/conversations/{thread_id()}/seen-to"),
    ("POST", "/api/outbox/x/approve"),
    ("POST", "/api/outbox/x/reject"),
    ("POST", "/api/outbox/x/retry"),
    ("POST", "/api/outbox/x/cancel"),
    ("POST", "/api/outbox/x/confirm-sent"),
    ("POST", "/api/outbox/x/send-again"),
    ("POST", "/api/pause"),
    ("POST", "/api/resume"),
    ("PUT", "/api/mode"),
    ("POST", "/api/ai/verify"),
    ("GET", "/metrics"),
]


@pytest.mark.parametrize(("method", "path"), OPERATORS)
async def test_every_endpoint_of_the_operator_has_a_door(client, method, path):
    assert (await client(api_key=KEY).request(method, path)).status_code == 401
    assert (await client(peer="203.0.113.9").request(method, path)).status_code == 401
    opened = await client(api_key=KEY, headers={"x-api-key": KEY}).request(method, path)
    assert opened.status_code in {200, 404, 422, 502}


GUESSED = [
    ("POST", CALLBACK, lambda guess: {"x-api-key": guess}),
    ("GET", "/api/outbox", lambda guess: {"authorization": f"Bearer {guess}"}),
    ("GET", "/metrics", lambda guess: {"x-api-key": guess}),
    ("GET", "/", lambda guess: {"x-api-key": guess}),
]
"""Every kind of door that the key opens, and both headers."""


@pytest.mark.parametrize(("method", "path", "headers"), GUESSED)
async def test_guesses_at_the_key_are_slowed_as_logins_are(client, clock, method, path, headers):
    one = client(api_key=KEY)

    async def show(key):
        return await one.request(method, path, headers=headers(key))

    answers = [(await show(f"guess-number-{number:09}")).status_code for number in range(8)]
    assert answers == [401] * 5 + [429] * 3
    refused = await show(KEY)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3"), "or guesses would be free"
    clock.advance(3)
    assert (await show("guess")).status_code == 401
    assert (await show(KEY)).headers["retry-after"] == "5"
    clock.advance(5)
    assert (await show(KEY)).status_code not in {401, 429}
    assert (await show("guess")).status_code == 401, "the right one starts again"


async def test_a_guesser_keeps_no_token_and_no_signature_out(client, inbox):
    one = client(api_key=KEY, webhook_secret=WEBHOOK_SECRET)
    for number in range(9):
        await one.post(CALLBACK, headers={"x-api-key": f"guess {number}"})
    request = inbox.waiting()
    assert (await one.post(CALLBACK, headers={"x-api-key": KEY})).status_code == 429
    assert (await one.post(inbox.url(request), json=body())).status_code == 200
    content = json.dumps(body())
    headers = {"x-api-key": "guess", **signed(content)}
    assert (await one.post(CALLBACK, content=content, headers=headers)).status_code == 200


async def test_a_program_with_an_old_key_keeps_nobody_out_who_shares_its_address(client, clock):
    one = client(api_key=KEY)
    old, right = {"x-api-key": "the-key-of-last-year"}, {"x-api-key": KEY}
    for _ in range(9):
        last = await one.get("/api/outbox", headers=old)
    assert last.status_code == 429
    assert (await one.get("/api/outbox", headers=right)).status_code == 200


async def test_guesses_beside_an_old_key_are_slowed_like_all_others(client):
    one = client(api_key=KEY)
    for _ in range(9):
        await one.get("/api/outbox", headers={"x-api-key": "the-key-of-last-year"})
    assert (await one.get("/api/outbox", headers={"x-api-key": "another"})).status_code == 429
    assert (await one.get("/api/outbox", headers={"x-api-key": KEY})).status_code == 429


@pytest.mark.parametrize("seed", range(5))
async def test_no_order_of_guesses_tries_more_keys_than_the_waits_allow(client, clock, seed):
    """Whatever an address shows, and however long it waits between: of n answers after the sixth, time has passed."""
    dice = random.Random(seed)
    one = client(api_key=KEY)
    tried, passed = 0, 0.0
    for number in range(200):
        if dice.random() < 0.1:
            seconds = dice.choice([1, 3, 10, 60])
            clock.advance(seconds)
            passed += seconds
        shown = dice.choice(["old", "older", f"guess {number}"])
        answer = await one.get("/api/outbox", headers={"x-api-key": shown})
        tried += answer.status_code == 401
        needed = sum(min(2.0**n, 900.0) for n in range(1, tried - 4))
        assert passed >= needed


async def test_a_key_is_no_guess_where_none_is_set(client):
    one = client()
    for _ in range(9):
        assert (await one.get("/api/outbox", headers={"x-api-key": "x"})).status_code == 401
