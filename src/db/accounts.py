"""Accounts, workers' signs of life, and the reply modes that a person has set."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    bindparam,
    case,
    delete,
    literal,
    or_,
    select,
    update,
)

from src.db.statements import ACCOUNTS, MODES, WORKERS, RowShape, insert_into, one_or_none, rows
from src.model.rows import AccountState, Rule, WorkerBeat
from src.model.values import LinkState, ReplyMode

_ACCOUNT = RowShape.of(AccountState, ACCOUNTS)
_WORKER = RowShape.of(WorkerBeat, WORKERS)
_RULE = RowShape.of(Rule, MODES)

SCOPES = ("account", "listing", "conversation")
"""From the widest to the narrowest; the narrowest rule wins."""

_GET = _ACCOUNT.select.where(ACCOUNTS.c.account == bindparam("p_account"))
_LOCK = select(ACCOUNTS.c.account).where(ACCOUNTS.c.account == bindparam("p_account")).with_for_update()
_SCOPE_IDS = {
    "account": literal(""),
    "listing": bindparam("p_listing", type_=String),
    "conversation": bindparam("p_conversation", type_=String),
}
_NARROWEST = (
    _RULE.select.where(
        MODES.c.account == bindparam("p_account"),
        or_(*(and_(MODES.c.scope == scope, MODES.c.scope_id == _SCOPE_IDS[scope]) for scope in SCOPES)),
    )
    .order_by(case({scope: rank for rank, scope in enumerate(SCOPES)}, value=MODES.c.scope).desc())
    .limit(1)
)
"""Made once: such a statement takes longer to make than to execute."""


def ensure(conn: Connection, account: str, now: datetime) -> AccountState:
    """The account's row, made if it is not there. Repeatable."""
    state = find(conn, account)
    if state is None:
        made = insert_into(conn, ACCOUNTS).values(account=account, link_state=LinkState.OK, updated_at=now)
        conn.execute(made.on_conflict_do_nothing(index_elements=["account"]))
        state = get(conn, account)
    return state


def take_channel(conn: Connection, account: str, channel: str, now: datetime) -> str:
    """The channel that is stored with the account: this one, if none was. Repeatable."""
    ensure(conn, account, now)
    _change(conn, account, now, ACCOUNTS.c.channel.is_(None), channel=channel)
    return get(conn, account).channel or channel


def get(conn: Connection, account: str) -> AccountState:
    """The account's row. KeyError if ``ensure`` never made it."""
    state = find(conn, account)
    if state is None:
        raise KeyError(account)
    return state


def find(conn: Connection, account: str) -> AccountState | None:
    """The account's row; None if nothing has ever run for it."""
    return one_or_none(conn, _GET, _ACCOUNT, {"p_account": account})


def lock(conn: Connection, account: str) -> None:
    """Keep others who ask for this lock waiting until this transaction ends. On SQLite all writers do."""
    if conn.dialect.name != "sqlite":
        conn.execute(_LOCK, {"p_account": account})


def halt(
    conn: Connection,
    account: str,
    kind: str,
    detail: str,
    exit_code: int,
    evidence: str | None,
    now: datetime,
) -> bool:
    """Nothing touches the site until ``clear_halt``. True if it was not halted before; the first halt is kept."""
    ensure(conn, account, now)
    halted = {"halt_kind": kind, "halt_detail": detail, "halt_exit_code": int(exit_code)}
    state = {"link_state": LinkState.HALTED, "halt_evidence": evidence, "halted_at": now, **halted}
    return _change(conn, account, now, ACCOUNTS.c.link_state == LinkState.OK, **state)


def clear_halt(conn: Connection, account: str, now: datetime) -> bool:
    """The site may be touched again. True if it was halted. Repeatable."""
    cleared = dict.fromkeys(("halt_kind", "halt_detail", "halt_exit_code", "halt_evidence", "halted_at"))
    state = {"link_state": LinkState.OK, "halt_cleared_at": now, **cleared}
    return _change(conn, account, now, ACCOUNTS.c.link_state == LinkState.HALTED, **state)


def pause(conn: Connection, account: str, now: datetime) -> bool:
    """Reading goes on, nothing is sent. True if it was not paused before. Repeatable."""
    ensure(conn, account, now)
    return _change(conn, account, now, ACCOUNTS.c.paused_at.is_(None), paused_at=now)


def resume(conn: Connection, account: str, now: datetime) -> bool:
    """The end of ``pause``. True if it was paused. Repeatable."""
    return _change(conn, account, now, ACCOUNTS.c.paused_at.is_not(None), paused_at=None)


def set_viewer(conn: Connection, account: str, external_id: str, now: datetime) -> None:
    """Remember whose inbox it is (the site's id). Overwrites: comparing it first is the caller's part."""
    _change(conn, account, now, external_id=external_id)


def set_disclosed(conn: Connection, account: str, now: datetime) -> None:
    """A person confirmed that people are told that an AI answers there. The first time is kept. Repeatable."""
    _change(conn, account, now, ACCOUNTS.c.disclosed_at.is_(None), disclosed_at=now)


def set_swept_through(conn: Connection, account: str, through: datetime, now: datetime) -> None:
    """Everything with activity before ``through`` has been taken in. Never moves back. Repeatable."""
    older = or_(ACCOUNTS.c.swept_through.is_(None), ACCOUNTS.c.swept_through < through)
    _change(conn, account, now, older, swept_through=through)


