"""``/reconnect``: why it halted, the way back by a person's hands, and what became of the replies that waited."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from src.api.context import Context
from src.api.dashboard.page import Page, open_form, open_page, page_routes
from src.api.remote.routes import path_of
from src.db import accounts, search
from src.model.remote import Link, LinkRefused
from src.model.rows import AccountState, Job, StoredConversation
from src.services.after_halt import since_halt
from src.services.refusals import Conflict


def reconnect_routes(context: Context) -> APIRouter:
    """A look opens nothing: the browser is started by the person who uses a link, and by nobody else."""
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))

    @router.get("/reconnect")
    async def reconnect(request: Request) -> Response:
        return await _shown(await open_page(context, request))

    @router.post("/reconnect")
    async def make_link(request: Request) -> Response:
        """``where`` is ``here`` (go there at once) or ``phone`` (show the link, to be opened elsewhere)."""
        page, form = await open_form(context, request)
        if context.remote is None:
            raise Conflict("no_remote_view", "this process cannot open the browser")
        try:
            link = await context.remote.link(page.account.name)
        except LinkRefused as refused:
            raise Conflict(f"remote_{refused.reason}", str(refused)) from None
        if form.get("where") == "here":
            return RedirectResponse(path_of(link), 303)
        return await _shown(page, link)

    return router


async def _shown(page: Page, link: Link | None = None) -> Response:
    context = page.context
    account, ended, held = await run_in_threadpool(_look, context, page.account.name)
    address = f"{context.settings.dashboard_url}{path_of(link)}" if link else None
    return page.show(
        "reconnect.html",
        account=account,
        login=page.account.login,
        ended=ended,
        goes_on=page.several or getattr(context.settings, "halt_wait", False),
        held=held,
        can_show=context.remote is not None,
        stage=str(context.remote.state.stage) if context.remote else "closed",
        address=address,
        until=link.expires_at if link else None,
    )


def _look(
    context: Context, name: str
) -> tuple[AccountState | None, datetime | None, list[tuple[Job, StoredConversation]]]:
    """The account, when its last halt ended, and each reply that waited then with its conversation."""
    with context.db.read() as conn:
        account = accounts.find(conn, name)
        if account is None:  # nothing has ever run
            return None, None, []
        ended, jobs = since_halt(conn, name)
        homes = search.by_ids(conn, {job.conversation_id for job in jobs})
    return account, ended, [(job, homes[job.conversation_id]) for job in jobs]
