"""``/health``: how it goes. ``/health/live``: the process answers. ``/health/ready``: an answer can be stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from fastapi import APIRouter
from loguru import logger
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from src.api.context import Context
from src.db import accounts
from src.db.engine import Database
from src.db.overview import Overview, overview
from src.errors import TransientError
from src.logs import safe_error
from src.model.rows import AccountState, WorkerBeat
from src.model.statuses import OutboxStatus
from src.services.ai_webhook import WORKER as AI
from src.services.alerts import AI_FAILURES
from src.settings import Settings

PRODUCT = "nightporter"
_SILENT_INTERVALS = 3
_SHORTEST_SILENCE = timedelta(seconds=15)

Liveness = Literal["running", "stopped", "silent", "never_ran"]


@dataclass(frozen=True, slots=True)
class Moment:
    """What the database says, read at once."""

    account: AccountState | None
    workers: dict[str, WorkerBeat]
    overview: Overview
    now: datetime


def look(db: Database, settings: Settings, now: datetime) -> Moment:
    """Raises ``TransientError`` if the database is out of reach."""
    db.check()
    with db.read() as conn:
        account = accounts.find(conn, settings.account)
        beats = {beat.worker: beat for beat in accounts.workers(conn, settings.account)}
        return Moment(account, beats, overview(conn, settings.account, now), now)


def health_routes(context: Context) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/health", summary="How it goes", responses={503: {"description": "no database"}})
    async def health() -> JSONResponse:
        """`status` is healthy, degraded (see `problems`) or halted: a person is needed, see `halt`."""
        try:
            moment = await run_in_threadpool(look, context.db, context.settings, context.clock())
        except TransientError as error:
            logger.error("the database is out of reach: {}", safe_error(error))
            return JSONResponse(_without_database(context), status_code=503)
        return JSONResponse(report(context, moment))

    @router.get("/health/live", summary="The process answers")
    async def live() -> dict[str, str]:
        return {"status": "alive"}

    @router.get(
        "/health/ready", summary="An answer can be stored", responses={503: {"description": "not now"}}
    )
    async def ready() -> JSONResponse:
        try:
            await run_in_threadpool(context.db.check)
        except TransientError:
            return JSONResponse({"status": "not ready", "database": "unreachable"}, status_code=503)
        return JSONResponse({"status": "ready"})

    return router


def report(context: Context, moment: Moment) -> dict[str, Any]:
    """The body of ``/health``: numbers, states and names, nothing of a guest."""
    settings, account = context.settings, moment.account
    workers = {name: _worker(settings, name, moment) for name in ("sync", "send")}
    ai = _ai(settings, moment)
    problems = [
        f"{name}_{worker['state']}" for name, worker in workers.items() if worker["state"] != "running"
    ]
    if ai["state"] in {"failing", "not_configured"}:
        problems.append(f"ai_webhook_{ai['state']}")
    if moment.overview.outbox[OutboxStatus.UNCONFIRMED]:
        problems.append("unconfirmed_replies")
    halted = account is not None and account.halted
    return {
        "status": "halted" if halted else "degraded" if problems else "healthy",
        "product": PRODUCT,
        "account": settings.account,
        "database": "ok",
        "database_id": context.db.database_id,
        "browser": _browser(context, workers),
        "ai_webhook": ai,
        "halt": _halt(account) if halted else None,
        "paused": account is not None and account.paused,
        "problems": problems,
        "workers": workers,
        "outbox": {str(status): number for status, number in moment.overview.outbox.items()},
        "inbox": {str(status): number for status, number in moment.overview.inbox.items()},
    }


def _without_database(context: Context) -> dict[str, Any]:
    return {
        "status": "degraded",
        "product": PRODUCT,
        "account": context.settings.account,
        "database": "unreachable",
        "database_id": context.db.database_id,
        "problems": ["database_unreachable"],
    }


def _halt(account: AccountState | None) -> dict[str, Any] | None:
    if account is None:
        return None
    return {
        "kind": account.halt_kind,
        "detail": account.halt_detail,
        "exit_code": account.halt_exit_code,
        "since": account.halted_at.isoformat() if account.halted_at else None,
    }


def silent_after(interval_sec: float) -> timedelta:
    """From which silence on a worker with this interval is not taken for alive any more."""
    return max(timedelta(seconds=interval_sec * _SILENT_INTERVALS), _SHORTEST_SILENCE)


def worker_state(beat: WorkerBeat | None, interval_sec: float, now: datetime) -> Liveness:
    """Where a worker with this interval stands, by its last sign of life."""
    if beat is None:
        return "never_ran"
    if beat.stopped_at is not None:
        return "stopped"
    return "silent" if now - beat.beat_at > silent_after(interval_sec) else "running"


def _worker(settings: Settings, name: str, moment: Moment) -> dict[str, Any]:
    beat = moment.workers.get(name)
    interval = settings.scrape_interval_sec if name == "sync" else settings.send_worker_interval_sec
    state = worker_state(beat, interval, moment.now)
    if beat is None:
        return {"state": state}
    return {
        "state": state,
        "last_beat_at": beat.beat_at.isoformat(),
        "last_cycle_at": beat.last_cycle_at.isoformat() if beat.last_cycle_at else None,
        "last_outcome": beat.last_outcome,
        "cycles": beat.cycles,
        "failures_in_a_row": beat.failures_in_a_row,
    }


def _ai(settings: Settings, moment: Moment) -> dict[str, Any]:
    if settings.ai is None:
        return {"state": "not_configured"}
    beat = moment.workers.get(AI)
    if beat is None:
        return {"state": "not_called_yet"}
    failing = beat.failures_in_a_row >= AI_FAILURES
    return {
        "state": "failing" if failing else "ok" if beat.failures_in_a_row == 0 else "last_call_failed",
        "last_outcome": beat.last_outcome,
        "last_call_at": beat.last_cycle_at.isoformat() if beat.last_cycle_at else None,
        "failures_in_a_row": beat.failures_in_a_row,
    }


def _browser(context: Context, workers: dict[str, dict[str, Any]]) -> str:
    """What the process that has the browser says; from another process, whether its workers run."""
    if context.browser_state is not None:
        return context.browser_state()
    return "in_another_process" if any(w["state"] == "running" for w in workers.values()) else "unknown"
