"""How the built-in assistant came to its decisions (``assistant_runs``): one function for each move."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, select, update
from sqlalchemy import text as sql

from src.db.statements import RUNS, RowShape, one_or_none, rows
from src.model.rows import AssistantRun
from src.model.values import new_id

_R = RUNS.c
_RUN = RowShape.of(AssistantRun, RUNS)
LIVE, REPLAY = "live", "replay"


def begin(
    conn: Connection,
    account: str,
    *,
    kind: str,
    request_id: str | None,
    conversation_id: str | None,
    now: datetime,
) -> AssistantRun:
    """A run that works from now on. A live request that was tried before goes on with its own run. Repeatable.

    ``created_at`` says since when it is being tried: a request that was done, and is asked again, starts again.
    """
    values = {
        "id": new_id(),
        "account": account,
        "kind": kind,
        "state": "working",
        "request_id": request_id,
        "conversation_id": conversation_id,
        "steps": "[]",
        "sources": "[]",
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "created_at": now,
    }
    statement = _RUN.insert(conn)
    if kind == LIVE and request_id is not None:
        statement = statement.on_conflict_do_update(
            index_elements=["request_id"],
            index_where=sql("kind = 'live'"),
            set_={
                "state": "working",
                "created_at": case((_R.state == "done", statement.excluded.created_at), else_=_R.created_at),
            },
        )
    made = one_or_none(conn, statement, _RUN, values)
    assert made is not None  # noqa: S101 - an upsert gives its row back
    return made


def finish(conn: Connection, run_id: str, changes: dict[str, Any]) -> AssistantRun | None:
    """Write down how it went: columns and their values. None if the run is gone (purged). Repeatable."""
    statement = _RUN.update.where(_R.id == run_id).values(
        {RUNS.c[name]: value for name, value in changes.items()}
    )
    return one_or_none(conn, statement, _RUN)


def get(conn: Connection, run_id: str) -> AssistantRun | None:
    """By its id."""
    return one_or_none(conn, _RUN.select.where(_R.id == run_id), _RUN)


def of_request(conn: Connection, request_id: str) -> AssistantRun | None:
    """The live run of a request."""
    return one_or_none(conn, _RUN.select.where(_R.request_id == request_id, _R.kind == LIVE), _RUN)


def of_requests(conn: Connection, request_ids: Collection[str]) -> dict[str, AssistantRun]:
    """The live runs of these requests, by the request's id."""
    if not request_ids:
        return {}
    wanted = _RUN.select.where(_R.request_id.in_(list(request_ids)), _R.kind == LIVE)
    return {run.request_id or "": run for run in rows(conn, wanted, _RUN)}


def to_take_up(conn: Connection, account: str) -> list[AssistantRun]:
    """Runs that were asked for over HTTP and whose answer is not handed in yet, oldest first."""
    left = _RUN.select.where(_R.account == account, _R.payload.is_not(None))
    return rows(conn, left.order_by(_R.created_at, _R.id), _RUN)


def tokens_since(conn: Connection, since: datetime) -> int:
    """All tokens of runs that began since then, of every account: one key pays for all."""
    total = func.coalesce(func.sum(_R.prompt_tokens + _R.completion_tokens), 0)
    return int(conn.execute(select(total).where(_R.created_at >= since)).scalar_one())


def mean_cost(conn: Connection, since: datetime) -> tuple[int, float, float | None]:
    """Of finished runs that asked a model: how many, and the mean of their tokens and of their cost in dollars.

    The cost is None where the service never said one.
    """
    spent = _R.prompt_tokens + _R.completion_tokens
    asked = select(func.count(), func.avg(spent), func.avg(_R.cost)).where(
        _R.state == "done", spent > 0, _R.created_at >= since
    )
    number, tokens, cost = conn.execute(asked).one()
    return int(number), float(tokens or 0), None if cost is None else float(cost)


def went_over_budget(conn: Connection, account: str, since: datetime) -> datetime | None:
    """When the day's tokens were used up, if this account's guest was the first to meet it since then.

    Of several accounts only the first one has it, because one budget makes one alert.
    """
    over = select(_R.account, _R.created_at).where(_R.reason == "over_budget", _R.created_at >= since)
    if conn.execute(over.where(_R.account == account).limit(1)).first() is None:
        return None
    first = conn.execute(over.order_by(_R.created_at, _R.id).limit(1)).one()
    return first.created_at if first.account == account else None


def drop_ids(conn: Connection, account: str, before: datetime) -> int:
    """Old runs lose the caller's id of their conversation. Returns how many. Repeatable."""
    old = update(RUNS).where(_R.account == account, _R.created_at < before, _R.conversation_id.is_not(None))
    return conn.execute(old.values(conversation_id=None)).rowcount


def drop_words(conn: Connection, account: str, before: datetime) -> int:
    """Requests that were never answered lose their words. Returns how many. Repeatable."""
    old = update(RUNS).where(_R.account == account, _R.created_at < before, _R.payload.is_not(None))
    return conn.execute(old.values(payload=None, state="done")).rowcount


def forget(conn: Connection, account: str, conversation_id: str) -> int:
    """The runs of a conversation (the caller's id of it) lose it. Returns how many."""
    of_it = update(RUNS).where(_R.account == account, _R.conversation_id == conversation_id)
    gone = {"conversation_id": None, "payload": None, "state": "done"}
    return conn.execute(of_it.values(gone)).rowcount
