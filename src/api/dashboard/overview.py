"""``/``: is it alive, what waits for a person, what happened today and this week."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.api.context import Context
from src.api.dashboard.page import open_page, page_routes
from src.api.health import look


def overview_routes(context: Context) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))

    @router.get("/")
    async def overview(request: Request) -> Response:
        page = await open_page(context, request)
        seen = await run_in_threadpool(look, context.db, context.settings, page.now)
        return page.show("overview.html", account=seen.account)

    return router
