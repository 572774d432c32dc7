"""The sandbox AI, against a small stand-in for the product's callback API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.ai import Plan, SandboxAI, sign
from sandbox.brain import answer, language_of, topics_of
from sandbox.server import ThreadedServer

SECRET = "whsec_bmlnaHRwb3J0ZXItc2FuZGJveC1zZWNyZXQ="


class CallbackApi(ThreadedServer):
    """Takes callbacks and remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    def application(self) -> ASGIApp:
        return Starlette(routes=[Route("/api/ai/webhook-simple", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.bodies.append(json.loads(await request.body()))
        self.headers.append(dict(request.headers))
        return JSONResponse({"success": True, "outbox_id": "1"})


@pytest.fixture
def api() -> Iterator[CallbackApi]:
    with CallbackApi() as running:
        yield running


@pytest.fixture
def ai() -> Iterator[SandboxAI]:
    with SandboxAI() as running:
        yield running


def ask(
    ai: SandboxAI, api: ThreadedServer, message: str = "Is there wifi?", **headers: str
) -> httpx.Response:
    payload = {
        "conversation_id": "TWVzc2FnZVRocmVhZDox",
        "sender": "Ana Silva",
        "message": message,
        "property_id": "1",
        "callback_url": f"{api.url}/api/ai/webhook-simple?token=t",
    }
    raw = json.dumps(payload)
    return httpx.post(ai.webhook_url, content=raw, headers=headers, trust_env=False, verify=False)


def test_it_accepts_and_then_calls_back(ai: SandboxAI, api: CallbackApi):
    assert ask(ai, api).status_code == 202
    (callback,) = ai.wait_for_callbacks()
    assert callback.status == 200
    assert api.bodies[0]["conversation_id"] == "TWVzc2FnZVRocmVhZDox"
    assert "wifi" in api.bodies[0]["message"]
    assert ai.received[0].payload["sender"] == "Ana Silva"


@pytest.mark.parametrize("key", ["message", "reply"])
def test_it_may_answer_in_the_body(ai: SandboxAI, api: CallbackApi, key: Any):
    ai.script(Plan("body", text="Yes.", body_key=key))
    assert ask(ai, api).json() == {key: "Yes."}
    assert api.bodies == []


def test_it_fails_as_scripted_and_then_recovers(ai: SandboxAI, api: CallbackApi):
    ai.fail_with([500, 429], retry_after="2")
    first, second, third = ask(ai, api), ask(ai, api), ask(ai, api)
    assert [first.status_code, second.status_code, third.status_code] == [500, 429, 202]
    assert second.headers["retry-after"] == "2"


def test_it_repeats_escalates_ignores_and_keeps_silent(ai: SandboxAI, api: CallbackApi):
    ai.script(Plan(repeat=3, together=True), Plan("escalate", reason="angry"), Plan("ignore"), Plan("silent"))
    ask(ai, api)
    ai.wait_for_callbacks(3)
    for _ in range(3):
        ask(ai, api)
    ai.wait_for_callbacks(5)
    actions = [body.get("action") for body in api.bodies]
    assert sorted(map(str, actions)) == ["None", "None", "None", "escalate", "ignore"]
    assert ({"reason": "angry"}.items()) <= next(
        b for b in api.bodies if b.get("action") == "escalate"
    ).items()


def test_held_answers_leave_out_of_order(ai: SandboxAI, api: CallbackApi):
    ai.script(Plan("hold", text="first"), Plan("hold", text="second"))
    ask(ai, api)
    ask(ai, api)
    assert ai.release(newest_first=True) == 2
    ai.wait_for_callbacks(2)
    assert [body["message"] for body in api.bodies] == ["second", "first"]


def test_it_verifies_signatures_and_signs_its_own(api: CallbackApi):
    with SandboxAI(secret=SECRET, sign_callbacks=True) as ai:
        assert ask(ai, api).status_code == 401
        raw = json.dumps({
            "conversation_id": "TWVzc2FnZVRocmVhZDox", "sender": "Ana", "message": "Hello",
            "property_id": None, "callback_url": f"{api.url}/api/ai/webhook-simple?token=t",
        }).encode()  # fmt: skip
        good = httpx.post(ai.webhook_url, content=raw, headers=sign(SECRET, raw, "msg_1"), trust_env=False)
        assert good.status_code == 202
        ai.wait_for_callbacks()
        assert [request.signature_ok for request in ai.received] == [False, True]
        assert api.headers[0]["webhook-signature"].startswith("v1,")


def test_an_unreachable_callback_is_noted(ai: SandboxAI):
    gone = CallbackApi()
    gone.start()
    gone.stop()
    ask(ai, gone)
    (callback,) = ai.wait_for_callbacks()
    assert callback.status == 0


@pytest.mark.parametrize(
    ("text", "language", "topics"),
    [
        ("What time is check-in, and is there parking?", "en", ["check-in", "parking"]),
        ("Bonjour, quel est le mot de passe du wifi ?", "fr", ["wifi"]),
        ("タオルはありますか？", "ja", ["towels"]),
        ("Hello!", "en", []),
    ],
)
def test_it_knows_language_and_topics(text: str, language: str, topics: list[str]):
    assert (language_of(text), topics_of(text)) == (language, topics)
    assert answer("Ana", text) == answer("Ana", text)
    assert answer("Ana", text).strip()
