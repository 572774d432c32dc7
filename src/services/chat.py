"""Question and answer in one call, through the two queues as on every channel.

    call ─▶ hear: stored, queued, due now ─▶ wait ─▶ deliver: claimed, armed, sent ─▶ the body goes out
                 └ told before: the same message, the same reply

Only a call that waits takes its reply; without one the reply stays pending, for the same call again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from src.account import Account
from src.channels.chat.settings import ChatSettings
from src.db import accounts, conversations, inbox_queue, outbox_queue, outbox_views, runs
from src.db.engine import Connection, Database, after_commit
from src.db.wakeup import Wakeup
from src.errors import NightporterError, StaleJob, TransientError
from src.model.blank import is_blank
from src.model.hearing import heard_conversation
from src.model.inbox import AuthorRole, MessageKind, SeenMessage
from src.model.retry import again_if_stale
from src.model.rows import Job, Request, StoredMessage
from src.model.secrets import NO_SECRETS, PLACEHOLDER, Secrets
from src.model.sending import Receipt
from src.model.statuses import OPEN_INBOX, CancelReason, InboxStatus, OutboxStatus
from src.model.values import Direction, new_id
from src.services.intake import Rules, lock_and_look, take_view, tell
from src.services.own_messages import own_id, store_sent
from src.services.refusals import Malformed

SAME_FOR = timedelta(minutes=10)
"""How long the same text without a key counts as the same call again."""
_LOOK_SEC = 1.0
"""The net under the wake-ups."""
_LEASE = timedelta(seconds=60)
_AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many more messages of a conversation are let in."""

    allowed: bool
    remaining: int
    limit: int
    window_sec: float
    reset_at: datetime
    """When the next one is let in."""


class RateLimited(NightporterError):
    """Too many messages of this conversation."""

    def __init__(self, rate: Rate) -> None:
        super().__init__()
        self.rate = rate


