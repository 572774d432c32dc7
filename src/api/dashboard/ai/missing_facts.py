"""``/ai/missing-facts``: what guests ask and no fact answers. One line of the host answers it and is kept."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.api.context import Context
from src.api.dashboard.ai.side import AiSide
from src.api.dashboard.ai.translation import read_wording
from src.api.dashboard.page import Page, open_form, open_page, page_routes
from src.api.ids import OUR_ID
from src.assistant.values import Audience
from src.db import missing_facts
from src.services.refusals import Malformed, NotFound
from src.services.texts import clean_message

HERE = "/ai/missing-facts"
ROWS = 100
_DONE_ROWS = 20
LONGEST = 1_000
"""Characters of an answer: it is one line."""


def missing_fact_routes(context: Context, side: AiSide) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))

    @router.get(HERE)
    async def show(request: Request) -> Response:
        page = await open_page(context, request)
        return page.show("ai/missing_facts.html", **await run_in_threadpool(_list, page, side))

    @router.post(HERE + "/{fact_id}/answer")
    async def answer(fact_id: str, request: Request) -> Response:
        page, form = await open_form(context, request)
        text = clean_message(form.get("message", ""))
        if len(text) > LONGEST:
            raise Malformed("message", "is too long")
        scope, audience = form.get("scope", "listing"), form.get("audience", str(Audience.ANYONE))
        if scope not in {"listing", "all"} or audience not in set(Audience):
            raise Malformed("scope", "is not possible")
        ends, whom = read_day(form.get("valid_until", "")), Audience(audience)
        known = _known(fact_id)
        done = await run_in_threadpool(lambda: side.desk().answer(known, text, scope, whom, ends))
        return page.go(f"{HERE}?again={done['asked_again']}", "fact_kept")

    @router.post(HERE + "/{fact_id}/dismiss")
    async def dismiss(fact_id: str, request: Request) -> Response:
        page, _ = await open_form(context, request)
        known = _known(fact_id)
        await run_in_threadpool(lambda: side.desk().dismiss(known))
        return page.go(HERE, "fact_dismissed")

    return router


def _known(fact_id: str) -> str:
    if not OUR_ID.fullmatch(fact_id):
        raise NotFound("there is no missing fact with this id")
    return fact_id


def read_day(text: str) -> date | None:
    """The day of a form's field, None for none. Malformed if it is no day."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Malformed("valid_until", "is not a day") from None


def _list(page: Page, side: AiSide) -> dict[str, Any]:
    with page.context.db.read() as conn:
        found = missing_facts.list_facts(conn, missing_facts.OPEN, ROWS)
        done = missing_facts.list_facts(conn, missing_facts.ANSWERED, _DONE_ROWS)
        dismissed = missing_facts.list_facts(conn, missing_facts.DISMISSED, _DONE_ROWS)
        askers = missing_facts.askers_of(conn, [one.id for one in found])
        wording = read_wording(page, side, conn, [one.question for one in found])
    listings = {one.listing_id for one in (*found, *done, *dismissed) if one.listing_id}
    again = page.request.query_params.get("again", "")
    return {
        "found": found,
        "done_ones": done,
        "dismissed": dismissed,
        "askers": askers,
        "wording": wording,
        "names": side.names_of(listings),
        "again": int(again) if again.isascii() and again.isdigit() and len(again) < 6 else None,
        "longest": LONGEST,
    }
