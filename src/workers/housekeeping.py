"""What has to be done now and then (APScheduler): nothing here is on a message's way."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from pathlib import Path

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from loguru import logger

from src.channels import evidence
from src.db.engine import Database
from src.errors import StaleJob, TransientError
from src.model.values import utc_now
from src.services.chat import expire_uncalled
from src.services.retention import drop_visitors, purge

EVIDENCE_DAYS = 7


def start_housekeeping(
    evidence_dir: Path,
    db: Database,
    accounts: Sequence[str],
    *,
    keep: timedelta,
    every_minute: Callable[[], object] | None = None,
    called_for: Sequence[str] = (),
    personal: Collection[str] = (),
) -> AsyncIOScheduler:
    """A running scheduler; ``shutdown(wait=False)`` ends it. ``keep``: how long guests' words stay.

    ``every_minute`` may block and may raise TransientError: it is called again a minute later. ``called_for``: the
    accounts where the caller takes the reply. ``personal``: those where a conversation's id is a person's.
    """
    scheduler = AsyncIOScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    scheduler.add_job(drop_old_evidence, "interval", hours=6, args=[evidence_dir])
    # The first time soon after the start: a machine that is switched off every night is to forget, too.
    soon = utc_now() + timedelta(minutes=5)
    scheduler.add_job(
        purge_old,
        "interval",
        hours=24,
        args=[db, accounts],
        kwargs={"keep": keep, "personal": frozenset(personal)},
        next_run_time=soon,
    )
    scheduler.add_job(
        _try, "interval", minutes=10, args=[lambda: drop_visitors(db, utc_now())], next_run_time=soon
    )
    if every_minute is not None:
        scheduler.add_job(_try, "interval", minutes=1, args=[every_minute], next_run_time=utc_now())
    if called_for:
        scheduler.add_job(drop_uncalled, "interval", minutes=10, args=[db, called_for], next_run_time=soon)
    scheduler.start()
    return scheduler


def _try(chore: Callable[[], object]) -> None:
    try:
        chore()
    except TransientError as error:
        logger.warning("A chore waits for its next minute: {}", error)


def purge_old(
    db: Database, accounts: Sequence[str], *, keep: timedelta, personal: Collection[str] = ()
) -> None:
    """``retention.purge`` as a chore, for these accounts. Blocking, never raises."""
    try:
        now = utc_now()
        purged = [purge(db, one, keep=keep, now=now, personal_ids=one in personal) for one in accounts]
        if any(one.total for one in purged):
            db.compact()
    except TransientError as error:
        logger.warning("Old texts were not all purged this time: {}", error)


def drop_uncalled(db: Database, accounts: Sequence[str]) -> None:
    """``chat.expire_uncalled`` as a chore, for these accounts. Blocking, never raises."""
    try:
        ended = sum(expire_uncalled(db, account, utc_now()) for account in accounts)
    except (TransientError, StaleJob) as error:
        logger.debug("Replies that nobody called for were not all ended this time: {}", error)
        return
    if ended:
        logger.info("{} replies were called for by nobody in time, and are cancelled", ended)


def drop_old_evidence(folder: Path) -> int:
    """Delete screenshots older than EVIDENCE_DAYS (they show guests' messages). Returns how many. Repeatable."""
    oldest = time.time() - EVIDENCE_DAYS * 86_400
    dropped = 0
    for picture in evidence.files_in(folder):
        try:
            if picture.stat().st_mtime < oldest:
                picture.unlink()
                dropped += 1
        except OSError as error:
            logger.debug("A screenshot was not deleted: {}", type(error).__name__)
    return dropped
