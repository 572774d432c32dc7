"""On the page of a visitor's conversation: take it over from the AI, and give it back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.account import WIDGET
from src.api.context import Context
from src.api.dashboard.page import Page, open_form, page_routes
from src.api.ids import SITE_ID
from src.db import visitors
from src.db.engine import Connection
from src.model.rows import StoredConversation
from src.model.values import JOINED
from src.services.refusals import Malformed
from src.services.takeover import give_back, last_note, take_over
from src.services.widget import WRITES_FOR


@dataclass(frozen=True, slots=True)
class Takeover:
    """Who answers the visitor."""

    taken: bool
    """A person does; else the AI."""
    name: str | None
    """Who, or who did last; what the form suggests."""
    writes: bool
    """The visitor is writing at this moment."""


def read_takeover(page: Page, conn: Connection, found: StoredConversation) -> Takeover | None:
    """None where nobody could be told."""
    if page.account.channel != WIDGET:
        return None
    note = last_note(conn, found)
    name = note.sender_name if note is not None else None
    return Takeover(
        note is not None and note.detail == JOINED,
        name or getattr(page.account.own, "person", None),
        visitors.is_typing(conn, found.id, page.now - WRITES_FOR),
    )


def takeover_routes(context: Context) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))

    @router.post("/take-over")
    async def take(request: Request) -> Response:
        page, form = await open_form(context, request)
        taking = partial(
            take_over, context.db, context.wakeup, page.account, _id(form), form.get("name"), now=page.now
        )
        await run_in_threadpool(taking)
        return page.go(form.get("next", "/"), "taken_over")

    @router.post("/give-back")
    async def give(request: Request) -> Response:
        page, form = await open_form(context, request)
        giving = partial(give_back, context.db, context.wakeup, page.account, _id(form), now=page.now)
        await run_in_threadpool(giving)
        return page.go(form.get("next", "/"), "given_back")

    return router


def _id(form: dict[str, str]) -> str:
    found = form.get("id", "")
    if not SITE_ID.fullmatch(found):
        raise Malformed("id", "is not an id")
    return found
