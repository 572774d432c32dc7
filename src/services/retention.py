"""How long guests' words are kept, and how one guest is forgotten. Safe while the workers run.

What was answered stays known by its ids, so nothing that was forgotten is ever answered again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from loguru import logger

from src.channels import evidence
from src.db import (
    conversations,
    forgetting,
    inbox_queue,
    missing_facts,
    outbox_queue,
    outbox_views,
    runs,
    translations,
    visitors,
)
from src.db.engine import Connection, Database
from src.model.retry import again_if_stale
from src.model.statuses import CancelReason, InboxStatus
from src.services.refusals import Conflict, NotFound

COUNTED = timedelta(hours=1)
"""How long it matters from where a visitor wrote: the widest window of a limit (``services/widget.py``)."""
_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows lost what they held."""

    messages: int = 0
    replies: int = 0
    requests: int = 0
    conversations: int = 0

    @property
    def total(self) -> int:
        return self.messages + self.replies + self.requests + self.conversations


def purge(
    db: Database, account: str, *, keep: timedelta, now: datetime, personal_ids: bool = False
) -> Purged:
    """Take out texts and names older than ``keep``, in short transactions. Repeatable.

    ``personal_ids``: where a conversation's id is a person's number or name, it is one of the names.

    TransientError if the database is in trouble: what was done stays done.
    """
    before = now - keep

    def people(conn: Connection) -> int:
        return forgetting.purge_people(conn, account, before, _AT_A_TIME, personal_ids=personal_ids)

    purged = Purged(
        messages=_all(db, lambda conn: forgetting.purge_messages(conn, account, before, now, _AT_A_TIME)),
        replies=_all(db, lambda conn: forgetting.purge_replies(conn, account, before, now, _AT_A_TIME)),
        requests=_all(db, lambda conn: forgetting.purge_requests(conn, account, before, _AT_A_TIME)),
        conversations=_all(db, people),
    )
    with db.write() as conn:
        runs.drop_words(conn, account, before)
        if personal_ids:
            runs.drop_ids(conn, account, before)
        missing_facts.purge(conn, before)
        translations.purge(conn, before)
    if purged.total:
        logger.info(
            "Purged what is older than {} days: texts of {} messages and {} replies, {} conversations' names",
            keep.days,
            purged.messages,
            purged.replies,
            purged.conversations,
        )
    return purged


def _all(db: Database, some: Callable[[Connection], int]) -> int:
    total = 0
    while True:
        with db.write() as conn:
            done = some(conn)
        total += done
        if done < _AT_A_TIME:
            return total


def forget(db: Database, account: str, external_id: str, *, now: datetime, personal_ids: bool = False) -> int:
    """Take everything out that one guest wrote or is called, and what was answered; returns the rows changed.

    What waits in the conversation is ended first: an open request is escalated, an unsent reply cancelled, both as
    ``forgotten``. Repeatable. Raises NotFound, and Conflict if a reply is being sent in this instant.
    """

    def take_out() -> int:
        with db.write() as conn:
            return _forget(conn, account, external_id, now, personal_ids=personal_ids)

    busy = Conflict("busy", "the conversation is being worked on; try again in a moment")
    return again_if_stale(take_out, give_up=busy)


def _forget(conn: Connection, account: str, external_id: str, now: datetime, *, personal_ids: bool) -> int:
    conversation = conversations.by_external_id(conn, account, external_id)
    if conversation is None:
        raise NotFound("there is no conversation with this id")
    if forgetting.is_busy(conn, conversation.id):
        raise Conflict("busy", "a reply is being sent there right now; try again in a moment")
    request = inbox_queue.open_request(conn, conversation.id)
    if request is not None:
        # Not cancelled: a cancelled request's messages would be asked about again.
        inbox_queue.finish(
            conn, request.id, [request.status], InboxStatus.ESCALATED, CancelReason.FORGOTTEN, now
        )
    for job in outbox_views.unsent(conn, conversation.id):
        outbox_queue.cancelled(conn, job.id, [job.status], CancelReason.FORGOTTEN, now)
    changed = translations.forget(conn, [conversation.id])
    changed += missing_facts.forget(conn, inbox_queue.ids_of(conn, conversation.id))
    changed += visitors.forget(conn, conversation.id)
    changed += forgetting.forget(conn, conversation.id, now, personal_ids=personal_ids)
    changed += runs.forget(conn, account, external_id)
    shown = conversation.id if personal_ids else external_id
    logger.bind(conversation_id=shown).info("A conversation was forgotten: {} rows emptied", changed)
    return changed


def drop_visitors(db: Database, now: datetime) -> None:
    """Drop from where a site's visitors wrote, once no limit counts it any more. Repeatable. Blocking."""
    _all(db, lambda conn: visitors.drop(conn, now - COUNTED, _AT_A_TIME))


def drop_evidence(folder: Path) -> int:
    """Delete every screenshot: nobody knows whom each shows. Returns how many. Repeatable."""
    pictures = evidence.files_in(folder)
    for picture in pictures:
        picture.unlink(missing_ok=True)
    return len(pictures)
