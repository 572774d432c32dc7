"""After a halt: the proof, made headless as the workers read, that the inbox is readable; then the halt ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from loguru import logger

from src.account import Account
from src.channels.base import Attended, Watches
from src.db import accounts
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import Halt
from src.model.values import utc_now
from src.services.after_halt import Released, end_halt
from src.services.intake import Rules
from src.workers.parts import Machine, Parts

SETTLE_SEC = 3.0
"""A challenge may lie down over the page a moment after the list is there: it is looked at once more."""
BROWSER_SEC = 60.0
"""How long another process may take to hand over the browser."""
LOOK_SEC = 120.0


async def prove_and_end_halt(
    account: Account,
    machine: Machine,
    db: Database,
    *,
    mark: Callable[[str], None] = lambda _: None,
    wakeup: Wakeup | None = None,
    parts: Parts | None = None,
) -> Released:
    """Open the inbox headless and read the list twice; only then save the login and end the halt. Repeatable.

    Raises Halt (still a wall, another account, a changed page), other NightporterErrors and TimeoutError (not
    readable now); the stored halt stands then.
    """
    turns = (parts or Parts()).make_turns(account, machine, db, mark=mark, headless=True, mind_halts=False)
    try:
        async with asyncio.timeout(BROWSER_SEC + LOOK_SEC), turns.turn("reconnect") as channel:
            if isinstance(channel, Watches):  # what cannot be looked at is proven by its opening
                glance = await channel.glance(datetime.now(UTC) - timedelta(hours=1))
                await asyncio.to_thread(_same_host, db, account.name, glance.viewer_id)
                await channel.wait_for_news(SETTLE_SEC)
                await channel.glance(datetime.now(UTC) - timedelta(hours=1))
            if isinstance(channel, Attended):
                await channel.save_login()
    finally:
        await turns.close()
    max_age = Rules.of(account.settings).max_age
    released = await asyncio.to_thread(
        end_halt, db, account.name, max_age=max_age, now=utc_now(), wakeup=wakeup
    )
    logger.info("The inbox is readable again; halt {}", "cleared" if released.cleared else "was not set")
    return released


def _same_host(db: Database, account: str, viewer_id: str) -> None:
    with db.read() as conn:
        known = accounts.get(conn, account).external_id
    if known is not None and known != viewer_id:
        raise Halt("other_account", "you are logged in as another host than the one this database belongs to")
