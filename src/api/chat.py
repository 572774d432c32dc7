"""``/chat``, ``/whatsapp`` and ``/api/chat``: a question comes in, its answer is the response."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC
from typing import Any

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from src.api.context import Context
from src.api.docs import REFUSALS, described
from src.api.doors import comes_from_here
from src.api.limits import key_of_call, read_json
from src.model.blank import is_blank
from src.services.chat import Call, Desk, Rate, RateLimited, Reply
from src.services.refusals import Malformed

LONGEST_TEXT = 4_000
RETRY_AFTER_SEC = 5
_GONE = 499
"""The caller has hung up: nobody reads this. (The number that nginx writes into its log.)"""
_FOREIGN = "pages of this origin may not call; see CHAT_ORIGINS"
_EXTRA = {
    **REFUSALS,
    413: {"description": "more than 4,000 characters"},
    429: {"description": "over CHAT_RATE_LIMIT; Retry-After and the limit's state"},
    504: {"description": "no answer yet: make the same call again"},
}


class ApiChatBody(BaseModel):
    """A message of a conversation. The same conversation, time and text is the same call."""

    model_config = ConfigDict(strict=True, extra="ignore")

    user_id: str = Field(min_length=1, max_length=200)
    conversation_id: str = Field(min_length=1, max_length=200)
    message: str
    timestamp: str = Field(description="ISO 8601 with a zone", examples=["2027-03-01T10:00:00+00:00"])


class ChatBody(BaseModel):
    """A message of a user, whose conversation is named as the user is."""

    model_config = ConfigDict(strict=True, extra="ignore")

    user_id: str = Field(min_length=1, max_length=200)
    message: str


class GatewayBody(BaseModel):
    """A message of a phone number, as a gateway of one's own hands it in."""

    model_config = ConfigDict(strict=True, extra="ignore")

    number: str = Field(max_length=200)
    text: str


class _Time(BaseModel):
    at: AwareDatetime


class NoAnswer(Exception):
    """None came in time; ``request_id`` is the one that is being answered."""

    def __init__(self, request_id: str | None) -> None:
        self.request_id = request_id


class _Counter:
    """What the paths share: who may call, and how a call is answered."""

    def __init__(self, context: Context, desk: Desk) -> None:
        self.context = context
        self.desk = desk
        self._origins = frozenset(desk.settings.origins.split())

    async def let_in(self, request: Request) -> None:
        """Raises ``Unauthorized``, or 403 for a page of another origin."""
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins and not comes_from_here(request):
            raise HTTPException(403, _FOREIGN)
        await self.context.doors.chat(request, self.desk.settings.api_key)

    def respond(self, request: Request, said: Any, status: int = 200, retry: int | None = None) -> Response:
        """JSON that a page of a named origin may read."""
        headers = {} if retry is None else {"retry-after": str(retry)}
        return self._with_origin(request, JSONResponse(said, status_code=status, headers=headers))

    def _with_origin(self, request: Request, response: Response) -> Response:
        origin = request.headers.get("origin")
        response.headers["vary"] = "Origin"
        if origin is not None and origin in self._origins:
            response.headers["access-control-allow-origin"] = origin
            response.headers["access-control-expose-headers"] = "Retry-After"
        return response

    async def preflight(self, request: Request) -> Response:
        """A browser asks before it calls for a page of another origin."""
        if request.headers.get("origin") not in self._origins:
            raise HTTPException(403, _FOREIGN)
        response = self._with_origin(request, Response(status_code=204))
        response.headers["access-control-allow-methods"] = "GET, POST"
        response.headers["access-control-allow-headers"] = (
            "Content-Type, X-API-KEY, Authorization, Idempotency-Key"
        )
        response.headers["access-control-max-age"] = "600"
        return response

    async def answer(self, request: Request, call: Call) -> Reply | Response:
        """The reply, or the response that says why there is none."""
        try:
            return await _answer(self.context, self.desk, request, call)
        except RateLimited as limited:
            wait = (limited.rate.reset_at - self.context.clock()).total_seconds()
            return self.respond(request, _rate(limited.rate), 429, max(1, int(wait) + 1))
        except NoAnswer as none:
            said = {"error": "no_answer_yet", "request_id": none.request_id, "retry_after": RETRY_AFTER_SEC}
            return self.respond(request, said, 504, RETRY_AFTER_SEC)


def chat_routes(context: Context, desk: Desk, *, only_api: bool = False) -> APIRouter:
    """The paths of CHAT_PATHS; with ``only_api`` none but ``/api/chat`` and its limit."""
    router = APIRouter(tags=["chat"], responses=_EXTRA)
    counter = _Counter(context, desk)
    wanted = set(desk.settings.paths.split())
    paths = []
    if "/api/chat" in wanted:
        paths += ["/api/chat", "/api/rate-limit/{conversation_id}"]
        _api_routes(router, counter)
    if "/chat" in wanted and not only_api:
        paths.append("/chat")
        _chat_route(router, counter)
    if "/whatsapp" in wanted and not only_api:
        _gateway_route(router, counter)
    for path in paths:  # no browser calls a gateway's path
        router.add_api_route(path, counter.preflight, methods=["OPTIONS"], include_in_schema=False)
    return router


