"""The starts of workers that have not come to a good cycle yet (``meta``, key ``starts:<account>``)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from src.db.statements import META, insert_into


def note(conn: Connection, account: str, start_id: str, now: datetime, window: timedelta) -> int:
    """Note a start and forget what is older than ``window``; returns how many are left, this one included."""
    recent = {one: at for one, at in _noted(conn, account).items() if at > (now - window).timestamp()}
    recent[start_id] = now.timestamp()
    _write(conn, account, recent)
    return len(recent)


def forget(conn: Connection, account: str, start_id: str) -> None:
    """This start has ended in order: it is no sign of anything. Repeatable."""
    noted = _noted(conn, account)
    if noted.pop(start_id, None) is not None:
        _write(conn, account, noted)


def clear(conn: Connection, account: str) -> None:
    """A good cycle was made, or a person has been told: the counting begins anew. Repeatable."""
    conn.execute(delete(META).where(META.c.key == _key(account)))


def _key(account: str) -> str:
    return f"starts:{account}"


def _noted(conn: Connection, account: str) -> dict[str, float]:
    """Seconds since the epoch by start. Locks the row, made first if it is not there."""
    made = insert_into(conn, META).values(key=_key(account), value="{}")
    conn.execute(made.on_conflict_do_nothing(index_elements=["key"]))
    found = select(META.c.value).where(META.c.key == _key(account)).with_for_update()
    return dict(json.loads(conn.execute(found).scalar_one()))


def _write(conn: Connection, account: str, starts: dict[str, float]) -> None:
    conn.execute(update(META).where(META.c.key == _key(account)).values(value=json.dumps(starts)))
