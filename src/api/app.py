"""Puts the API together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from src.account import Account
from src.api.autonomy import autonomy_routes
from src.api.callback import callback_routes
from src.api.chat import chat_routes
from src.api.compression import Compression
from src.api.context import Context
from src.api.dashboard.ai.side import AiSide
from src.api.dashboard.routes import dashboard_routes
from src.api.dashboard.unknown import show_unknown_addresses
from src.api.docs import add_docs
from src.api.doors import Doors, TooManyGuesses, Unauthorized
from src.api.health import health_routes
from src.api.hooks import HOOKS, LARGEST_CALL, hook_routes
from src.api.knowledge import desk_of, knowledge_routes
from src.api.limits import Guard, field_name, refusal
from src.api.mail import mail_routes
from src.api.metrics import Metrics, metrics_routes
from src.api.operator import operator_routes
from src.api.person_messages import person_message_routes
from src.api.remote.routes import remote_routes, say_refused
from src.api.remote.view import RemoteView
from src.api.takeover import takeover_routes
from src.api.verify import verify_routes
from src.api.voice import ENVELOPE, voice_routes
from src.api.voice import PATH as VOICE
from src.api.widget.origins import PREFIX as WIDGET
from src.api.widget.origins import PageOrigins
from src.api.widget.routes import LARGEST_BODY as LARGEST_MESSAGE
from src.api.widget.routes import make_sites, widget_routes
from src.api.widget.script import script_routes
from src.assistant.host_listings import HostListings
from src.assistant.keystroke import KeystrokeSecrets
from src.assistant_settings import AssistantSettings
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import TransientError
from src.logs import hide
from src.model.notices import Fill
from src.model.remote import LinkRefused
from src.model.values import utc_now
from src.services.answers import IsConversationId
from src.services.chat import Desk
from src.services.hearing import Hearing
from src.services.refusals import Conflict, Malformed, NotFound
from src.services.transcribing import Transcriber
from src.settings import AlertSettings
from src.voice_settings import VoiceSettings

App = FastAPI
"""The name for those who put it together and serve nothing themselves."""

if TYPE_CHECKING:
    from src.assistant.live import LiveAssistant


def create_app(
    settings: AlertSettings,
    db: Database,
    wakeup: Wakeup,
    *,
    accounts: Mapping[str, Account],
    assistant_settings: AssistantSettings,
    is_conversation_id: IsConversationId,
    clock: Callable[[], datetime] = utc_now,
    browser_state: Callable[[], str] | None = None,
    remote: RemoteView | None = None,
    assistant: LiveAssistant | None = None,
    hearing: Mapping[str, Hearing] | None = None,
    chat: Account | None = None,
    voice: VoiceSettings | None = None,
    chat_key: SecretStr | None = None,
    mail: Account | None = None,
    fill: Fill | None = None,
) -> FastAPI:
    """The whole HTTP side, for all ``accounts`` by name. Starts nothing; ``db`` and ``wakeup`` stay the caller's.

    ``browser_state`` says in a word how the browser of this process is; without it, it is in another process.
    ``remote`` lets a person reconnect from anywhere; without it nobody can from here. ``assistant`` may be tried
    and asked why; without it no model is configured. ``hearing``: the accounts whose service calls us, by name.
    ``chat``: the account of those who ask in one call. ``voice``: the service that writes recordings down;
    ``chat_key`` opens it beside API_KEY. ``mail``: the account of confirmations by mail, which
    ``fill`` makes of the host's templates.
    """
    voice = voice or VoiceSettings()
    hide([db.secret.hex()])
    folder = KeystrokeSecrets(assistant_settings.assistant_knowledge_dir)
    context = Context(
        settings,
        db,
        wakeup,
        Doors(settings, db, clock),
        accounts,
        is_conversation_id,
        clock,
        browser_state,
        remote,
        asked={**accounts, **{one.name: one for one in (chat, mail) if one}},
        hearing=hearing or {},
        secrets=folder,
        listings=HostListings(folder.live),
    )
    metrics = Metrics()
    desk = desk_of(context, assistant_settings)
    app = FastAPI(
        title="Nightporter",
        description="Answers a host's inbox. The AI hands in its answers here; people see to the rest at /.",
        docs_url=None,
        redoc_url=None,
        # Nothing is sent anywhere, and FastAPI looks at each call whether something could be.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    add_docs(app)
    app.state.streams = context.streams
    for routes in (
        dashboard_routes(context, AiSide(assistant_settings, desk, assistant)),
        callback_routes(context, metrics),
        hook_routes(context, metrics),
        health_routes(context),
        operator_routes(context),
        person_message_routes(context),
        knowledge_routes(context, desk),
        autonomy_routes(context),
        verify_routes(context, assistant_settings),
        metrics_routes(context, metrics),
    ):
        app.include_router(routes)
    if assistant is not None:
        from src.api.assistant import assistant_routes  # noqa: PLC0415 - loaded only where a model is configured

        app.include_router(assistant_routes(context, assistant))
    longest = voice.max_audio_base64_chars
    app.include_router(voice_routes(context, Transcriber(voice), longest, chat_key))
    if chat is not None:
        app.include_router(chat_routes(context, Desk(db, chat, clock, context.secrets)))
    sites = make_sites(context)
    if sites:
        app.include_router(script_routes())
        app.include_router(widget_routes(context, sites))
        app.include_router(takeover_routes(context))
    app.include_router(mail_routes(context, mail.name if mail else None, fill))
    if remote is not None:
        app.include_router(remote_routes(remote, settings.dashboard_language))

    say_errors_alike(app)
    show_unknown_addresses(app, context)
    app.add_middleware(Compression)
    largest = {HOOKS: LARGEST_CALL, VOICE: longest + ENVELOPE, WIDGET: LARGEST_MESSAGE}
    app.add_middleware(Guard, instead=largest)
    app.add_middleware(PageOrigins, pages={name: site.desk.settings.pages for name, site in sites.items()})
    return app


def say_errors_alike(app: FastAPI) -> None:
    """Every error is ``{"success": false, "error": …}``, with ``field``, ``reason`` or ``state`` where it helps."""

    def answer(status: int, error: str, **more: str | None) -> JSONResponse:
        headers = {401: {"www-authenticate": "Bearer"}, 503: {"retry-after": "5"}}.get(status)
        return JSONResponse(refusal(error, **more), status_code=status, headers=headers)

    async def malformed(_: Request, error: Malformed) -> JSONResponse:
        return answer(422, f"{error.field} {error}", field=error.field)

    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        field = field_name(first["loc"])
        return answer(422, f"{field}: {first['msg']}", field=field)

    async def conflict(_: Request, error: Conflict) -> JSONResponse:
        return answer(409, str(error), reason=error.reason, state=error.state)

    async def not_found(_: Request, error: NotFound) -> JSONResponse:
        return answer(404, str(error))

    async def unauthorized(_: Request, error: Unauthorized) -> JSONResponse:
        return answer(401, str(error))

    async def guessing(_: Request, error: TooManyGuesses) -> JSONResponse:
        response = answer(429, str(error))
        response.headers["retry-after"] = str(error.wait_sec)
        return response

    async def database(_: Request, __: TransientError) -> JSONResponse:
        return answer(503, "the database is out of reach; nothing was stored, try again")

    async def http(_: Request, error: HTTPException) -> JSONResponse:
        response = answer(error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    app.add_exception_handler(Malformed, malformed)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, invalid)  # type: ignore[arg-type]
    app.add_exception_handler(Conflict, conflict)  # type: ignore[arg-type]
    app.add_exception_handler(NotFound, not_found)  # type: ignore[arg-type]
    app.add_exception_handler(TooManyGuesses, guessing)  # type: ignore[arg-type]
    app.add_exception_handler(Unauthorized, unauthorized)  # type: ignore[arg-type]
    app.add_exception_handler(TransientError, database)  # type: ignore[arg-type]
    app.add_exception_handler(LinkRefused, say_refused)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, http)  # type: ignore[arg-type]
