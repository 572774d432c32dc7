"""Puts the pages together."""

from __future__ import annotations

from fastapi import APIRouter

from src.api.context import Context
from src.api.dashboard.ai.routes import ai_routes
from src.api.dashboard.ai.side import AiSide
from src.api.dashboard.assets import asset_routes
from src.api.dashboard.conversations import conversation_routes
from src.api.dashboard.doors import door_routes
from src.api.dashboard.live import live_routes
from src.api.dashboard.outbox import outbox_routes
from src.api.dashboard.overview import overview_routes
from src.api.dashboard.reconnect import reconnect_routes
from src.api.dashboard.takeover import takeover_routes


def dashboard_routes(context: Context, side: AiSide) -> APIRouter:
    router = APIRouter()
    for routes in (
        asset_routes(),
        door_routes(context),
        overview_routes(context),
        conversation_routes(context, side),
        outbox_routes(context, side),
        takeover_routes(context),
        reconnect_routes(context),
        ai_routes(context, side),
        live_routes(context),
    ):
        router.include_router(routes)
    return router
