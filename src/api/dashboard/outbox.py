"""``/outbox``: replies by status, and what a person does with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.api.context import Context
from src.api.dashboard.ai.side import AiSide
from src.api.dashboard.ai.translation import read_wording
from src.api.dashboard.ai.why import explain_requests
from src.api.dashboard.clocks import clock_of
from src.api.dashboard.page import Page, open_form, open_page, page_routes
from src.api.dashboard.paging import page_after, read_key
from src.api.dashboard.window import windows
from src.api.ids import OUR_ID
from src.db import search
from src.db.overview import outbox_counts
from src.db.timeline import messages_of_requests, requests_by_id
from src.model.rows import Job
from src.model.statuses import UNFINISHED_OUTBOX, OutboxStatus
from src.services import outbox_moves
from src.services.refusals import NotFound

ROWS = 20
_ORDER = (
    OutboxStatus.DRAFT,
    OutboxStatus.UNCONFIRMED,
    OutboxStatus.PENDING,
    OutboxStatus.PROCESSING,
    OutboxStatus.FAILED,
    OutboxStatus.CANCELLED,
    OutboxStatus.SENT,
)


def outbox_routes(context: Context, side: AiSide) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))

    @router.get("/outbox")
    async def outbox(request: Request) -> Response:
        page = await open_page(context, request)
        return page.show("outbox.html", **await run_in_threadpool(_list, page, side))

    @router.post("/outbox/{job_id}/{move}")
    async def act(job_id: str, move: str, request: Request) -> Response:
        page, form = await open_form(context, request)
        deed = _deeds(context, page, form).get(move)
        if deed is None or not OUR_ID.fullmatch(job_id):
            raise NotFound("there is no reply with this id, or nothing of this kind to do with it")
        done, act_on = deed
        await run_in_threadpool(act_on, job_id)
        more = {"approved": job_id} if done == "approved" else {}
        return page.go(form.get("next", "/outbox"), done, **more)

    return router


def _deeds(context: Context, page: Page, form: dict[str, str]) -> dict[str, tuple[str, Callable[[str], Job]]]:
    """By the last word of the address: what the page says afterwards, and what does it."""
    db, wakeup, now = context.db, context.wakeup, page.now
    message, secrets = form.get("message"), context.secrets
    # Where the caller may be waiting for it, it is theirs at once.
    undo_sec = 0.0 if page.account.kept_for_caller else context.settings.approve_undo_sec
    return {
        "approve": (
            "approved",
            lambda job: outbox_moves.approve(
                db, wakeup, job, message, now=now, secrets=secrets, undo_sec=undo_sec
            ),
        ),
        "take-back": ("taken_back", lambda job: outbox_moves.take_back(db, job, now=now)),
        "reject": ("rejected", lambda job: outbox_moves.reject(db, job, form.get("reason"), now=now)),
        "retry": ("retried", lambda job: outbox_moves.retry(db, wakeup, job, now=now)),
        "cancel": ("cancelled", lambda job: outbox_moves.cancel(db, job, now=now)),
        "confirm-sent": ("confirmed", lambda job: outbox_moves.confirm_sent(db, job, now=now)),
        "send-again": ("again", lambda job: outbox_moves.send_again(db, wakeup, job, now=now)),
    }


def _list(page: Page, side: AiSide) -> dict[str, Any]:
    account = page.account.name
    asked = page.request.query_params.get("state", "")
    after = read_key(page.request.query_params.get("after"))
    with page.context.db.read() as conn:
        counts = outbox_counts(conn, account, UNFINISHED_OUTBOX)
        status = OutboxStatus(asked) if asked in set(OutboxStatus) else _first_that_needs_a_look(counts)
        found = search.jobs(conn, account, status, after=after, limit=ROWS + 1, now=page.now)
        shown = found[:ROWS]
        homes = search.by_ids(conn, {job.conversation_id for job in shown})
        asked_for = messages_of_requests(conn, {job.request_id for job in shown if job.request_id})
        # Only of a draft it matters that it has become too late: SEND sees to the others.
        drafts = {job.request_id for job in shown if job.request_id and job.status is OutboxStatus.DRAFT}
        requests = requests_by_id(conn, drafts)
        waiting = {job.conversation_id for job in shown if job.status is OutboxStatus.DRAFT}
        closes = windows(conn, page.account, waiting)
        why = explain_requests(page, side, conn, drafts)
        texts = [*(job.text for job in shown), *(one.text for ones in asked_for.values() for one in ones)]
        wording = read_wording(page, side, conn, texts)
    last = shown[-1] if len(found) > ROWS else None
    return {
        "state": status,
        "why": why,
        "wording": wording,
        "closes": closes,
        "tabs": [(one, counts[one]) for one in _ORDER],
        "rows": [
            (job, homes[job.conversation_id], asked_for.get(key, []), requests.get(key))
            for job in shown
            for key in [job.request_id or ""]
        ],
        "clock_of": lambda job, asked, request: clock_of(
            asked[-1].sent_at if asked else job.created_at, request.reply_by if request else None, page.now
        ),
        "next_page": page_after(page, last.processed_at or last.created_at, last.id) if last else None,
    }


def _first_that_needs_a_look(counts: dict[OutboxStatus, int]) -> OutboxStatus:
    return next((s for s in (OutboxStatus.DRAFT, OutboxStatus.UNCONFIRMED) if counts[s]), OutboxStatus.DRAFT)
