"""How it stands, in one word and the facts behind it: a quiet inbox and a blind reader must not look alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from src.api.health import Liveness, silent_after, worker_state
from src.model.rows import AccountState, WorkerBeat
from src.services.ai_webhook import WORKER as AI
from src.services.alerts import AI_FAILURES
from src.settings import Settings

_BETWEEN_TRIES = timedelta(minutes=20)
"""More than SYNC's longest pause after a failure."""

State = Literal["halted", "never_ran", "stopped", "silent", "failing", "blind", "paused", "running"]


@dataclass(frozen=True, slots=True)
class Standing:
    """``state`` is the worst that is true; the fields say the rest."""

    state: State
    since: datetime | None
    halt_kind: str | None
    halt_detail: str | None
    page_changed: bool
    paused_at: datetime | None
    last_good_at: datetime | None
    """The end of the last look that read the inbox."""
    rows_seen: int | None
    next_look_at: datetime | None
    """At the latest; the page may announce news before."""
    failures: int
    outcome: str | None
    send_state: Liveness
    ai_problem: Literal["not_configured", "failing"] | None

    @property
    def reads(self) -> bool:
        """The inbox is being read: when nothing is shown, there is nothing."""
        return self.state in {"running", "paused"}


def standing(
    settings: Settings, account: AccountState | None, beats: Mapping[str, WorkerBeat], now: datetime
) -> Standing:
    """Pure. ``beats`` by worker."""
    sync = beats.get("sync")
    state, since = _state(settings, account, sync, now)
    return Standing(
        state,
        since,
        account.halt_kind if account else None,
        account.halt_detail if account else None,
        page_changed=account is not None and account.halt_kind == "page_changed",
        paused_at=account.paused_at if account else None,
        last_good_at=sync.last_good_at if sync else None,
        rows_seen=sync.rows_seen if sync else None,
        next_look_at=_next_look(settings, sync, now) if state in {"running", "paused"} else None,
        failures=sync.failures_in_a_row if sync else 0,
        outcome=sync.last_outcome if sync else None,
        send_state=worker_state(beats.get("send"), settings.send_worker_interval_sec, now),
        ai_problem=_ai_problem(settings, beats.get(AI)),
    )


def _state(
    settings: Settings, account: AccountState | None, sync: WorkerBeat | None, now: datetime
) -> tuple[State, datetime | None]:
    if account is not None and account.halted:
        return "halted", account.halted_at
    if sync is None:
        return "never_ran", None
    if sync.stopped_at is not None:
        return "stopped", sync.stopped_at
    longest = silent_after(settings.scrape_interval_sec)
    # A failing worker waits longer and longer between its tries.
    patience = max(longest, _BETWEEN_TRIES) if sync.failures_in_a_row else longest
    if now - sync.beat_at > patience:
        return "silent", sync.beat_at
    if sync.failures_in_a_row:
        return "failing", sync.last_good_at
    if sync.last_good_at is None or now - sync.last_good_at > longest:
        return "blind", sync.last_good_at
    return ("paused", account.paused_at) if account is not None and account.paused else ("running", None)


def _next_look(settings: Settings, sync: WorkerBeat | None, now: datetime) -> datetime | None:
    if sync is None or sync.last_cycle_at is None:
        return None
    return max(now, sync.last_cycle_at + timedelta(seconds=settings.scrape_interval_sec))


def _ai_problem(settings: Settings, ai: WorkerBeat | None) -> Literal["not_configured", "failing"] | None:
    if settings.ai is None:
        return "not_configured"
    return "failing" if ai is not None and ai.failures_in_a_row >= AI_FAILURES else None
