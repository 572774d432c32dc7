"""How an account stands: one verdict for ``/health``, ``status``, the dashboard, alerts, the heartbeat and metrics.

It is made from what the workers last wrote down, so every process can give it. A worker that was killed wrote
nothing at its end: it is known by its silence, and is never "running".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from src.account import Account, AccountSettings
from src.channels import registry
from src.db import accounts, silence
from src.db.engine import Connection
from src.model.rows import AccountState, WorkerBeat
from src.model.values import AI_WORKER

AI_FAILURES = 3
"""In a row; one alone is a bad moment."""
MODEL_AWAY = frozenset({"model_down", "model_key_refused", "model_unknown"})
"""Outcomes of the built-in assistant that say at once that its model service does not work."""
_SILENT_INTERVALS = 3
_SHORTEST_SILENCE = timedelta(seconds=15)
_BETWEEN_TRIES = timedelta(minutes=20)
"""More than a worker's longest pause after a failure."""

WorkerState = Literal["running", "failing", "stopped", "silent", "never_ran"]
State = Literal["halted", "never_ran", "stopped", "silent", "failing", "blind", "paused", "running"]
Short = Literal["working", "halted", "stopped"]
Hindrance = Literal["halted", "paused", "reply_mode_off", "nobody_sends"]


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often the two workers go round, in seconds."""

    sync_sec: float
    send_sec: float

    @classmethod
    def of(cls, settings: AccountSettings) -> Self:
        """As the settings have them."""
        return cls(settings.scrape_interval_sec, settings.send_worker_interval_sec)


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker. ``failing``: it lives, and its last cycle failed."""

    state: WorkerState
    beat: WorkerBeat | None

    @property
    def lives(self) -> bool:
        """It was heard of lately and has not ended."""
        return self.state in {"running", "failing"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """``state`` is the worst that is true of reading; the fields say the rest."""

    state: State
    since: datetime | None
    account: AccountState | None
    sync: Worker
    send: Worker
    ai: WorkerBeat | None
    """How the AI's calls went; None: none was made yet."""
    next_look_at: datetime | None
    """At the latest; the page may announce news before. None if nobody reads."""
    read_lately: bool
    """The inbox was read well within the last few intervals, whatever the very last look met."""

    @property
    def halted(self) -> bool:
        """A person is needed; nothing touches the site."""
        return self.account is not None and self.account.halted

    @property
    def paused(self) -> bool:
        """A person has paused sending."""
        return self.account is not None and self.account.paused

    @property
    def reads(self) -> bool:
        """The inbox is being read: when nothing is shown, there is nothing."""
        return self.state in {"running", "paused"}

    @property
    def sends(self) -> bool:
        """A reply that is due goes out now."""
        return not self.halted and not self.paused and self.send.lives

    @property
    def ai_fails(self) -> bool:
        """Several calls in a row went wrong; or one, in a way that the next call will not mend."""
        if self.ai is None or self.ai.failures_in_a_row == 0:
            return False
        return self.ai.failures_in_a_row >= AI_FAILURES or self.ai.last_outcome in MODEL_AWAY

    @property
    def last_good_at(self) -> datetime | None:
        """The end of the last look that read the inbox."""
        return self.sync.beat.last_good_at if self.sync.beat else None

    @property
    def short(self) -> Short:
        """In one of three words: for lists of accounts."""
        if self.halted:
            return "halted"
        return "working" if self.sync.lives or self.send.lives else "stopped"

    @property
    def of_callers(self) -> Short:
        """The same where no worker reads or sends, and callers get the answer: the AI is asked."""
        if self.halted:
            return "halted"
        return "working" if self.ai is not None and self.ai.stopped_at is None else "stopped"


def read_verdict(conn: Connection, account: str, intervals: Intervals, now: datetime) -> Verdict:
    """The verdict on an account, by its name. Two short reads; repeatable."""
    return judge(accounts.find(conn, account), accounts.workers(conn, account), intervals, now)


def judge(
    account: AccountState | None, beats: Iterable[WorkerBeat], intervals: Intervals, now: datetime
) -> Verdict:
    """The same from rows that were read already. Pure."""
    by_name = {beat.worker: beat for beat in beats}
    sync = _worker(by_name.get("sync"), intervals.sync_sec, now)
    send = _worker(by_name.get("send"), intervals.send_sec, now)
    state, since = _state(account, sync, intervals, now)
    return Verdict(
        state,
        since,
        account,
        sync,
        send,
        by_name.get(AI_WORKER),
        next_look_at=_next_look(sync.beat, intervals, now) if state in {"running", "paused"} else None,
        read_lately=state != "halted" and sync.lives and _read_lately(sync.beat, intervals, now),
    )


def read_verdicts(conn: Connection, of: Iterable[Account], now: datetime) -> dict[str, Verdict]:
    """The verdict on each of these accounts, by its name."""
    return {
        account.name: read_verdict(conn, account.name, Intervals.of(account.settings), now) for account in of
    }


def what_hinders(account: Account, verdict: Verdict) -> Hindrance | None:
    """Why a reply that is due does not go out now; None: it does. What a page says of a reply is made from this.

    As the SEND worker decides it: where REPLY_MODE is off none is run (``workers/crew.py``). Where whoever asked
    takes the reply, no worker is needed.
    """
    if verdict.halted:
        return "halted"
    if verdict.paused:
        return "paused"
    if account.is_called_for:
        return None
    if account.settings.reply_mode == "off":
        return "reply_mode_off"
    return None if verdict.send.lives else "nobody_sends"


def watches(account: Account) -> bool:
    """Whether SYNC looks at a list of this account's; else its messages come in by calls of others."""
    return registry.find(account.channel).CAPABILITIES.watches


def silent_since(conn: Connection, account: Account, now: datetime) -> datetime | None:
    """Since when replies go out and nothing comes back, where that is too long; else None.

    Only of a service that calls us, and says what became of a message: its calls may go to another address.
    """
    can = registry.find(account.channel).CAPABILITIES
    if not (can.hears and can.tells_delivery):
        return None
    since = silence.silent_since(conn, account.name, now)
    longest = timedelta(hours=account.settings.quiet_alert_hours)
    return since if since is not None and now - since >= longest else None


def whole(of: Iterable[Account], verdicts: Mapping[str, Verdict]) -> Literal["working", "partly", "halted"]:
    """The verdict on all accounts that count: halted when none is left, partly while another works."""
    counted = [account for account in of if account.counts] or list(of)
    halted = [verdicts[account.name].halted for account in counted]
    return "halted" if all(halted) else "partly" if any(halted) else "working"


def most_telling(of: Sequence[Account], verdicts: Mapping[str, Verdict]) -> Account:
    """The account whose facts stand for all where there is room for one: one that works, else the worst halt."""
    at_work = [account for account in of if not verdicts[account.name].halted]
    if at_work:
        return at_work[0]
    return max(of, key=lambda account: _exit_code(verdicts[account.name].account))


def _exit_code(state: AccountState | None) -> int:
    return (state.halt_exit_code or 0) if state is not None else 0


def in_a_word(account: Account, verdict: Verdict) -> Short:
    """How an account stands, for lists of accounts."""
    return verdict.of_callers if account.is_called_for else verdict.short


def describe(of: Iterable[Account], verdicts: Mapping[str, Verdict]) -> dict[str, dict[str, Any]]:
    """Each account as ``/health`` and ``status --json`` show it: channel, status, halt (kind, detail, since).

    Where there may be a bell also ``bell``: it rings, or there is none and new messages are found by looks.
    """
    return {
        account.name: {
            "channel": account.channel,
            "status": in_a_word(account, verdicts[account.name]),
            "halt": _halt(verdicts[account.name].account),
            **_bell(verdicts[account.name].account),
        }
        for account in of
    }


def _bell(state: AccountState | None) -> dict[str, str]:
    return {"bell": state.bell} if state is not None and state.bell is not None else {}


def _halt(state: AccountState | None) -> dict[str, Any] | None:
    if state is None or not state.halted:
        return None
    since = state.halted_at.astimezone(UTC).isoformat(timespec="seconds") if state.halted_at else None
    return {"kind": state.halt_kind, "detail": state.halt_detail, "since": since}


def silent_after(interval_sec: float) -> timedelta:
    """From which silence on a worker with this interval is not taken for alive any more."""
    return max(timedelta(seconds=interval_sec * _SILENT_INTERVALS), _SHORTEST_SILENCE)


def _worker(beat: WorkerBeat | None, interval_sec: float, now: datetime) -> Worker:
    if beat is None:
        return Worker("never_ran", None)
    if beat.stopped_at is not None:
        return Worker("stopped", beat)
    longest = silent_after(interval_sec)
    # A failing worker waits longer and longer between its tries.
    if now - beat.beat_at > (max(longest, _BETWEEN_TRIES) if beat.failures_in_a_row else longest):
        return Worker("silent", beat)
    return Worker("failing" if beat.failures_in_a_row else "running", beat)


def _state(
    account: AccountState | None, sync: Worker, intervals: Intervals, now: datetime
) -> tuple[State, datetime | None]:
    if account is not None and account.halted:
        return "halted", account.halted_at
    beat = sync.beat
    if beat is None:
        return "never_ran", None
    match sync.state:
        case "stopped":
            return "stopped", beat.stopped_at
        case "silent":
            return "silent", beat.beat_at
        case "failing":
            return "failing", beat.last_good_at
    if not _read_lately(beat, intervals, now):
        return "blind", beat.last_good_at
    return ("paused", account.paused_at) if account is not None and account.paused else ("running", None)


def _read_lately(beat: WorkerBeat | None, intervals: Intervals, now: datetime) -> bool:
    good = beat.last_good_at if beat else None
    return good is not None and now - good <= silent_after(intervals.sync_sec)


def _next_look(beat: WorkerBeat | None, intervals: Intervals, now: datetime) -> datetime | None:
    if beat is None or beat.last_cycle_at is None:
        return None
    return max(now, beat.last_cycle_at + timedelta(seconds=intervals.sync_sec))
