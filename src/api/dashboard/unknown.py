"""An address that there is not: a page with a way back for a browser, JSON as ever for a program."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from src.api.context import Context
from src.api.dashboard import words
from src.api.dashboard.page import Page, open_page
from src.api.doors import Unauthorized, WrongHost
from src.errors import TransientError
from src.languages import sentence

_UNKNOWN = frozenset({404, 405})
"""405: the address of a form's button, opened as a page."""


def show_unknown_addresses(app: FastAPI, context: Context) -> None:
    """Takes the place of the answer to HTTP errors, and hands on to it what is no browser's look at a page."""
    otherwise = cast("Any", app.exception_handlers[HTTPException])

    async def answer(request: Request, error: HTTPException) -> Response:
        looks = request.method in {"GET", "HEAD"} and "text/html" in request.headers.get("accept", "")
        if error.status_code not in _UNKNOWN or not looks:
            return cast("Response", await otherwise(request, error))
        try:
            page = await open_page(context, request)
        except (
            Unauthorized,
            WrongHost,
            TransientError,
        ):  # who is not let in learns nothing, and gets no navigation
            page = Page(context, request, None, context.clock())
        return page.show(
            "refused.html",
            error.status_code,
            title=sentence("There is nothing here"),
            why=words.NOT_FOUND,
            typed="",
            back="/",
        )

    app.add_exception_handler(HTTPException, answer)  # type: ignore[arg-type]
