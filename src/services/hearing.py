"""What a channel was told by HTTP is taken in: stored, queued, overtaken replies cancelled, deliveries noted.

    call ─▶ channel.hear() ─▶ merged with what is stored ─▶ take_in ─┐
                         └──▶ what became of our replies ────────────┴─▶ one COMMIT ─▶ 200

Copies and any order are normal: a message has one row.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from loguru import logger

from src.channels import evidence
from src.channels.base import Hears
from src.db import conversations, incidents, outbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.db.wakeup import Wakeup
from src.model.hearing import DeliveryNote, Heard, Incoming
from src.model.incidents import Found, IncidentKind
from src.model.retry import again_if_stale
from src.model.sending import Delivery, Receipt
from src.model.statuses import OutboxStatus
from src.services.intake import Intake, Rules, take_view, tell
from src.services.own_messages import store_sent

_NAME_WITHIN_SEC, _NAME_LOOK_SEC = 2.0, 0.02
_AWAITING = (OutboxStatus.PROCESSING, OutboxStatus.UNCONFIRMED)


@dataclass(frozen=True, slots=True)
class Hearing:
    """An account whose channel is told by HTTP."""

    account: str
    channel: Hears
    rules: Rules
    evidence_dir: Path
    """Where a call is kept of which something is not understood."""


def take(
    db: Database,
    wakeup: Wakeup,
    hearing: Hearing,
    call: Incoming,
    heard: Heard,
    clock: Callable[[], datetime],
) -> list[Intake]:
    """All that a call told, in one transaction. Repeatable: a second time does nothing. Blocking.

    TransientError (the database): nothing of it happened, the caller is to come again.
    """
    account, rules = hearing.account, hearing.rules
    personal_ids = hearing.channel.capabilities.ids_are_personal
    views = sorted(heard.views, key=lambda view: view.external_id)  # always locked in the same order

    _wait_for_names(db, account, [note for note in heard.deliveries if note.key is None])

    def take_all() -> list[Intake]:
        with db.write() as conn:
            taken = [take_view(conn, account, view, rules=rules, clock=clock) for view in views]
            for note in heard.deliveries:
                note_delivery(conn, account, note, clock())
            for what in heard.not_understood:
                _note_not_understood(conn, account, what, clock())
        return taken

    taken = again_if_stale(take_all)
    if heard.not_understood:
        _keep(hearing, call, heard)
    for intake in taken:
        tell(intake, wakeup, personal_ids=personal_ids)
    return taken


def _wait_for_names(db: Database, account: str, notes: list[DeliveryNote]) -> None:
    """A service may tell what became of a message before it has answered the call that made it.

    Then nobody knows yet whose message that is: the process that pressed is given a moment to note it.
    """
    deadline = time.monotonic() + _NAME_WITHIN_SEC
    while notes and time.monotonic() < deadline:
        with db.read() as conn:
            unknown = any(outbox_views.by_receipt(conn, account, note.external_id) is None for note in notes)
            if not unknown or not outbox_views.is_unnamed_in_hand(conn, account):
                return
        time.sleep(_NAME_LOOK_SEC)


def _note_not_understood(conn: Connection, account: str, what: str, now: datetime) -> None:
    known = {(one.kind, one.subject): one.id for one in incidents.open_ones(conn, account)}
    again = known.get((IncidentKind.NOT_UNDERSTOOD, what))
    if again is not None:
        incidents.still_so(conn, [again], now)
        return
    incidents.opened(conn, account, Found(IncidentKind.NOT_UNDERSTOOD, what, what), tell_at=now, now=now)


def _keep(hearing: Hearing, call: Incoming, heard: Heard) -> None:
    """The body for a person's eyes: a sender that comes again and again with it would help nobody."""
    words = ", ".join(heard.not_understood)
    try:
        path = evidence.keep(hearing.evidence_dir, evidence.NOT_UNDERSTOOD, call.body, ".body")
    except OSError as error:
        path = None
        logger.warning("A call that was not understood could not be kept: {}", type(error).__name__)
    line = logger.bind(account=hearing.account, evidence=str(path) if path else None)
    line.error("A call for account {} was not wholly understood: {}", hearing.account, words)


def note_delivery(conn: Connection, account: str, note: DeliveryNote, now: datetime) -> None:
    """What the remote says of one of our replies. It only rises; a late one may be the proof. Repeatable."""
    job = outbox_views.get(conn, note.key) if note.key else None
    job = job or outbox_views.by_receipt(conn, account, note.external_id)
    if job is None or job.account != account:
        return  # somebody else's message, or one from before this database
    if job.receipt_external_id is not None and job.receipt_external_id != note.external_id:
        return  # of an earlier press of this reply, which came to nothing
    if job.armed and job.status in _AWAITING and note.standing is not Delivery.FAILED:
        conversations.lock(conn, job.conversation_id)
        receipt = Receipt(note.external_id, note.at, note.standing)
        store_sent(conn, job, receipt, [job.status], now)
        return
    noted = outbox_queue.delivered(conn, job.id, note.standing, note.error, note.external_id)
    if noted and note.standing is Delivery.FAILED:
        logger.bind(job_id=job.id).error("Reply {} could not be delivered: {}", job.id, note.error)
