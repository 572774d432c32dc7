"""What may be answered without a person, by listing and topic: the record, and the host's word."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from src.account import Account
from src.api.context import Context
from src.api.docs import REFUSALS, described
from src.api.fields import show
from src.api.ids import SITE_ID
from src.api.limits import read_json
from src.api.which import Asked, account_with_listing, accounts_of
from src.db import autonomy
from src.model.autonomy import AUTO, BY_HOST, DRAFT, TOPICS, is_offered, permission
from src.model.rows import TopicRecord
from src.services.refusals import Malformed


class LevelBody(BaseModel):
    """The host's word on a topic."""

    model_config = ConfigDict(strict=True, extra="forbid")

    listing: str = Field(description="the site's id of the listing")
    topic: str = Field(description=f"one of {', '.join(TOPICS)}")
    level: Literal["draft", "auto"] = Field(
        description="draft: you approve each; auto: it goes out by itself"
    )
    stage: Literal["stay", "inquiry"] = Field(
        "stay", description="inquiry: the first answer to an inquiry or a request; stay: everything else"
    )
    account: str | None = Field(None, description="the account's name; not needed where there is one")


def autonomy_routes(context: Context) -> APIRouter:
    """Behind the operator's doors."""
    router = APIRouter(prefix="/api", dependencies=[Depends(context.doors.operator)], responses=REFUSALS)

    @router.get("/autonomy", tags=["autonomy"], summary="What may go out by itself, and what it rests on")
    async def record(account: Asked = None) -> dict[str, Any]:
        asked = accounts_of(context, account)
        return {"success": True, "autonomy": await run_in_threadpool(_listed, context, asked)}

    @router.put(
        "/autonomy",
        tags=["autonomy"],
        summary="Let a topic of a listing go out by itself, or take that back",
        openapi_extra=described(LevelBody),
    )
    async def level(request: Request, account: Asked = None) -> dict[str, Any]:
        body = await read_json(request, LevelBody)
        return {"success": True, **await run_in_threadpool(_set, context, body, body.account or account)}

    return router


def _listed(context: Context, asked: list[Account]) -> list[dict[str, Any]]:
    with context.db.read() as conn:
        return [view(one, account) for account in asked for one in autonomy.listed(conn, account.name)]


def _set(context: Context, body: LevelBody, name: str | None) -> dict[str, Any]:
    if body.topic not in TOPICS:
        raise Malformed("topic", f"must be one of {', '.join(TOPICS)}")
    if not SITE_ID.fullmatch(body.listing):
        raise Malformed("listing", "must be the id of a listing")
    account = account_with_listing(context, name, body.listing)
    key = autonomy.Key(account.name, body.listing, body.topic, body.stage)
    with context.db.write() as conn:
        done = autonomy.set_level(conn, key, body.level, BY_HOST, context.clock())
    return view(done, account)


def view(record: TopicRecord, account: Account) -> dict[str, Any]:
    """A record as the API gives it. ``level`` is the one that holds, also where the record itself earned it."""
    policy = account.settings.assistant_autonomy
    return {
        **asdict(record),
        "level": AUTO if permission(record, policy) else DRAFT,
        "offered": is_offered(record, policy),
        **show(record, "in_a_row_since updated_at"),
    }
