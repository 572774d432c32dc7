"""``status``: what is in the queues, how the link is, when the workers last went round."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from src.account import Account
from src.commands.choice import chosen
from src.commands.folders import make_folders
from src.db import database_urls
from src.db.engine import Database
from src.db.overview import overview, together
from src.model.rows import WorkerBeat
from src.services.status import Worker, describe, most_telling, read_verdicts, whole
from src.settings import load_settings


def run_status(name: str | None = None, *, as_json: bool) -> int:
    """Print it, of all accounts or the named one; 0 whatever it says.

    SettingsError if the database is out of reach, or there is no account of this name.
    """
    settings = load_settings()
    accounts = chosen(settings.accounts, name)
    make_folders(settings, to_write=False)
    url = settings.database_url.get_secret_value()
    path = database_urls.sqlite_path(database_urls.parse(url))
    if path is not None and not path.exists():
        print(
            json.dumps({"database": "not made yet"})
            if as_json
            else "Nothing yet: the database is made at the first start."
        )
        return 0
    db = Database.open(url)
    try:
        facts = _facts(db, accounts)
    finally:
        db.close()
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        _print(facts)
    return 0


def _facts(db: Database, accounts: Sequence[Account]) -> dict[str, Any]:
    now = datetime.now(UTC)
    with db.read() as conn:
        numbers = together([overview(conn, account.name, now) for account in accounts])
        verdicts = read_verdicts(conn, accounts, now)
    shown = most_telling([account for account in accounts if account.counts] or accounts, verdicts)
    verdict = verdicts[shown.name]
    state = verdict.account
    halt = None
    if state is not None and state.halted:
        halt = {
            "kind": state.halt_kind,
            "detail": state.halt_detail,
            "since": _iso(state.halted_at),
            "exit_code": state.halt_exit_code,
            "evidence": state.halt_evidence,
        }
    return {
        "account": shown.name,
        "status": {"working": "healthy", "partly": "degraded", "halted": "halted"}[whole(accounts, verdicts)],
        "accounts": describe(accounts, verdicts),
        "state": verdict.state,
        "link": state.link_state.value if state else "ok",
        "halt": halt,
        "paused_since": _iso(state.paused_at) if state else None,
        "inbox": {str(key): value for key, value in numbers.inbox.items()},
        "outbox": {str(key): value for key, value in numbers.outbox.items()},
        "sent_today": numbers.sent_today,
        "received_today": numbers.received_today,
        "answered_today": numbers.answered_today,
        "oldest_pending_age_sec": numbers.oldest_pending_age_sec,
        "workers": [
            _worker(name, worker, worker.beat)
            for name, worker in (("send", verdict.send), ("sync", verdict.sync))
            if worker.beat is not None
        ],
        "ai": {
            "last_outcome": verdict.ai.last_outcome,
            "last_call_at": _iso(verdict.ai.last_cycle_at),
            "failures_in_a_row": verdict.ai.failures_in_a_row,
        }
        if verdict.ai is not None
        else None,
    }


def _worker(name: str, worker: Worker, beat: WorkerBeat) -> dict[str, Any]:
    return {
        "worker": name,
        "process_id": beat.process_id,
        "state": worker.state,
        "running": worker.lives,
        "started_at": _iso(beat.started_at),
        "last_beat_at": _iso(beat.beat_at),
        "last_cycle_at": _iso(beat.last_cycle_at),
        "last_duration_ms": beat.last_duration_ms,
        "last_outcome": beat.last_outcome,
        "cycles": beat.cycles,
        "failures_in_a_row": beat.failures_in_a_row,
    }


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else None


def _print(facts: dict[str, Any]) -> None:
    halt = facts["halt"]
    if len(facts["accounts"]) > 1:
        for name, one in facts["accounts"].items():
            stopped_by = one["halt"]
            why = (
                f" since {stopped_by['since']}: {stopped_by['kind']}, {stopped_by['detail']}"
                if stopped_by
                else ""
            )
            bell = "; no bell, new messages are found by looks" if one.get("bell") == "none" else ""
            typer.echo(f"{name} ({one['channel']}): {one['status']}{why}{bell}")
        typer.echo(f"Of {facts['account']}:")
    if halt:
        word = typer.style("HALTED", fg="red", bold=True)
        typer.echo(f"{word} since {halt['since']}: {halt['kind']}, {halt['detail']}")
    elif facts["paused_since"]:
        typer.echo(f"Link ok, sending paused since {facts['paused_since']}")
    else:
        typer.echo("Link ok")
    for title, key in (("queue_inbox ", "inbox"), ("queue_outbox", "outbox")):
        typer.echo(f"{title}  {' · '.join(f'{status} {number}' for status, number in facts[key].items())}")
    typer.echo(f"Today: {facts['received_today']} received, {facts['sent_today']} sent")
    for worker in facts["workers"]:
        since = f" since {worker['last_beat_at']}" if worker["state"] == "silent" else ""
        typer.echo(
            f"{worker['worker'].upper():5} {worker['state']}{since}, "
            f"last cycle {worker['last_cycle_at'] or 'none'}: {worker['last_outcome'] or '-'}"
        )
    if facts["ai"]:
        typer.echo(f"AI answered {facts['ai']['last_outcome']} at {facts['ai']['last_call_at']}")
