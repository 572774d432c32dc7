"""Puts the HTTP side of the assistant alone together: no inbox, no dashboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from src.account import Account
from src.api.app import say_errors_alike
from src.api.assistant import LateAnswering, assistant_routes
from src.api.chat import chat_routes
from src.api.context import Context
from src.api.docs import add_docs
from src.api.doors import Doors
from src.api.knowledge import desk_of, knowledge_routes
from src.api.limits import Guard
from src.assistant.keystroke import KeystrokeSecrets
from src.assistant.live import LiveAssistant
from src.assistant_settings import AssistantSettings
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import TransientError
from src.logs import hide
from src.model.values import utc_now
from src.services.chat import Desk
from src.settings import AlertSettings

PRODUCT = "nightporter-assistant"
"""Another name than the main API's: a `syncsend` must not take this one for it."""


def create_assistant_app(
    settings: AlertSettings,
    db: Database,
    wakeup: Wakeup,
    assistant: LiveAssistant,
    late: LateAnswering,
    *,
    accounts: Mapping[str, Account],
    assistant_settings: AssistantSettings,
    chat: Account | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> FastAPI:
    """Starts nothing; everything that is handed in stays the caller's."""
    hide([db.secret.hex()])
    doors = Doors(settings, db, clock)
    context = Context(
        settings,
        db,
        wakeup,
        doors,
        accounts,
        lambda *_: True,
        clock,
        None,
        asked={**accounts, **({chat.name: chat} if chat else {})},
        secrets=KeystrokeSecrets(assistant_settings.assistant_knowledge_dir),
    )
    app = FastAPI(
        title="Nightporter's assistant",
        description="Answers guests' messages from a host's own facts, for any program that asks.",
        docs_url=None,
        redoc_url=None,
    )
    add_docs(app)
    app.state.streams = context.streams
    app.include_router(assistant_routes(context, assistant, late))
    app.include_router(knowledge_routes(context, desk_of(context, assistant_settings)))
    if chat is not None:
        app.include_router(chat_routes(context, Desk(db, chat, clock, context.secrets), only_api=True))
    app.include_router(_health_routes(db, assistant))
    say_errors_alike(app)
    app.add_middleware(Guard)
    return app


def _health_routes(db: Database, assistant: LiveAssistant) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/health", summary="How it goes", responses={503: {"description": "no database"}})
    async def health() -> JSONResponse:
        """`status` is healthy, or degraded: `problems` says why (a model service that refuses its key, …)."""
        try:
            await run_in_threadpool(db.check)
        except TransientError:
            said = {"status": "degraded", "product": PRODUCT, "database": "unreachable"}
            return JSONResponse({**said, "problems": ["database_unreachable"]}, status_code=503)
        problems = [f"assistant_{assistant.trouble}"] if assistant.trouble else []
        return JSONResponse(
            {
                "status": "degraded" if problems else "healthy",
                "product": PRODUCT,
                "database": "ok",
                "problems": problems,
                "refused_services": assistant.refused_services,
            }
        )

    @router.get("/health/live", summary="The process answers")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    return router
