"""The remote view without the rest of the API."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.responses import JSONResponse

from src.api.limits import Guard, refusal
from src.api.remote.routes import remote_routes, say_refused
from src.api.remote.view import RemoteView
from src.model.remote import LinkRefused
from src.services.refusals import Malformed


def create_remote_app(remote: RemoteView, default_language: str) -> FastAPI:
    """An application that serves one remote view and nothing else."""
    app = FastAPI(title="Nightporter: reconnect", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(remote_routes(remote, default_language))

    async def malformed(_: Request, error: Malformed) -> JSONResponse:
        return JSONResponse(refusal(f"{error.field} {error}", field=error.field), status_code=422)

    app.add_exception_handler(Malformed, malformed)  # type: ignore[arg-type]
    app.add_exception_handler(LinkRefused, say_refused)  # type: ignore[arg-type]
    app.add_middleware(Guard)
    return app
