"""Puts the pages about the AI together."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from src.api.context import Context
from src.api.dashboard.ai.autonomy import autonomy_pages
from src.api.dashboard.ai.knowledge import knowledge_pages
from src.api.dashboard.ai.missing_facts import missing_fact_routes
from src.api.dashboard.ai.results import result_pages
from src.api.dashboard.ai.side import AiSide
from src.api.dashboard.ai.translation import translation_routes
from src.api.dashboard.page import open_page, page_routes


def ai_routes(context: Context, side: AiSide) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))

    @router.get("/ai")
    async def first(request: Request) -> Response:
        """Where most of the work is."""
        page = await open_page(context, request)
        return page.go("/ai/missing-facts" if page.has_assistant else "/ai/results")

    for routes in (
        missing_fact_routes(context, side),
        knowledge_pages(context, side),
        autonomy_pages(context, side),
        result_pages(context, side),
        translation_routes(context, side),
    ):
        router.include_router(routes)
    return router