def _api_routes(router: APIRouter, counter: _Counter) -> None:
    @router.post("/api/chat", summary="Ask, and get the answer", openapi_extra=described(ApiChatBody))
    async def api_chat(request: Request) -> Response:
        """Waits for the answer, at most CHAT_WAIT_SEC. `agent` is `escalate` where a person is asked."""
        await counter.let_in(request)
        body = await read_json(request, ApiChatBody)
        name, text = _name("conversation_id", body.conversation_id), _text("message", body.message)
        user = _name("user_id", body.user_id)
        found = await counter.answer(request, Call(name, text, f"{_moment(body.timestamp)} {text}", user))
        if isinstance(found, Response):
            return found
        job = found.job
        said: dict[str, Any] = {
            "message": found.text,
            "agent": "escalate" if found.held else job.agent if job else None,
            "confidence": 0 if found.held else job.confidence if job else None,
            "timestamp": counter.context.clock().astimezone(UTC).isoformat(),
        }
        if job is not None and job.sources:
            said["sources"] = json.loads(job.sources)
        if found.request_id is not None:
            language = await run_in_threadpool(counter.desk.language, found.request_id)
            said |= {"language": language} if language else {}
        return counter.respond(request, said)

    @router.get("/api/rate-limit/{conversation_id}", summary="How many more messages are let in")
    async def rate_limit(conversation_id: str, request: Request) -> Response:
        await counter.let_in(request)
        name = _name("conversation_id", conversation_id)
        return counter.respond(request, _rate(await run_in_threadpool(counter.desk.rate, name)))


def _chat_route(router: APIRouter, counter: _Counter) -> None:
    @router.post("/chat", summary="Ask as a user", openapi_extra=described(ChatBody))
    async def chat(request: Request) -> Response:
        """As `/api/chat`. `turns`: how many messages of this user in the history were answered."""
        await counter.let_in(request)
        body = await read_json(request, ChatBody)
        name, text = _name("user_id", body.user_id), _text("message", body.message)
        found = await counter.answer(request, Call(name, text, key_of_call(request), name))
        if isinstance(found, Response):
            return found
        turns = await run_in_threadpool(counter.desk.turns, name)
        said = {"user_id": body.user_id, "reply": found.text, "turns": turns}
        return counter.respond(request, _held(said, found))


def _gateway_route(router: APIRouter, counter: _Counter) -> None:
    @router.post("/whatsapp", summary="Ask as a phone number", openapi_extra=described(GatewayBody))
    async def whatsapp(request: Request) -> Response:
        """For a gateway of your own. The digits of the number name the conversation."""
        await counter.let_in(request)
        body = await read_json(request, GatewayBody)
        digits = re.sub(r"[^0-9]", "", body.number).lstrip("0")
        if not digits:
            raise Malformed("number", "has no digits")
        call = Call(digits, _text("text", body.text), key_of_call(request), digits)
        found = await counter.answer(request, call)
        if isinstance(found, Response):
            return found
        return counter.respond(request, _held({"reply": found.text}, found))


async def _answer(context: Context, desk: Desk, request: Request, call: Call) -> Reply | Response:
    """The reply for this caller, who is given it only while still there."""
    message_id = await run_in_threadpool(desk.hear, context.wakeup, call)
    loop = asyncio.get_running_loop()
    until = loop.time() + desk.settings.wait_sec
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        while True:
            found = await desk.wait_for(message_id, until, gone)
            if gone.done():
                return Response(status_code=_GONE)
            if isinstance(found, Reply):
                return found
            if found is not None:
                reply = await run_in_threadpool(desk.deliver, found.job)
                if reply is not None:
                    return reply
                await asyncio.sleep(0.05)  # somebody else took it, or the account is paused
            if loop.time() >= until:
                raise NoAnswer(await run_in_threadpool(desk.request_of, message_id))
    finally:
        gone.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _held(said: dict[str, Any], reply: Reply) -> dict[str, Any]:
    return {**said, "held": True} if reply.held else said


def _rate(rate: Rate) -> dict[str, Any]:
    return {
        "allowed": rate.allowed,
        "remaining": rate.remaining,
        "limit": rate.limit,
        "window_sec": int(rate.window_sec) if rate.window_sec.is_integer() else rate.window_sec,
        "reset_at": rate.reset_at.astimezone(UTC).isoformat(),
    }


def _name(field: str, text: str) -> str:
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise Malformed(field, "must be 1 to 200 printable characters")
    return text


def _text(field: str, text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if is_blank(text) or "\0" in text:
        raise Malformed(field, "is empty" if "\0" not in text else "has a character that cannot be stored")
    if len(text) > LONGEST_TEXT:
        raise HTTPException(413, f"{field} is longer than {LONGEST_TEXT} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Malformed(field, "has a character that cannot be stored") from None
    return text


def _moment(text: str) -> str:
    try:
        at = _Time.model_validate({"at": text}).at if not text.strip().lstrip("+-").isdecimal() else None
    except ValueError:
        at = None
    if at is None:
        raise Malformed("timestamp", "is not an ISO 8601 time with a zone")
    return at.astimezone(UTC).isoformat()
