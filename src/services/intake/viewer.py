"""Whose inbox it is."""

from __future__ import annotations

from datetime import datetime

from src.db import accounts
from src.db.engine import Connection
from src.errors import Halt


def check_viewer(conn: Connection, account: str, viewer_id: str, now: datetime) -> None:
    """Halt if the page belongs to another host than this database; the first one is remembered."""
    known = accounts.get(conn, account).external_id
    if known is None:
        accounts.set_viewer(conn, account, viewer_id, now)
    elif known != viewer_id:
        raise Halt("other_account", "the saved login belongs to another host than this database")
