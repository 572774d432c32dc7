"""``POST /api/conversations/{conversation_id}/messages``: a person writes to the guest instead of the AI."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from src.api import views
from src.api.context import Context
from src.api.docs import REFUSALS, described
from src.api.ids import check_conversation_id
from src.api.limits import key_of_call, read_json
from src.api.which import Asked, account_with
from src.services.person_messages import write_message


class MessageBody(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    message: str = Field(
        description="what the guest gets, up to 4,000 characters; placeholders are filled in"
    )


def person_message_routes(context: Context) -> APIRouter:
    """The route, behind the operator's doors."""
    router = APIRouter(prefix="/api", dependencies=[Depends(context.doors.operator)], responses=REFUSALS)

    @router.post(
        "/conversations/{conversation_id:path}/messages",
        tags=["conversations"],
        status_code=202,
        summary="Write to the guest yourself",
        openapi_extra=described(MessageBody),
    )
    async def write(conversation_id: str, request: Request, account: Asked = None) -> JSONResponse:
        """It goes the way of every reply, whatever the mode, and past the caps. What the AI was asked there, and
        what it has said and was not sent, is cancelled. If the guest writes again before your message is sent, that
        is cancelled, too.

        With the same `Idempotency-Key` it is the same message, however often you call; without one the same text
        is, for 10 minutes while it is the newest.
        """
        body = await read_json(request, MessageBody)
        check_conversation_id(conversation_id)
        key = key_of_call(request)
        whose = await run_in_threadpool(account_with, context, account, conversation_id)
        put = partial(
            write_message,
            context.db,
            context.wakeup,
            whose,
            conversation_id,
            body.message,
            key=key,
            now=context.clock(),
            secrets=context.secrets,
        )
        job = await run_in_threadpool(put)
        shown: dict[str, Any] = await run_in_threadpool(views.job, context.db, job)
        return JSONResponse({"success": True, "outbox_id": job.id, "job": shown}, status_code=202)

    return router
