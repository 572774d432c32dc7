"""What a person switches: everything on or off, and what becomes of the AI's answers, here or there."""

from __future__ import annotations

from datetime import datetime

from loguru import logger

from src.db import accounts, conversations
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.model.tables import ReplyMode
from src.services.refusals import NotFound


def pause(db: Database, account: str, *, now: datetime) -> None:
    """Go on reading and drafting, send nothing. What is being sent in this moment is finished. Repeatable."""
    with db.write() as conn:
        accounts.pause(conn, account, now)
    logger.info("a person paused sending")


def resume(db: Database, wakeup: Wakeup, account: str, *, now: datetime) -> None:
    """The end of ``pause``. Repeatable."""
    with db.write() as conn:
        accounts.resume(conn, account, now)
    wakeup.notify("outbox")
    logger.info("a person let sending go on")


def set_mode(
    db: Database, account: str, scope: str, external_id: str, mode: ReplyMode | None, *, now: datetime
) -> None:
    """Set the mode of the account, a listing or a conversation (the site's ids); None takes the rule away again.

    ``NotFound`` for a conversation that is not known. Repeatable.
    """
    with db.write() as conn:
        scope_id = "" if scope == "account" else external_id
        if scope == "conversation":
            found = conversations.by_external_id(conn, account, external_id)
            if found is None:
                raise NotFound("there is no conversation with this id")
            scope_id = found.id
        if mode is None:
            accounts.clear_mode(conn, account, scope, scope_id)
        else:
            accounts.set_mode(conn, account, scope, scope_id, mode, now)
    logger.bind(scope=scope, mode=str(mode or "inherit")).info("a person set a mode")
