"""``/health``: how it goes. ``/health/live``: the process answers. ``/health/ready``: an answer can be stored.

``/health/ready`` says 503 as soon as the server is to end: the next calls should go to another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from loguru import logger
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from src.account import Account
from src.api.context import Context
from src.api.fields import show
from src.db.engine import Database
from src.db.overview import Overview, overview, together
from src.errors import TransientError
from src.logs import files_not_written, safe_error
from src.model.rows import AccountState
from src.model.statuses import OutboxStatus
from src.services.status import (
    Verdict,
    Worker,
    describe,
    most_telling,
    read_verdicts,
    silent_since,
    whole,
)

PRODUCT = "nightporter"


@dataclass(frozen=True, slots=True)
class Moment:
    """What the database says, read at once."""

    verdicts: dict[str, Verdict]
    """By the account's name."""
    overviews: dict[str, Overview]
    now: datetime
    silent: frozenset[str] = frozenset()
    """The accounts whose service tells nothing of what goes out."""

    @property
    def overview(self) -> Overview:
        """The numbers of all accounts."""
        return together(list(self.overviews.values()))


def look(db: Database, accounts: Iterable[Account], now: datetime) -> Moment:
    """Raises ``TransientError`` if the database is out of reach."""
    db.check()
    with db.read() as conn:
        accounts = list(accounts)
        verdicts = read_verdicts(conn, accounts, now)
        silent = frozenset(one.name for one in accounts if silent_since(conn, one, now) is not None)
        return Moment(verdicts, {name: overview(conn, name, now) for name in verdicts}, now, silent)


def health_routes(context: Context) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/health", summary="How it goes", responses={503: {"description": "no database"}})
    async def health() -> JSONResponse:
        """`status` is healthy, degraded (see `problems`) or halted: a person is needed, see `halt`."""
        try:
            moment = await run_in_threadpool(look, context.db, context.accounts.values(), context.clock())
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
        if context.streams.over:
            return JSONResponse({"status": "not ready", "server": "ending"}, status_code=503)
        try:
            await run_in_threadpool(context.db.check)
        except TransientError:
            return JSONResponse({"status": "not ready", "database": "unreachable"}, status_code=503)
        return JSONResponse({"status": "ready"})

    return router


def report(context: Context, moment: Moment) -> dict[str, Any]:
    """The body of ``/health``: numbers, states and names, nothing of a guest."""
    accounts = list(context.accounts.values())
    counted = [account for account in accounts if account.counts] or accounts
    standing = whole(accounts, moment.verdicts)
    shown = most_telling(counted, moment.verdicts)
    verdict = moment.verdicts[shown.name]
    overview = moment.overview
    problems = [
        f"{account.name}: {problem}" if len(counted) > 1 else problem
        for account in counted
        for problem in _problems(account, moment.verdicts[account.name])
    ]
    problems += [
        f"{account.name}: nothing_told" if len(counted) > 1 else "nothing_told"
        for account in counted
        if account.name in moment.silent
    ]
    if overview.outbox[OutboxStatus.UNCONFIRMED]:
        problems.append("unconfirmed_replies")
    problems += [f"{name}_not_written" for name in files_not_written()]
    degraded = bool(problems) or standing == "partly"
    return {
        "status": "halted" if standing == "halted" else "degraded" if degraded else "healthy",
        "product": PRODUCT,
        "account": shown.name,
        "accounts": describe(accounts, moment.verdicts),
        "database": "ok",
        "database_id": context.db.database_id,
        "browser": _browser(context, verdict),
        **_bell(moment.verdicts[account.name] for account in counted),
        "ai_webhook": _ai(shown, verdict),
        "halt": _halt(verdict.account) if verdict.halted else None,
        "paused": verdict.paused,
        "problems": problems,
        "workers": {"sync": _worker(verdict.sync), "send": _worker(verdict.send)},
        "outbox": {str(status): number for status, number in overview.outbox.items()},
        "inbox": {str(status): number for status, number in overview.inbox.items()},
    }


def _problems(account: Account, verdict: Verdict) -> Iterator[str]:
    if verdict.halted:
        yield "halted"
    for name, worker in (("sync", verdict.sync), ("send", verdict.send)):
        if worker.state != "running" and not account.is_called_for:
            yield f"{name}_{worker.state}"
    ai = _ai(account, verdict)
    if ai["state"] in {"failing", "not_configured"}:
        in_process = account.ai == "assistant" and ai["last_outcome"]
        yield f"assistant_{ai['last_outcome']}" if in_process else f"ai_webhook_{ai['state']}"


def _without_database(context: Context) -> dict[str, Any]:
    return {
        "status": "degraded",
        "product": PRODUCT,
        "account": next(iter(context.accounts)),
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


def _bell(verdicts: Iterable[Verdict]) -> dict[str, str]:
    """Where there are bells to speak of: none, if one of them does not ring."""
    bells = [verdict.account.bell for verdict in verdicts if verdict.account and verdict.account.bell]
    return {"bell": "none" if "none" in bells else "rings"} if bells else {}


def _worker(worker: Worker) -> dict[str, Any]:
    beat = worker.beat
    if beat is None:
        return {"state": worker.state}
    return {
        "state": worker.state,
        "last_beat_at": beat.beat_at.isoformat(),
        **show(beat, "last_cycle_at last_outcome cycles failures_in_a_row"),
    }


def _ai(account: Account, verdict: Verdict) -> dict[str, Any]:
    if account.ai is None:
        return {"state": "not_configured"}
    beat = verdict.ai
    if beat is None:
        return {"state": "not_called_yet"}
    return {
        "state": "failing" if verdict.ai_fails else "last_call_failed" if beat.failures_in_a_row else "ok",
        "last_outcome": beat.last_outcome,
        "last_call_at": beat.last_cycle_at.isoformat() if beat.last_cycle_at else None,
        "failures_in_a_row": beat.failures_in_a_row,
    }


def _browser(context: Context, verdict: Verdict) -> str:
    """What the process that has the browser says; from another process, whether its workers run."""
    if context.browser_state is not None:
        return context.browser_state()
    return "in_another_process" if verdict.sync.lives or verdict.send.lives else "unknown"
