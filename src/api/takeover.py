"""``POST /api/conversations/{conversation_id}/take-over`` and ``…/give-back``: who answers a site's visitor."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from src.api.context import Context
from src.api.docs import REFUSALS, described
from src.api.ids import check_conversation_id
from src.api.limits import read_json
from src.api.which import Asked, account_with
from src.services.takeover import give_back, take_over


class TakeOverBody(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    name: str | None = Field(None, description="who has joined, for the visitor; without it WIDGET_PERSON")


def takeover_routes(context: Context) -> APIRouter:
    """Both behind the operator's doors."""
    router = APIRouter(prefix="/api", dependencies=[Depends(context.doors.operator)], responses=REFUSALS)
    db, wakeup = context.db, context.wakeup

    @router.post(
        "/conversations/{conversation_id:path}/take-over",
        tags=["conversations"],
        summary="A person answers this visitor from now on",
        openapi_extra=described(TakeOverBody, optional=True),
    )
    async def take(conversation_id: str, request: Request, account: Asked = None) -> dict[str, Any]:
        """The visitor sees who has joined. Nothing of the AI goes out there until you give it back."""
        body = await read_json(request, TakeOverBody, optional=True)
        check_conversation_id(conversation_id)
        whose = await run_in_threadpool(account_with, context, account, conversation_id)
        taking = partial(take_over, db, wakeup, whose, conversation_id, body.name, now=context.clock())
        return {"success": True, "name": await run_in_threadpool(taking)}

    @router.post(
        "/conversations/{conversation_id:path}/give-back",
        tags=["conversations"],
        summary="The AI answers this visitor again",
    )
    async def give(conversation_id: str, account: Asked = None) -> dict[str, Any]:
        check_conversation_id(conversation_id)
        whose = await run_in_threadpool(account_with, context, account, conversation_id)
        await run_in_threadpool(partial(give_back, db, wakeup, whose, conversation_id, now=context.clock()))
        return {"success": True}

    return router
