"""A sandbox AI: takes the product's webhook and answers after a script."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import httpx
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox import brain
from sandbox.server import ThreadedServer

Way = Literal["callback", "body", "fail", "silent", "never", "escalate", "ignore", "hold"]
Brain = Callable[[str, str], str]
Item = TypeVar("Item")


@dataclass
class Plan:
    """What to do with one request.

    ``callback``: 202, then a call of ``callback_url``; ``body``: the answer in the 2xx itself; ``fail``: ``status``;
    ``silent``: 202 and no more; ``never``: no answer at all; ``escalate``/``ignore``: a callback with that action;
    ``hold``: 202, and a callback only when the test says ``release``.
    """

    way: Way = "callback"
    text: str | None = None
    """What to say; None: what the brain says."""
    delay: float = 0.0
    """Seconds before the callback, or before the answer itself."""
    repeat: int = 1
    """How many times the same callback is sent."""
    together: bool = False
    """The repeated callbacks leave at the same moment."""
    status: int = 500
    retry_after: str | None = None
    body_key: Literal["message", "reply"] = "message"
    reason: str = "scripted"
    raw_body: bytes | None = None
    """Send exactly this as the callback's body."""


@dataclass
class Received:
    """One request of the product."""

    payload: dict[str, Any]
    headers: dict[str, str]
    plan: Plan
    at: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.monotonic)
    signature_ok: bool | None = None
    """Whether the signature is right; None without a secret."""


@dataclass
class Callback:
    """One call of a ``callback_url`` and what came back; ``status`` 0: nothing did."""

    request: Received
    body: dict[str, Any]
    status: int
    answer: dict[str, Any]


