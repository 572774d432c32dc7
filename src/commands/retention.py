"""``purge`` and ``forget``: taking guests' words and names out of the database, and out of what the browser left.

Both may run beside the workers, who close their browser for it as for any other command that needs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import typer

from src.account import Account
from src.channels.browser import PROFILE_FOLDER, clear_stale_lock
from src.channels.profile import sweep
from src.channels.registry import ids_are_personal
from src.commands.opening import opened
from src.db.engine import Database
from src.errors import TransientError
from src.model.values import utc_now
from src.services import retention
from src.services.refusals import Conflict, NotFound
from src.workers.exclusion import Exclusion
from src.workers.parts import Machine, lock_folders

WAIT_FOR_BROWSER_SEC = 90.0
"""A reply that is being sent is finished first."""


def run_purge(days: float | None) -> int:
    """Texts and names older than ``days`` (default: RETENTION_DAYS). 0, or 1 if the database is in trouble."""
    with opened("worker") as (settings, db):
        days = settings.retention_days if days is None else days
        try:
            keep, now = timedelta(days=days), utc_now()
            purged = [
                retention.purge(
                    db, account.name, keep=keep, now=now, personal_ids=ids_are_personal(account.channel)
                )
                for account in settings.asked.values()
            ]
            db.compact()
            for account in settings.accounts:
                asyncio.run(_empty_the_browser(account, db))
        except TransientError as error:
            return _not_finished(error)
    typer.echo(
        f"Older than {days:g} days: {sum(one.messages for one in purged)} messages and "
        f"{sum(one.replies for one in purged)} replies lost their texts, "
        f"{sum(one.conversations for one in purged)} conversations their names."
    )
    return 0


def run_forget(conversation_ids: list[str]) -> int:
    """Each of these conversations (the site's ids). 0 if all are forgotten, else 1 and a line for each."""
    failed = 0
    with opened("worker") as (settings, db):
        try:
            for one in conversation_ids:
                failed += not _forget_one(settings.asked.values(), db, one)
            pictures = retention.drop_evidence(Machine.of(settings).evidence_dir)
            db.compact()
            for account in settings.accounts:
                asyncio.run(_empty_the_browser(account, db))
        except TransientError as error:
            return _not_finished(error)
    typer.echo(f"{pictures} screenshots deleted. Older copies of the database still hold what they held.")
    return 1 if failed else 0


async def _empty_the_browser(account: Account, db: Database) -> None:
    """Wait for the workers to close the browser, and delete what it left but for the login.

    TransientError if they do not in time: it is done when they close it, at the latest within a day.
    """
    profile = account.session_dir / PROFILE_FOLDER
    if not profile.exists():
        return
    turn = Exclusion(lock_folders(account, db))
    try:
        async with asyncio.timeout(WAIT_FOR_BROWSER_SEC):
            await turn.take()
        clear_stale_lock(profile)
        if not await asyncio.to_thread(sweep, profile):
            raise TransientError("another browser has the saved login open")
    except TimeoutError:
        raise TransientError("the browser is at work; what it keeps is deleted when it closes") from None
    finally:
        await turn.give()


def _forget_one(accounts: Iterable[Account], db: Database, external_id: str) -> bool:
    changed, said = 0, ""
    for account in accounts:
        try:
            changed += retention.forget(
                db,
                account.name,
                external_id,
                now=utc_now(),
                personal_ids=ids_are_personal(account.channel),
            )
            said = ""
            break
        except NotFound as error:  # maybe it is another account's
            said = said or str(error)
        except Conflict as error:
            said = str(error)
            break
    if said:
        typer.echo(f"{external_id}: {said}", err=True)
        return False
    typer.echo(f"{external_id}: forgotten ({changed} rows emptied)")
    return True


def _not_finished(error: TransientError) -> int:
    typer.echo(f"Not finished: {error}. What was done stays done; run it again.", err=True)
    return 1
