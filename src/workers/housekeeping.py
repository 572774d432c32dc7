"""What has to be done now and then (APScheduler): nothing here is on a message's way."""

from __future__ import annotations

import time
from pathlib import Path

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from loguru import logger

EVIDENCE_DAYS = 7


def start_housekeeping(evidence_dir: Path) -> AsyncIOScheduler:
    """A running scheduler; ``shutdown(wait=False)`` ends it."""
    scheduler = AsyncIOScheduler(
        timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    scheduler.add_job(drop_old_evidence, "interval", hours=6, args=[evidence_dir])
    scheduler.start()
    return scheduler


def drop_old_evidence(folder: Path) -> int:
    """Delete screenshots older than EVIDENCE_DAYS (they show guests' messages). Returns how many. Repeatable."""
    oldest = time.time() - EVIDENCE_DAYS * 86_400
    dropped = 0
    for picture in folder.glob("*.png"):
        try:
            if picture.stat().st_mtime < oldest:
                picture.unlink()
                dropped += 1
        except OSError as error:
            logger.debug("A screenshot was not deleted: {}", type(error).__name__)
    return dropped
