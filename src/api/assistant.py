"""The built-in assistant over HTTP: another Nightporter's AI webhook, a try, and why a run went as it did."""

from __future__ import annotations

import json
from typing import Any, Literal, Protocol

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from src.api.context import Context
from src.api.docs import REFUSALS, described
from src.api.fields import show
from src.api.ids import OUR_ID, moment_of
from src.api.limits import read_json, refusal
from src.assistant.live import LiveAssistant
from src.assistant.wire import as_json
from src.db import runs
from src.db.engine import Database
from src.model.asking import Asked
from src.model.blank import is_blank
from src.model.rows import AssistantRun
from src.services.refusals import Malformed, NotFound

LONGEST_MESSAGE = 4_000
_COME_AGAIN_SEC = 5


class LateAnswering(Protocol):
    """Answers soon, or later by a callback (``services/late_answers.py``)."""

    async def ask(self, payload: dict[str, Any]) -> Asked | None: ...


class WebhookBody(BaseModel):
    """The payload of the AI webhook; fields that are not listed are taken along."""

    model_config = ConfigDict(extra="allow")

    conversation_id: str = Field(min_length=1, max_length=200)
    message: str = Field(description="a guest's text, or several joined by newlines")
    callback_url: str | None = Field(
        None, description="where an answer is handed in that takes longer than 25 s"
    )
    request_id: str | None = Field(None, max_length=200)


class TriedTurn(BaseModel):
    """One earlier message."""

    role: Literal["guest", "host", "assistant"]
    text: str = Field(max_length=LONGEST_MESSAGE)
    sent_at: str | None = None


class TryBody(BaseModel):
    """A guest's message, and as much around it as shall count."""

    model_config = ConfigDict(extra="ignore")

    message: str = Field(description="up to 4,000 characters")
    property_id: str | None = Field(None, max_length=200, description="the listing")
    stay: dict[str, Any] = Field(default_factory=dict, description="stage, check_in, check_out, guests, …")
    history: list[TriedTurn] = Field(default_factory=list, max_length=60)
    now: str | None = Field(None, description="ISO 8601 with its zone; else the present")
    sender: str = Field("Guest", max_length=200)


def assistant_routes(
    context: Context, assistant: LiveAssistant, late: LateAnswering | None = None
) -> APIRouter:
    """``late`` serves the webhook, too: only where this process answers for others."""
    router = APIRouter(prefix="/api/assistant", tags=["assistant"], responses=REFUSALS)

    if late is not None:
        _add_webhook(router, context, late)

    @router.post("/try", summary="What it would do with a message, and why", openapi_extra=described(TryBody))
    async def try_message(request: Request) -> JSONResponse:
        """Nothing is stored or sent. A model that is out of reach is an escalation, not an error."""
        await context.doors.operator(request)
        body = await read_json(request, TryBody)
        now = None if body.now is None else moment_of(body.now, "now")
        payload = {**body.model_dump(exclude={"now"}), "message": _message(body.message)}
        payload["conversation_id"] = "assistant-try"
        return JSONResponse(as_json(await assistant.decide(payload, now=now)))

    @router.get("/runs/{run_id}", summary="Why: steps, facts, models, tokens, cost")
    async def one_run(request: Request, run_id: str) -> JSONResponse:
        """By the run's id, or by the id of the request that it answered."""
        await context.doors.operator(request)
        if not OUR_ID.fullmatch(run_id):
            raise NotFound("there is no run with this id")
        run = await run_in_threadpool(_find, context.db, run_id)
        if run is None:
            raise NotFound("there is no run with this id")
        return JSONResponse(run_json(run))

    return router


def _add_webhook(router: APIRouter, context: Context, late: LateAnswering) -> None:
    @router.post(
        "/webhook",
        summary="Another Nightporter's AI_WEBHOOK_URL",
        openapi_extra=described(WebhookBody),
        responses={202: {"description": "the answer will be handed in at callback_url"}},
    )
    async def webhook(request: Request) -> JSONResponse:
        """`200`: the answer. `202`: it takes longer than 25 s. `503`: no model answers now, see Retry-After."""
        await context.doors.operator(request)
        body = await read_json(request, WebhookBody)
        given = body.model_dump(exclude={"account"})  # whose it is there says nothing here
        asked = await late.ask({**given, "message": _message(body.message)})
        if asked is None:
            return JSONResponse({"success": True, "state": "working"}, status_code=202)
        if asked.body is None:
            wait = str(int(asked.retry_after or _COME_AGAIN_SEC) + 1)
            said = refusal("no model answers; try again", reason=asked.trouble)
            return JSONResponse(said, status_code=503, headers={"retry-after": wait})
        return JSONResponse(asked.body)


def _message(text: str) -> str:
    trimmed = text.strip()
    if is_blank(trimmed):
        raise Malformed("message", "is empty")
    if len(trimmed) > LONGEST_MESSAGE:
        raise Malformed("message", f"is longer than {LONGEST_MESSAGE} characters")
    return trimmed


def _find(db: Database, run_id: str) -> AssistantRun | None:
    with db.read() as conn:
        return runs.get(conn, run_id) or runs.of_request(conn, run_id)


def run_json(run: AssistantRun) -> dict[str, Any]:
    """A run as the API shows it. Nothing of a guest is in it."""
    return {
        **show(
            run,
            "id request_id conversation_id kind state action reason hold agent topic language confidence"
            " prompt_version prompt_tokens completion_tokens cost created_at finished_at",
        ),
        "class": run.hard_class,
        "steps": json.loads(run.steps),
        "sources": json.loads(run.sources),
    }
