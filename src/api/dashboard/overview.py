"""``/``: is it alive, what waits for a person, what happened today and this week."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from src.api.context import Context
from src.api.dashboard.clocks import by_urgency
from src.api.dashboard.first_steps import first_steps
from src.api.dashboard.memory import Remembered
from src.api.dashboard.page import Page, open_form, open_page, page_routes
from src.api.dashboard.week import Day, charts_of_week, last_days, read_day
from src.db import activity, conversations
from src.db.engine import Connection
from src.db.overview import inbox_counts, outbox_counts
from src.db.waiting import LOOK_BACK, waiting
from src.model.statuses import OPEN_INBOX, UNFINISHED_OUTBOX, OutboxStatus
from src.services import switches
from src.services.status import Intervals, read_verdict


def overview_routes(context: Context) -> APIRouter:
    router = APIRouter(include_in_schema=False, route_class=page_routes(context))
    memories: dict[str, Remembered[Day]] = defaultdict(Remembered)

    @router.get("/")
    async def overview(request: Request) -> Response:
        page = await open_page(context, request)
        return page.show("overview.html", **await run_in_threadpool(_read, page, memories[page.account.name]))

    @router.post("/pause")
    async def pause(request: Request) -> Response:
        page, form = await open_form(context, request)
        account, now = page.account.name, page.now
        await run_in_threadpool(lambda: switches.pause(context.db, account, now=now))
        return page.go(form.get("next", "/"), "paused")

    @router.post("/resume")
    async def resume(request: Request) -> Response:
        page, form = await open_form(context, request)
        account, now = page.account.name, page.now
        await run_in_threadpool(lambda: switches.resume(context.db, context.wakeup, account, now=now))
        return page.go(form.get("next", "/"), "resumed")

    return router


def _read(page: Page, memory: Remembered[Day]) -> dict[str, Any]:
    account, now = page.account.name, page.now
    days = last_days(now, page.zone, 7)
    with page.context.db.read() as conn:
        page.stands = stands = read_verdict(conn, account, Intervals.of(page.account.settings), now)
        aside = _aside(page, conn)
        today = activity.numbers(conn, account, *days[-1])
        outbox = outbox_counts(conn, account, UNFINISHED_OUTBOX)
        inbox = inbox_counts(conn, account, OPEN_INBOX)
        week = memory.of(days, now, lambda day: read_day(conn, account, day))
        fresh = not page.waiting and not conversations.list_recent(conn, account, 1)
    return {
        "fresh": fresh,
        "steps": first_steps(page, stands) if fresh and not page.account.is_called_for else [],
        "stands": stands,
        "has_ai": page.account.ai is not None,
        "items": by_urgency(page.waiting, now),
        "aside": aside,
        "look_back_days": LOOK_BACK.days,
        "today": today,
        "median_sec": week[-1].median_sec,
        "held": today.escalated + outbox[OutboxStatus.DRAFT] + outbox[OutboxStatus.UNCONFIRMED],
        "outbox": outbox,
        "asked": sum(inbox.values()),
        "week": charts_of_week(page.lang, page.zone, week),
    }


def _aside(page: Page, conn: Connection) -> list[tuple[str, int]]:
    """What waits in the accounts that are none to choose from: their names, and how much it is."""
    hidden = [one for one in page.context.asked.values() if one not in page.accounts and one != page.account]
    found = [(one.name, len(waiting(conn, one.name, page.now, sent=not one.is_called_for))) for one in hidden]
    return [(name, number) for name, number in found if number]
