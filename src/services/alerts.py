"""What a person should know now, and which alerts that makes: one, a reminder after hours, and one when it is over.

    find() ──▶ take_note(): opened, closed ──▶ due(): claimed by one process ──▶ notify ──▶ told / not_told

Nothing of a guest is in an incident: ids of ours, kinds, reasons. All of it is in the database, so that a restart
or a second process tells nobody twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from src.account import Account
from src.db import incidents, runs
from src.db.engine import Connection, Database
from src.db.waiting import LOOK_BACK, waiting
from src.errors import ExitCode
from src.languages import time_zone
from src.model.incidents import (
    ARE_URGENT,
    END_THE_WORK,
    NOT_TOLD_WHEN_OVER,
    URGENT_CLASSES,
    Found,
    IncidentKind,
    patience,
    sure_after,
)
from src.model.retry import ALERT
from src.model.rows import AccountState, StoredIncident
from src.quiet_hours import QuietHours
from src.services.status import Intervals, Verdict, read_verdict, silent_since
from src.settings import AlertSettings

READING_INTERVALS = 10
READING_AT_LEAST = timedelta(minutes=15)
"""After this time, and this many intervals, without a good look the reader is blind."""
_KINDS = {
    "draft": IncidentKind.DRAFT,
    "unconfirmed": IncidentKind.UNCONFIRMED,
    "failed": IncidentKind.FAILED,
    "stuck": IncidentKind.STUCK,
    "unanswered": IncidentKind.UNANSWERED,
    "unreadable": IncidentKind.UNREADABLE,
}
"""What is "late" is alerted as an inquiry, like everything else whose 24 hours are nearly over."""
_NAGS_FOR = {
    IncidentKind.DRAFT: timedelta(days=2),
    IncidentKind.FAILED: timedelta(days=1),
    IncidentKind.UNANSWERED: timedelta(days=2),
    IncidentKind.URGENT: timedelta(days=2),
    IncidentKind.UNREADABLE: timedelta(days=1),
}
"""After this time there are no more reminders; the overview still shows it."""
CLAIM = timedelta(minutes=3)
"""A process that dies while it tells gives way to another after this."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert: incidents of one kind and account, all new, all told before, or all over."""

    account: str
    kind: IncidentKind
    incidents: tuple[StoredIncident, ...]
    over: bool
    left: int = 0
    """With ``over``: how many of the kind are still open."""

    @property
    def urgent(self) -> bool:
        """A guest cannot wait for the morning."""
        return not self.over and self.kind in ARE_URGENT

    @property
    def crosses(self) -> bool:
        """It is told in quiet hours, and always by itself."""
        return _crosses(self.incidents[0])

    @property
    def again(self) -> bool:
        """It was alerted before, and it is still so."""
        return not self.over and all(one.told for one in self.incidents)


# --- what is so now --------------------------------------------------------------------------------------


def find(conn: Connection, account: Account, now: datetime) -> list[Found]:
    """Everything that a person should know at this moment."""
    verdict = read_verdict(conn, account.name, Intervals.of(account.settings), now)
    state = verdict.account
    if state is None:  # nothing has ever run
        return []
    return [
        *_halt(state),
        *_ai(verdict),
        *_budget(conn, account.name, now),
        *_waiting(conn, account, now),
        *_reading(account, state, verdict, now),
        *_silence(conn, account, now),
    ]


def _halt(account: AccountState) -> Iterator[Found]:
    if account.halted:
        changed = account.halt_exit_code == ExitCode.HALTED_PAGE_CHANGED
        kind = IncidentKind.PAGE_CHANGED if changed else IncidentKind.HALTED
        yield Found(kind, detail=account.halt_kind or "", since=account.halted_at)


def _ai(verdict: Verdict) -> Iterator[Found]:
    if verdict.ai is not None and verdict.ai_fails:
        yield Found(IncidentKind.AI_UNREACHABLE, detail=verdict.ai.last_outcome or "")


def _budget(conn: Connection, account: str, now: datetime) -> Iterator[Found]:
    """Once for each day (UTC), as the budget is counted."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = runs.went_over_budget(conn, account, midnight)
    if since is not None:
        yield Found(IncidentKind.OVER_BUDGET, f"{now:%Y-%m-%d}", since=since)


def _reading(account: Account, state: AccountState, verdict: Verdict, now: datetime) -> Iterator[Found]:
    sync = verdict.sync.beat
    if sync is None or verdict.halted or verdict.reads:
        return  # nobody ever read here: this is no machine that should
    longest = max(
        READING_AT_LEAST, timedelta(seconds=account.settings.scrape_interval_sec * READING_INTERVALS)
    )
    since = max(filter(None, (sync.last_good_at or sync.started_at, state.halt_cleared_at)))
    if now - since > longest:
        yield Found(IncidentKind.NOTHING_READ, detail=verdict.state, since=since)


def _waiting(conn: Connection, account: Account, now: datetime) -> Iterator[Found]:
    """The overview's whole list: an alert for each item, and for nothing else."""
    for one in waiting(conn, account.name, now, sent=not account.is_called_for):
        kind = _KINDS.get(one.what)
        if one.hard_class in URGENT_CLASSES:
            kind = IncidentKind.URGENT
        if kind is not None and now - one.since < _NAGS_FOR.get(kind, LOOK_BACK):
            yield Found(kind, one.subject, one.reason or "", one.since)
        if one.nearly_over(now):
            yield Found(IncidentKind.INQUIRY, one.subject, since=one.asked_at)
        elif one.is_halfway(now):
            yield Found(IncidentKind.INQUIRY_WAITS, one.subject, since=one.asked_at)