@dataclass(frozen=True, slots=True)
class Call:
    """What a caller says. ``key``: the same key is the same call; without one the same text is, for a while."""

    conversation: str
    text: str
    key: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call is answered with. ``held``: a person is asked."""

    text: str
    held: bool = False
    job: Job | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Ready:
    """A reply, or a holding text, that is to be sent to the caller who waits."""

    job: Job


class Desk:
    """The callers of one account in this process. Callers that wait share one task, and cost no thread."""

    def __init__(
        self,
        db: Database,
        account: Account,
        clock: Callable[[], datetime],
        secrets: Secrets = NO_SECRETS,
    ) -> None:
        self.account = account
        own = account.own
        self.settings = own if isinstance(own, ChatSettings) else ChatSettings()
        self._db = db
        self._clock = clock
        self._rules = replace(
            Rules.of(account.settings, secrets), grouping_delay=_AT_ONCE, grouping_max=_AT_ONCE
        )
        self._waiting: dict[str, set[asyncio.Future[Reply | _Ready]]] = {}
        self._watching: asyncio.Task[None] | None = None

    # --- coming in ---------------------------------------------------------------------------------------

    def hear(self, wakeup: Wakeup, call: Call) -> str:
        """Store and queue what is said; returns our id of the message. Repeatable. Blocking.

        RateLimited, Malformed: nothing is stored. TransientError (the database): to be called again.
        """

        def hear() -> str:
            with self._db.write() as conn:
                return self._hear(conn, wakeup, call)

        return again_if_stale(hear)

    def _hear(self, conn: Connection, wakeup: Wakeup, call: Call) -> str:
        name = self.account.name
        accounts.ensure(conn, name, self._clock())
        locked = conversation, stored = lock_and_look(conn, name, call.conversation, self._clock())
        if call.user_id is not None and call.user_id != conversation.user_id:
            conversations.note_user(conn, conversation.id, call.user_id)
        now = self._clock()
        text = self._rules.secrets.mask(call.text, None)
        external_id = _external_id(call)
        again = _told_before(conn, name, external_id, text, stored, now)
        if again is not None:
            return again.id
        rate = self._rate(conn, conversation.id, now)
        if not rate.allowed:
            raise RateLimited(rate)
        # Of one conversation each message is younger than the one before, whatever a clock does.
        at = max([now, *(one.sent_at + timedelta(microseconds=1) for one in stored[-1:])])
        message = SeenMessage(
            external_id or f"call-{uuid4()}",
            None,
            None,
            AuthorRole.GUEST,
            MessageKind.TEXT,
            "text",
            text,
            at,
        )
        view = heard_conversation(call.conversation, None, (message,), at)
        intake = take_view(conn, name, view, rules=self._rules, clock=lambda: now, locked=locked)
        after_commit(conn, lambda: tell(intake, wakeup, personal_ids=True))
        found = conversations.message_by_external_id(conn, name, message.external_id)
        assert found is not None  # noqa: S101 - it has just been stored
        return found.id

    # --- the limit ---------------------------------------------------------------------------------------

    def rate(self, name: str) -> Rate:
        """How many more of this conversation are let in now. Blocking."""
        with self._db.read() as conn:
            found = conversations.by_external_id(conn, self.account.name, name)
            return self._rate(conn, found.id if found else "", self._clock())

    def _rate(self, conn: Connection, conversation_id: str, now: datetime) -> Rate:
        limit, window = self.settings.rate_limit, self.settings.rate_window_sec
        since = now - timedelta(seconds=window)
        times = conversations.inbound_since(conn, conversation_id, since, limit)
        left = limit - len(times)
        reset_at = now if left > 0 else times[-1] + timedelta(seconds=window)
        return Rate(left > 0, max(left, 0), limit, window, reset_at)

    # --- waiting -----------------------------------------------------------------------------------------

    async def wait_for(
        self, message_id: str, until: float, gone: asyncio.Future[None]
    ) -> Reply | _Ready | None:
        """What is known of its answer by then (a time of the loop); None: nothing yet, or the caller has gone."""
        loop = asyncio.get_running_loop()
        known: asyncio.Future[Reply | _Ready] = loop.create_future()
        self._waiting.setdefault(message_id, set()).add(known)
        if self._watching is None or self._watching.done():
            self._watching = loop.create_task(self._watch())
        try:
            waits: set[asyncio.Future[object]] = {known, gone}  # type: ignore[arg-type]
            await asyncio.wait(
                waits, timeout=max(0.0, until - loop.time()), return_when=asyncio.FIRST_COMPLETED
            )
            return known.result() if known.done() and not gone.done() else None
        finally:
            mine = self._waiting.get(message_id, set())
            mine.discard(known)
            if not mine:
                self._waiting.pop(message_id, None)

    async def _watch(self) -> None:
        wakeup = Wakeup(self._db, ["outbox"])
        try:
            while self._waiting:
                with suppress(TransientError):
                    found = await asyncio.to_thread(self._look, list(self._waiting))
                    for message_id, reply in found.items():
                        for known in self._waiting.get(message_id, ()):
                            if not known.done():
                                known.set_result(reply)
                await wakeup.wait(_LOOK_SEC)
        finally:
            wakeup.close()

    def _look(self, message_ids: list[str]) -> dict[str, Reply | _Ready]:
        with self._db.read() as conn:
            asked = inbox_queue.still_asked(conn, message_ids)  # one look, however many wait
            found = {one: self._state(conn, one) for one in message_ids if one not in asked}
        return {one: reply for one, reply in found.items() if reply is not None}

    def _state(self, conn: Connection, message_id: str) -> Reply | _Ready | None:
        message = conversations.message(conn, message_id)
        request = inbox_queue.get(conn, message.request_id) if message and message.request_id else None
        if request is None:
            return self._held(None)
        if request.status in OPEN_INBOX:
            return None
        jobs = outbox_views.for_request(conn, request.id)
        answers = [job for job in jobs if not job.is_holding]
        if any(job.status is OutboxStatus.PROCESSING for job in answers):
            return None
        holding = next((job for job in jobs if job.is_holding), None)
        return self._of_answer(answers, request) or self._without_answer(request, holding)

    def _of_answer(self, jobs: list[Job], request: Request) -> Reply | _Ready | None:
        """Of an answer that may go out, or has; of several (a person sent again) the newest."""
        for job in reversed(jobs):
            if job.status is OutboxStatus.SENT:
                return Reply(job.text, job=job, request_id=request.id)
            if job.status is OutboxStatus.PENDING:
                return _Ready(job)
        return None

    def _without_answer(self, request: Request, holding: Job | None) -> Reply | _Ready | None:
        if request.status is InboxStatus.IGNORED:
            return Reply("", request_id=request.id)
        if holding is not None and holding.status is OutboxStatus.PENDING:
            return _Ready(holding)
        return self._held(request.id, holding)

    def _held(self, request_id: str | None, holding: Job | None = None) -> Reply:
        text = holding.text if holding else self.settings.holding_text
        return Reply(text, held=True, request_id=request_id)

    # --- going out ---------------------------------------------------------------------------------------

    def deliver(self, job: Job) -> Reply | None:
        """Send a pending reply to the caller who waits: claimed, armed and sent in one transaction. Blocking.

        None: it is not to be sent now (somebody else took it, the person wrote again, the account is paused). A
        holding text is said all the same: on every call that a person has to answer.
        """
        reply = self._deliver(job.id)
        return self._held(job.request_id, job) if reply is None and job.is_holding else reply

    def _deliver(self, job_id: str) -> Reply | None:
        owner = f"chat-{new_id()}"
        with suppress(StaleJob), self._db.write() as conn:
            job = outbox_views.get(conn, job_id)
            state = accounts.find(conn, self.account.name)
            if job is None or state is None or state.paused or state.halted:
                return None
            conversations.lock(conn, job.conversation_id)
            now = self._clock()
            request = inbox_queue.get(conn, job.request_id) if job.request_id else None
            if request is not None and request.is_too_late(now):
                outbox_queue.cancelled(conn, job_id, [OutboxStatus.PENDING], CancelReason.EXPIRED, now)
                return self._held(request.id)
            job = outbox_queue.claim_one(conn, job_id, owner=owner, lease_until=now + _LEASE)
            if PLACEHOLDER.search(job.text):  # callers here have not proven who they are
                outbox_queue.hold(conn, job_id, [OutboxStatus.PROCESSING], "secret_not_due", owner=owner)
                return self._held(job.request_id)
            newest = conversations.messages_of(conn, job.conversation_id, 1)[-1:]
            after = newest[0].external_id if newest else None
            outbox_queue.arm(conn, job_id, owner, after_external_id=after, now=now)
            at = max([now, *(one.sent_at + timedelta(microseconds=1) for one in newest)])
            done = store_sent(
                conn, job, Receipt(own_id(job), at), [OutboxStatus.PROCESSING], now, owner=owner
            )
            return Reply(done.text, held=done.is_holding, job=done, request_id=done.request_id)
        return None

    def language(self, request_id: str) -> str | None:
        """In which language the built-in assistant takes the person to write; None for another AI. Blocking."""
        with self._db.read() as conn:
            run = runs.of_request(conn, request_id)
        return run.language if run else None

    def request_of(self, message_id: str) -> str | None:
        """The id of the request that carries a message. Blocking."""
        with self._db.read() as conn:
            found = conversations.message(conn, message_id)
        return found.request_id if found else None

    def turns(self, name: str) -> int:
        """How many of the person's messages in the history were answered. Blocking."""
        with self._db.read() as conn:
            conversation = conversations.by_external_id(conn, self.account.name, name)
            if conversation is None:
                return 0
            messages = conversations.messages_of(
                conn, conversation.id, self.account.settings.history_messages
            )
            oldest = self._clock() - timedelta(days=self.account.settings.history_days)
            mine = [m for m in messages if m.direction is Direction.INBOUND and m.sent_at >= oldest]
            answered = outbox_views.answered_among(conn, {m.request_id for m in mine if m.request_id})
            return sum(m.request_id in answered for m in mine)


def expire_uncalled(db: Database, account: str, now: datetime) -> int:
    """End the replies that nobody called for in time; returns how many. Repeatable. Blocking."""
    with db.write() as conn:
        overdue = outbox_views.overdue(conn, account, now)
        for job in overdue:
            outbox_queue.cancelled(conn, job.id, [OutboxStatus.PENDING], CancelReason.EXPIRED, now)
    return len(overdue)


def _external_id(call: Call) -> str | None:
    """The same for the same key in the same conversation; None without a key."""
    if call.key is None:
        return None
    named = f"{call.conversation}\0{call.key}"
    return f"call-{hashlib.sha256(named.encode()).hexdigest()[:40]}"


def _told_before(
    conn: Connection,
    account: str,
    external_id: str | None,
    text: str,
    stored: list[StoredMessage],
    now: datetime,
) -> StoredMessage | None:
    if external_id is not None:
        known = conversations.message_by_external_id(conn, account, external_id)
        if known is not None and known.text is not None and known.text != text:
            raise Malformed("idempotency-key", "was used with another text")
        return known
    own = [one for one in stored if one.direction is Direction.INBOUND]
    if own and own[-1].text == text and now - own[-1].sent_at < SAME_FOR and not is_blank(text):
        return own[-1]
    return None
