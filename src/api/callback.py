"""``POST /api/ai/webhook-simple``: the AI's answer comes in."""

from __future__ import annotations

import re
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.api.context import Context
from src.api.docs import REFUSALS, described
from src.api.doors import Entry
from src.api.ids import OUR_ID
from src.api.limits import read_json
from src.api.metrics import Metrics
from src.db import inbox_queue
from src.model.answer import Action, Answer, Outcome, Result
from src.services.ai_exchange import CALLBACK_PATH
from src.services.answers import take_answer
from src.services.refusals import Conflict, Malformed
from src.services.said import LONGEST_HOLD, LONGEST_NAME, MOST_PARTS, MOST_SOURCES, join_parts, make_said

_WEBHOOK_ID = re.compile(r"[!-~]{1,200}")

# Public: what programs outside have always been told.
_SAID = {
    Result.ENQUEUED: "Réponse IA ajoutée à la queue d'envoi",
    Result.REPEATED: "Réponse IA ajoutée à la queue d'envoi",
    Result.ESCALATED: "Conversation confiée à une personne",
    Result.IGNORED: "Aucune réponse nécessaire",
}


class Source(BaseModel):
    """Something that an answer rests on."""

    model_config = ConfigDict(strict=True, extra="ignore")

    title: str = Field("", max_length=500)
    id: str = Field("", max_length=500)


class CallbackBody(BaseModel):
    """What the AI sends: ``message``, or ``action`` instead of it. Fields that are not listed are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")

    conversation_id: str = Field(min_length=1, max_length=200, examples=["TWVzc2FnZVRocmVhZDoxMjM0NTY3"])
    message: str | None = Field(None, description="the reply, up to 4,000 characters")
    sender: str | None = Field(None, description="the guest's name; not used")
    action: Literal["escalate", "ignore"] | None = Field(
        None, description="escalate: a person must answer; ignore: no answer is needed"
    )
    reason: str | None = Field(None, description="why, with an action")
    messages: list[str] | None = Field(
        None,
        min_length=1,
        max_length=MOST_PARTS,
        description="the reply in parts; `message` is not used then",
    )
    hold: str | None = Field(
        None, max_length=LONGEST_HOLD, description="a reason: the reply waits for a person, in any mode"
    )
    agent: str | None = Field(None, max_length=LONGEST_NAME, description="who wrote it, of several voices")
    topic: str | None = Field(None, max_length=LONGEST_NAME)
    confidence: float | None = Field(None, ge=0, le=1)
    sources: list[Source] | None = Field(None, max_length=MOST_SOURCES, description="what the reply rests on")
    hard_class: str | None = Field(
        None,
        alias="class",
        max_length=LONGEST_NAME,
        description="with escalate: what it is about (refund, …)",
    )
    holding_message: str | None = Field(
        None, description="with escalate: what the guest is told meanwhile; it goes out as any reply does"
    )
    account: str | None = Field(
        None, description="as it was in the request; needed without token where several could be meant"
    )
    request_id: str | None = Field(None, description="the request that is answered, where there is no token")


class CallbackDone(BaseModel):
    """``outbox_id`` is null for an action; with a holding text it is that text's."""

    success: Literal[True] = True
    outbox_id: str | None
    message: str
    thread_id: str


def callback_routes(context: Context, metrics: Metrics) -> APIRouter:
    router = APIRouter(tags=["AI"], responses=REFUSALS)

    token = {"name": "token", "in": "query", "required": False, "schema": {"type": "string"}}
    token["description"] = "as it stands in callback_url"

    @router.post(
        CALLBACK_PATH,
        summary="Hand in the AI's answer",
        response_model=CallbackDone,
        openapi_extra={"parameters": [token], **described(CallbackBody)},
    )
    async def hand_in(request: Request) -> Response:
        """Let in by the token in `callback_url`, by `X-API-KEY`, or by a signature (Standard Webhooks).

        Repeatable: the same request gets the same `outbox_id`. `409` when the answer is not wanted any more.
        """
        entry = await context.doors.callback(request)
        try:
            body = await read_json(request, CallbackBody)
            webhook_id = request.headers.get("webhook-id")
            outcome = await _take(context, entry, body, webhook_id)
        except (Malformed, Conflict) as error:
            metrics.callbacks.labels(type(error).__name__.lower()).inc()
            raise
        metrics.callbacks.labels(str(outcome.result)).inc()
        done = CallbackDone(
            outbox_id=outcome.job.id if outcome.job else None,
            message=_SAID[outcome.result],
            thread_id=outcome.conversation_external_id,
        )
        return Response(done.model_dump_json(), media_type="application/json")

    return router


async def _take(context: Context, entry: Entry, body: CallbackBody, webhook_id: str | None) -> Outcome:
    if entry.request_id and body.request_id and entry.request_id != body.request_id:
        raise Malformed("request_id", "is not the one of the token")
    if webhook_id is not None and not _WEBHOOK_ID.fullmatch(webhook_id):
        raise Malformed("webhook-id", "is not an id")
    request_id = entry.request_id
    if request_id is None and body.request_id is not None:
        request_id = await run_in_threadpool(_known, context, body.request_id)
    return await run_in_threadpool(
        take_answer,
        context.db,
        context.wakeup,
        Answer(
            conversation_external_id=body.conversation_id,
            request_id=request_id,
            message=join_parts(body.messages) if body.messages else body.message,
            parts=tuple(body.messages or ()),
            action=Action(body.action) if body.action else None,
            reason=body.reason,
            hold=body.hold,
            said=make_said(
                body.agent,
                body.topic,
                body.confidence,
                [one.model_dump() for one in body.sources] if body.sources else None,
            ),
            hard_class=body.hard_class,
            holding_message=body.holding_message,
            account=body.account,
            webhook_id=webhook_id,
        ),
        accounts={name: account for name, account in context.asked.items() if not account.is_out_only},
        now=context.clock(),
        is_conversation_id=context.is_conversation_id,
        secrets=context.secrets,
    )


def _known(context: Context, request_id: str) -> str | None:
    """The id if it is one of ours; many programs put an id of their own there, which is nothing to us."""
    if not OUR_ID.fullmatch(request_id):
        return None
    with context.db.read() as conn:
        return request_id if inbox_queue.get(conn, request_id) else None
