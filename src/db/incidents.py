"""Incidents: opened when something is found, closed when it is over, told once and then at intervals.

Several processes look at the same time; each change is one statement that only one of them can make.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, update
from sqlalchemy import text as sql

from src.db.statements import INCIDENTS, RowShape, one_or_none, rows
from src.model.incidents import Found
from src.model.rows import StoredIncident
from src.model.values import new_id

_I = INCIDENTS.c
_INCIDENT = RowShape.of(StoredIncident, INCIDENTS)


def open_ones(conn: Connection, account: str) -> list[StoredIncident]:
    """Every incident that is not over, oldest first."""
    found = _INCIDENT.select.where(_I.account == account, _I.closed_at.is_(None))
    return rows(conn, found.order_by(_I.opened_at, _I.id), _INCIDENT)


def opened(
    conn: Connection, account: str, found: Found, *, tell_at: datetime, now: datetime
) -> StoredIncident | None:
    """A new incident; None if another process has just opened it."""
    values = {
        "id": new_id(),
        "account": account,
        "kind": found.kind,
        "subject": found.subject,
        "detail": found.detail,
        "opened_at": found.since or now,
        "last_seen_at": now,
        "tell_at": tell_at,
        "told": 0,
        "failures": 0,
    }
    statement = _INCIDENT.insert(conn).on_conflict_do_nothing(
        index_elements=["account", "kind", "subject"], index_where=sql("closed_at IS NULL")
    )
    return one_or_none(conn, statement, _INCIDENT, values)


def still_so(conn: Connection, ids: Collection[str], now: datetime) -> None:
    """These were found again. Repeatable."""
    if ids:
        conn.execute(update(INCIDENTS).where(_I.id.in_(list(ids))).values(last_seen_at=now))


def closed(conn: Connection, incident_id: str, *, tell_at: datetime | None, now: datetime) -> bool:
    """It is over; ``tell_at`` says when somebody hears of that, None: nobody. False if it was over already."""
    done = conn.execute(
        update(INCIDENTS)
        .where(_I.id == incident_id, _I.closed_at.is_(None))
        .values(closed_at=now, tell_at=tell_at, failures=0)
    )
    return done.rowcount == 1


def to_tell(conn: Connection, account: str, now: datetime) -> list[StoredIncident]:
    """What a person should be told now, oldest first. Claims nothing."""
    due = _INCIDENT.select.where(_I.account == account, _I.tell_at <= now)
    return rows(conn, due.order_by(_I.opened_at, _I.id), _INCIDENT)


def claimed(conn: Connection, incident: StoredIncident, until: datetime) -> bool:
    """Whether this process is to tell of it: nobody else gets it before ``until``, when it is due again."""
    done = conn.execute(
        update(INCIDENTS)
        .where(_I.id == incident.id, _I.tell_at == incident.tell_at, _I.told == incident.told)
        .values(tell_at=until)
    )
    return done.rowcount == 1


def told(conn: Connection, incident_id: str, *, tell_at: datetime | None) -> None:
    """Somebody has been told; ``tell_at`` is the next time, None: never."""
    conn.execute(
        update(INCIDENTS).where(_I.id == incident_id).values(told=_I.told + 1, failures=0, tell_at=tell_at)
    )


def not_told(conn: Connection, incident_id: str, *, tell_at: datetime) -> None:
    """No service took the alert; it is tried again then."""
    conn.execute(
        update(INCIDENTS).where(_I.id == incident_id).values(failures=_I.failures + 1, tell_at=tell_at)
    )
