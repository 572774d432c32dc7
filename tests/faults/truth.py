"""The simulated site of the browser tests, as the invariants want to see a site: from its own inbox and log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import select

from sandbox.airbnb.model import Message, Thread
from sandbox.airbnb.site import SimulatedSite
from src.db import outbox_views
from src.db.engine import Database
from src.db.statements import INBOX
from src.model.inbox import AuthorRole, MessageKind
from src.model.rows import Job
from src.model.statuses import OPEN_INBOX, OutboxStatus
from src.model.values import utc_now
from tests.support.house import ACCOUNT, RULES
from tests.support.site import FakeConversation, FakeMessage, FakeSite, Press


class Case:
    """What is judged: a database, and what the site is (asked again each time)."""

    account = ACCOUNT
    rules = RULES

    def __init__(self, db: Database, site: Callable[[], FakeSite]) -> None:
        self.db = db
        self.asked: dict[str, dict[str, str | None]] = {}
        self._site = site

    @property
    def site(self) -> FakeSite:
        return self._site()

    def now(self) -> datetime:
        return utc_now()

    def jobs(self) -> list[Job]:
        with self.db.read() as conn:
            return outbox_views.list_jobs(conn, ACCOUNT, None, 10_000)

    def anything_open(self) -> bool:
        """Whether a reply or a request is still on its way."""
        waiting = {OutboxStatus.PENDING, OutboxStatus.PROCESSING}
        if any(job.status in waiting for job in self.jobs()):
            return True
        with self.db.read() as conn:
            open_requests = select(INBOX.c.id).where(INBOX.c.status.in_(list(OPEN_INBOX)))
            return conn.execute(open_requests).first() is not None


def as_known_to_itself(site: SimulatedSite) -> FakeSite:
    """A copy of what the simulated site has: each thread, each message, each press of Send."""
    known = FakeSite(utc_now)
    made: dict[str | None, FakeMessage] = {}
    with site.inbox.lock:
        for thread in site.inbox.threads:
            where = FakeConversation(thread.id, _at(thread.created_at_ms))
            for message in thread.messages:
                made[message.uuid] = _message(thread, message)
                where.messages.append(made[message.uuid])
            known.conversations[thread.id] = where
        by_number = {thread.number: thread.id for thread in site.inbox.threads}
    for entry in site.log.presses():
        where = known.conversations[by_number[entry.thread or 0]]
        message_made = made.get(entry.uuid) if entry.accepted else None
        known.presses.append(Press(where, entry.text or "", None, message_made))
    return known


def _message(thread: Thread, message: Message) -> FakeMessage:
    text = message.content_type == "TEXT_CONTENT"
    return FakeMessage(
        message.id,
        _role(thread, message),
        message.text,
        _at(message.created_at_ms),
        MessageKind.TEXT if text else MessageKind.CARD,
        deleted=message.deleted,
        pressed=message.sent_in is not None,
    )


def _role(thread: Thread, message: Message) -> AuthorRole:
    if message.author == thread.viewer:
        return AuthorRole.HOST
    guests = thread.with_role("GUEST", "COTRAVELER")
    return AuthorRole.GUEST if message.author in guests else AuthorRole.TEAM


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
