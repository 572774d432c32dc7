"""``purge`` and ``forget``: taking guests' words and names out of the database. Both may run beside the workers."""

from __future__ import annotations

from datetime import timedelta

import typer

from src.commands.opening import opened
from src.db.engine import Database
from src.errors import TransientError
from src.model.values import utc_now
from src.services import retention
from src.services.refusals import Conflict, NotFound
from src.settings import Settings
from src.workers.parts import evidence_dir


def run_purge(days: float | None) -> int:
    """Texts and names older than ``days`` (default: RETENTION_DAYS). 0, or 1 if the database is in trouble."""
    with opened("worker") as (settings, db):
        days = settings.retention_days if days is None else days
        try:
            purged = retention.purge(db, settings.account, keep=timedelta(days=days), now=utc_now())
            db.compact()
        except TransientError as error:
            return _not_finished(error)
    typer.echo(
        f"Older than {days:g} days: {purged.messages} messages and {purged.replies} replies lost their texts, "
        f"{purged.conversations} conversations their names."
    )
    return 0


def run_forget(conversation_ids: list[str]) -> int:
    """Each of these conversations (the site's ids). 0 if all are forgotten, else 1 and a line for each."""
    failed = 0
    with opened("worker") as (settings, db):
        try:
            for one in conversation_ids:
                failed += not _forget_one(settings, db, one)
            pictures = retention.drop_evidence(evidence_dir(settings))
            db.compact()
        except TransientError as error:
            return _not_finished(error)
    typer.echo(f"{pictures} screenshots deleted. Older copies of the database still hold what they held.")
    return 1 if failed else 0


def _forget_one(settings: Settings, db: Database, external_id: str) -> bool:
    try:
        changed = retention.forget(db, settings.account, external_id, now=utc_now())
    except (NotFound, Conflict) as error:
        typer.echo(f"{external_id}: {error}", err=True)
        return False
    typer.echo(f"{external_id}: forgotten ({changed} rows emptied)")
    return True


def _not_finished(error: TransientError) -> int:
    typer.echo(f"Not finished: {error}. What was done stays done; run it again.", err=True)
    return 1