class SandboxAI(ThreadedServer):
    """Start it and give ``webhook_url`` to the product.

    Each request takes the next of the ``script``ed plans, or ``default`` when there is none left.
    With a ``secret`` it verifies the product's signatures (and answers 401 to wrong ones), and signs its callbacks
    when ``sign_callbacks``. ``api_key`` is sent as ``X-API-KEY``.
    """

    def __init__(
        self,
        default: Plan | None = None,
        brain: Brain = brain.answer,
        secret: str | None = None,
        sign_callbacks: bool = False,
        api_key: str | None = None,
    ) -> None:
        super().__init__()
        self.default = default or Plan()
        self.brain = brain
        self.secret = secret
        self.sign_callbacks = sign_callbacks
        self.api_key = api_key
        self._changed = threading.Condition()
        self._plans: list[Plan] = []
        self._received: list[Received] = []
        self._callbacks: list[Callback] = []
        self._held: list[Received] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def webhook_url(self) -> str:
        """Where the product shall POST (contract of the webhook: any path will do)."""
        return f"{self.url}/webhook"

    @property
    def received(self) -> list[Received]:
        """Every request so far."""
        with self._changed:
            return list(self._received)

    @property
    def callbacks(self) -> list[Callback]:
        """Every callback that was answered or failed so far."""
        with self._changed:
            return list(self._callbacks)

    def script(self, *plans: Plan) -> None:
        """Append plans for the next requests, one each."""
        with self._changed:
            self._plans.extend(plans)

    def fail_with(self, statuses: Sequence[int], retry_after: str | None = None) -> None:
        """Answer the next requests with these statuses."""
        self.script(*(Plan("fail", status=status, retry_after=retry_after) for status in statuses))

    def reset(self) -> None:
        """Forget requests, callbacks and plans."""
        with self._changed:
            self._plans.clear()
            self._received.clear()
            self._callbacks.clear()
            self._held.clear()

    def release(self, newest_first: bool = False) -> int:
        """Send the callbacks that were on ``hold``, one after the other; returns how many."""
        with self._changed:
            held, self._held = self._held, []
        if newest_first:
            held.reverse()
        self.call_in_loop(self._start, self._release(held))
        return len(held)

    def wait_for_requests(self, count: int = 1, timeout: float = 10.0) -> list[Received]:
        """Wait until that many requests came. Raises TimeoutError."""
        return self._wait(lambda: self._received, count, timeout, "requests")

    def wait_for_callbacks(self, count: int = 1, timeout: float = 10.0) -> list[Callback]:
        """Wait until that many callbacks were answered. Raises TimeoutError."""
        return self._wait(lambda: self._callbacks, count, timeout, "callbacks")

    def _wait(self, items: Callable[[], list[Item]], count: int, timeout: float, what: str) -> list[Item]:
        with self._changed:
            if not self._changed.wait_for(lambda: len(items()) >= count, timeout):
                raise TimeoutError(f"{len(items())} of {count} {what} after {timeout} s")
            return list(items())

    # --- serving ---------------------------------------------------------------------------------------------

    def application(self) -> ASGIApp:
        """Any path takes a POST; a GET or HEAD says that somebody is there."""
        return Starlette(
            routes=[
                Route("/{path:path}", self._alive, methods=["GET", "HEAD"]),
                Route("/{path:path}", self._webhook, methods=["POST"]),
            ]
        )

    async def _alive(self, _: Request) -> Response:
        return PlainTextResponse("sandbox AI")

    async def _webhook(self, request: Request) -> Response:
        raw = await request.body()
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = self._verify(raw, headers)
        try:
            payload = json.loads(raw)
            message, sender = str(payload["message"]), str(payload["sender"])
        except (KeyError, TypeError, ValueError):
            return JSONResponse({"error": "conversation_id, sender, message, callback_url, please"}, 422)
        received = Received(payload, headers, self._next_plan(), signature_ok=signed)
        with self._changed:
            self._received.append(received)
            self._changed.notify_all()
        if signed is False:
            return JSONResponse({"error": "wrong signature"}, 401)
        return await self._carry_out(received, sender, message)

    def _next_plan(self) -> Plan:
        with self._changed:
            return self._plans.pop(0) if self._plans else self.default

    def _verify(self, raw: bytes, headers: dict[str, str]) -> bool | None:
        if self.secret is None:
            return None
        try:
            Webhook(self.secret).verify(raw, headers)
        except WebhookVerificationError:
            return False
        return True

    async def _carry_out(self, received: Received, sender: str, message: str) -> Response:
        plan = received.plan
        if plan.way == "never":
            await self.closing()
        if plan.way in ("fail", "body", "never") and plan.delay:
            await asyncio.sleep(plan.delay)
        if plan.way == "fail":
            headers = {"Retry-After": plan.retry_after} if plan.retry_after else None
            return PlainTextResponse("scripted failure", plan.status, headers=headers)
        if plan.way == "body":
            return JSONResponse({plan.body_key: plan.text or self.brain(sender, message)})
        if plan.way == "hold":
            with self._changed:
                self._held.append(received)
        elif plan.way in ("callback", "escalate", "ignore"):
            self._start(self._call_back(received))
        return JSONResponse({"accepted": True}, 202)

    def _start(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- calling back ----------------------------------------------------------------------------------------

    async def _release(self, held: list[Received]) -> None:
        for received in held:
            await self._call_back(received)

    async def _call_back(self, received: Received) -> None:
        plan = received.plan
        if plan.delay:
            await asyncio.sleep(plan.delay)
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            if plan.together:
                await asyncio.gather(*(self._post(client, received) for _ in range(plan.repeat)))
            else:
                for _ in range(plan.repeat):
                    await self._post(client, received)

    def _body_for(self, received: Received) -> dict[str, Any]:
        plan, payload = received.plan, received.payload
        body = {"conversation_id": payload["conversation_id"], "sender": payload["sender"]}
        if plan.way in ("escalate", "ignore"):
            return {**body, "action": plan.way, "reason": plan.reason}
        return {**body, "message": plan.text or self.brain(str(payload["sender"]), str(payload["message"]))}

    async def _post(self, client: httpx.AsyncClient, received: Received) -> None:
        body = self._body_for(received)
        raw = received.plan.raw_body or json.dumps(body, ensure_ascii=False).encode()
        status = 0
        answer: dict[str, Any] = {}
        try:
            url = str(received.payload["callback_url"])
            response = await client.post(url, content=raw, headers=self._headers(received, raw))
            status = response.status_code
            parsed = response.json()
            answer = parsed if isinstance(parsed, dict) else {"answer": parsed}
        except (httpx.HTTPError, KeyError, ValueError) as error:
            answer = answer or {"error": type(error).__name__}
        with self._changed:
            self._callbacks.append(Callback(received, body, status, answer))
            self._changed.notify_all()

    def _headers(self, received: Received, raw: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.api_key:
            headers["X-API-KEY"] = self.api_key
        if self.secret and self.sign_callbacks:
            headers |= sign(self.secret, raw, f"msg_{received.payload.get('request_id', 'sandbox')}")
        return headers


def sign(secret: str, raw: bytes, message_id: str) -> dict[str, str]:
    """The Standard Webhooks headers for a body."""
    now = datetime.now(UTC)
    signature = Webhook(secret).sign(message_id, now, raw.decode())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