def _silence(conn: Connection, account: Account, now: datetime) -> Iterator[Found]:
    since = silent_since(conn, account, now)
    if since is not None:
        yield Found(IncidentKind.NOTHING_TOLD, since=since)


# --- what is written down --------------------------------------------------------------------------------


def take_note(db: Database, account: Account, now: datetime) -> None:
    """Bring the incidents in line with what is so now. Repeatable, by several processes at once. Blocking."""
    with db.read() as conn:
        found = {(one.kind, one.subject): one for one in find(conn, account, now)}
        known = {(one.kind, one.subject): one for one in incidents.open_ones(conn, account.name)}
    fresh = [one for key, one in found.items() if key not in known]
    gone = [
        one
        for key, one in known.items()
        if key not in found and now - one.last_seen_at >= sure_after(IncidentKind(one.kind))
    ]
    # What must be gone for a while before it is over has to be known to have been there lately.
    seen = [one.id for key, one in known.items() if key in found and sure_after(IncidentKind(one.kind))]
    if not (fresh or gone or seen):
        return
    with db.write() as conn:
        for new in fresh:
            incidents.opened(conn, account.name, new, tell_at=now + patience(new.kind), now=now)
        for old in gone:
            silent = not old.told or old.kind in NOT_TOLD_WHEN_OVER
            incidents.closed(conn, old.id, tell_at=None if silent else now, now=now)
        incidents.still_so(conn, seen, now)


def quiet_until(settings: AlertSettings, now: datetime) -> datetime | None:
    """When the quiet hours that hold at this moment end; None outside of them, or if there are none."""
    if not settings.quiet_hours:
        return None
    return QuietHours.read(settings.quiet_hours).end_after(now, time_zone(settings.time_zone))


def due(db: Database, account: str, now: datetime, *, quiet: bool = False) -> list[Notice]:
    """The alerts to send now, claimed by this process alone. The caller must say how it went. Blocking.

    ``quiet``: only what crosses the quiet hours. The rest stays due, in the database, until they are over.
    """

    def read_due(conn: Connection) -> list[StoredIncident]:
        return [one for one in incidents.to_tell(conn, account, now) if not quiet or _crosses(one)]

    with db.read() as conn:
        if not read_due(conn):
            return []
    with db.write() as conn:
        mine = [one for one in read_due(conn) if incidents.claimed(conn, one, now + CLAIM)]
        still_open = [one.kind for one in incidents.open_ones(conn, account)]
    return _grouped(account, mine, still_open)


def _crosses(one: StoredIncident) -> bool:
    kind = IncidentKind(one.kind)
    return one.closed_at is None and (kind in ARE_URGENT or (kind in END_THE_WORK and not one.told))


def _grouped(account: str, mine: Iterable[StoredIncident], still_open: list[str]) -> list[Notice]:
    groups: dict[tuple[str, bool, bool], list[StoredIncident]] = {}
    for one in mine:
        groups.setdefault((one.kind, one.closed_at is not None, one.told > 0), []).append(one)
    return [
        Notice(account, IncidentKind(kind), tuple(several), over, still_open.count(kind) if over else 0)
        for (kind, over, _), several in groups.items()
    ]


def told(db: Database, notices: Iterable[Notice], now: datetime, *, repeat_after: timedelta) -> None:
    """Somebody took them: the next time is hours away, or never if it is over or is told once. Blocking."""
    with db.write() as conn:
        for notice in notices:
            once = notice.over or notice.kind is IncidentKind.OVER_BUDGET
            for one in notice.incidents:
                incidents.told(conn, one.id, tell_at=None if once else now + repeat_after)


def not_told(db: Database, notices: Iterable[Notice], now: datetime) -> None:
    """Nobody took them: tried again together, less and less often. Blocking."""
    every = [one for notice in notices for one in notice.incidents]
    pause = timedelta(seconds=ALERT.pause(max(one.failures for one in every) + 1))
    with db.write() as conn:
        for one in every:
            incidents.not_told(conn, one.id, tell_at=now + pause)
