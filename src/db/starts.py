"""The starts of workers that have not come to a good cycle yet (``meta``, key ``starts:<account>``).

Kept as JSON: for each start its time (seconds since the epoch), and whether the program said that it failed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from src.db.statements import META, insert_into


@dataclass(frozen=True, slots=True)
class Earlier:
    """Starts before this one: ``failed`` by an error of their own, ``vanished`` without a word."""

    failed: int
    vanished: int


def note(conn: Connection, account: str, start_id: str, now: datetime, window: timedelta) -> Earlier:
    """Note a start and forget what is older than ``window``; returns what is left of those before."""
    since = (now - window).timestamp()
    earlier = {one: start for one, start in _noted(conn, account).items() if start[0] > since}
    _write(conn, account, {**earlier, start_id: (now.timestamp(), False)})
    failed = sum(1 for _, its_own in earlier.values() if its_own)
    return Earlier(failed, len(earlier) - failed)


def fail(conn: Connection, account: str, start_id: str) -> None:
    """This start ends by an error of its own. Repeatable."""
    noted = _noted(conn, account)
    if start_id in noted:
        noted[start_id] = (noted[start_id][0], True)
        _write(conn, account, noted)


def forget(conn: Connection, account: str, start_id: str) -> None:
    """This start has ended in order: it is no sign of anything. Repeatable."""
    noted = _noted(conn, account)
    if noted.pop(start_id, None) is not None:
        _write(conn, account, noted)


def clear(conn: Connection, account: str) -> None:
    """A good cycle was made, or a person has been told: the counting starts again. Repeatable."""
    conn.execute(delete(META).where(META.c.key == _key(account)))


def _key(account: str) -> str:
    return f"starts:{account}"


def _noted(conn: Connection, account: str) -> dict[str, tuple[float, bool]]:
    """By start. Locks the row, made first if it is not there."""
    made = insert_into(conn, META).values(key=_key(account), value="{}")
    conn.execute(made.on_conflict_do_nothing(index_elements=["key"]))
    found = select(META.c.value).where(META.c.key == _key(account)).with_for_update()
    return dict(json.loads(conn.execute(found).scalar_one()))


def _write(conn: Connection, account: str, starts: dict[str, tuple[float, bool]]) -> None:
    conn.execute(update(META).where(META.c.key == _key(account)).values(value=json.dumps(starts)))