def set_bell(conn: Connection, account: str, bell: str | None, now: datetime) -> None:
    """Whether the remote announces what is new, as the last look saw it. Repeatable."""
    _change(conn, account, now, bell=bell)


def _change(
    conn: Connection, account: str, now: datetime, *only_if: ColumnElement[bool], **values: Any
) -> bool:
    """Whether the row was there and fulfilled the conditions."""
    mine = update(ACCOUNTS).where(ACCOUNTS.c.account == account, *only_if)
    return conn.execute(mine.values(**values, updated_at=now)).rowcount == 1


def beat(
    conn: Connection,
    account: str,
    worker: str,
    *,
    process_id: int,
    hostname: str,
    now: datetime,
    started: bool = False,
) -> None:
    """A sign of life. ``started``: the worker begins now, so its start is noted and its failures are forgotten."""
    seen = {"process_id": process_id, "hostname": hostname, "beat_at": now, "stopped_at": None}
    begun = {"started_at": now, "failures_in_a_row": 0} if started else {}
    statement = insert_into(conn, WORKERS).values(
        account=account, worker=worker, started_at=now, cycles=0, failures_in_a_row=0, **seen
    )
    conn.execute(
        statement.on_conflict_do_update(index_elements=["account", "worker"], set_={**seen, **begun})
    )


def cycle_done(
    conn: Connection,
    account: str,
    worker: str,
    *,
    outcome: str,
    duration_ms: int,
    ok: bool,
    now: datetime,
    rows_seen: int | None = None,
) -> int:
    """Note the end of a cycle; returns the failures in a row, 0 after a good one. ``beat`` comes first.

    ``rows_seen``: how many conversations a look at the list found.
    """
    failures = 0 if ok else WORKERS.c.failures_in_a_row + 1
    good: dict[str, datetime | int | None] = {"last_good_at": now, "rows_seen": rows_seen} if ok else {}
    found = conn.execute(
        update(WORKERS)
        .where(WORKERS.c.account == account, WORKERS.c.worker == worker)
        .values(
            last_cycle_at=now,
            beat_at=now,
            last_duration_ms=duration_ms,
            last_outcome=outcome,
            cycles=WORKERS.c.cycles + 1,
            failures_in_a_row=failures,
            **good,
        )
        .returning(WORKERS.c.failures_in_a_row)
    )
    return int(found.scalar_one())


def worker_stopped(conn: Connection, account: str, worker: str, *, process_id: int, now: datetime) -> None:
    """Note an orderly stop, unless another process has taken the worker's place meanwhile. Repeatable."""
    conn.execute(
        update(WORKERS)
        .where(WORKERS.c.account == account, WORKERS.c.worker == worker, WORKERS.c.process_id == process_id)
        .values(stopped_at=now, beat_at=now)
    )


def workers(conn: Connection, account: str) -> list[WorkerBeat]:
    """Every worker that ever lived for the account, by name."""
    found = _WORKER.select.where(WORKERS.c.account == account).order_by(WORKERS.c.worker)
    return rows(conn, found, _WORKER)


def set_mode(
    conn: Connection, account: str, scope: str, scope_id: str, mode: ReplyMode, now: datetime
) -> None:
    """Set the mode of an ``account`` (``scope_id`` is then ''), a ``listing`` (the site's id) or a
    ``conversation`` (our id). ValueError for another scope. Repeatable.
    """
    if scope not in SCOPES:
        raise ValueError(f"scope must be one of {', '.join(SCOPES)}")
    scope_id = "" if scope == "account" else scope_id
    statement = insert_into(conn, MODES).values(
        account=account, scope=scope, scope_id=scope_id, mode=mode, updated_at=now
    )
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["account", "scope", "scope_id"], set_={"mode": mode, "updated_at": now}
        )
    )


def clear_mode(conn: Connection, account: str, scope: str, scope_id: str) -> None:
    """Take a rule away again, with the ids as for ``set_mode``; the next wider one holds then. Repeatable."""
    conn.execute(
        delete(MODES).where(
            MODES.c.account == account,
            MODES.c.scope == scope,
            MODES.c.scope_id == ("" if scope == "account" else scope_id),
        )
    )


def mode_for(
    conn: Connection, account: str, conversation_id: str, listing_id: str | None, default: ReplyMode
) -> ReplyMode:
    """The mode that holds for a conversation (our id): its own, else its listing's, else the account's.

    ``default`` (REPLY_MODE) if a person has set none of them, and always if it is off.
    """
    return mode_in_force(default, rule_for(conn, account, conversation_id, listing_id))


def mode_in_force(default: ReplyMode, rule: Rule | None) -> ReplyMode:
    """What holds where this is the narrowest rule. REPLY_MODE=off only reads: no rule switches on what is off."""
    return default if rule is None or default is ReplyMode.OFF else rule.mode


def rule_for(conn: Connection, account: str, conversation_id: str, listing_id: str | None) -> Rule | None:
    """The narrowest rule that a person has set for a conversation (our id), or None."""
    # A conversation whose listing is not known has none of this name.
    values = {"p_account": account, "p_conversation": conversation_id, "p_listing": listing_id or ""}
    return one_or_none(conn, _NARROWEST, _RULE, values)


def modes(conn: Connection, account: str) -> list[Rule]:
    """Every mode that a person has set, the account's first."""
    found = _RULE.select.where(MODES.c.account == account).order_by(MODES.c.scope, MODES.c.scope_id)
    return rows(conn, found, _RULE)
