"""Logging in and out, and the choice of a language."""

from __future__ import annotations

from fastapi import APIRouter, Request
from loguru import logger
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.api.context import Context
from src.api.dashboard.page import (
    LANGUAGE_COOKIE,
    Page,
    check_form,
    open_form,
    own_path,
    page_routes,
    read_form,
)
from src.api.doors import Unauthorized, comes_from_here
from src.api.sessions import Throttle
from src.db import sessions
from src.languages import CODES

_A_YEAR_SEC = 365 * 86_400


def door_routes(context: Context) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))
    throttle = Throttle()
    doors = context.doors

    @router.get("/login")
    async def login(request: Request) -> Response:
        doors.check_host(request)
        return _login_page(Page(context, request, None, context.clock()))

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        doors.check_host(request)
        if not comes_from_here(request, doors.sessions.public_netloc):
            raise Unauthorized
        page = Page(context, request, None, context.clock())
        form = await read_form(request)
        check_form(context, request, form)
        address = doors.visitor(request)
        wait = throttle.wait(address, page.now)
        if wait is not None:
            response = _login_page(page, 429, wait_sec=wait.total_seconds())
            response.headers["retry-after"] = str(int(wait.total_seconds()) + 1)
            return response
        password = form.get("password", "")
        if not doors.sessions.opens(password):
            throttle.failed(address, page.now, password)
            logger.bind(client=address).warning("a wrong password was given at the dashboard")
            return _login_page(page, 401, wrong=True)
        throttle.succeeded(address)
        response = page.go(request.query_params.get("next", "/"))
        doors.sessions.begin(response, page.now)
        logger.bind(client=address).info("somebody logged in at the dashboard")
        return response

    @router.post("/logout")
    async def log_out(request: Request) -> Response:
        page, _ = await open_form(context, request)
        login = page.entry.login if page.entry else None
        if login is not None:

            def end() -> None:
                with context.db.write() as conn:
                    sessions.end(conn, login.id, login.until, page.now)

            await run_in_threadpool(end)
        response = page.go("/login", "logged_out")
        doors.sessions.forget(response)
        return response

    @router.get("/language")
    async def choose_language(request: Request, to: str = "") -> Response:
        """Remembers the choice in a cookie, which holds nothing but ``en`` or ``fr``."""
        page = Page(context, request, None, context.clock())
        response = page.go(request.query_params.get("next", "/"))
        if to in CODES:
            response.set_cookie(LANGUAGE_COOKIE, to, max_age=_A_YEAR_SEC, httponly=True, samesite="lax")
        return response

    return router


def _login_page(
    page: Page, status: int = 200, *, wrong: bool = False, wait_sec: float | None = None
) -> Response:
    return page.show(
        "login.html",
        status,
        next=own_path(page.request.query_params.get("next", "/")),
        possible=page.context.doors.sessions.has_password,
        wrong=wrong,
        wait=page.lang.duration(wait_sec) if wait_sec is not None else None,
    )
