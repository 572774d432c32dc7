"""SEND: one reply typed, Send pressed at most once, the conversation read back.

The promise is: never twice; once, or held for a person.

    claim → read → still wanted? → write, read back → ARM (committed) → re-read → press once → proof → sent
                                                                                            └→ unconfirmed

Before the arm every failure is harmless: the job goes back. After the press nothing is ever pressed again;
what became of it is settled by reading (here, at the next start, or when SYNC sees the message).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from loguru import logger

from src.channels.base import Channel
from src.db import accounts, conversations, outbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.errors import (
    BrowserGone,
    CannotWrite,
    ComposerBusy,
    Halt,
    NightporterError,
    PermanentError,
    StaleJob,
    TransientError,
)
from src.model.inbox import AuthorRole, MessageKind, SeenConversation
from src.model.rows import Job
from src.model.same_reply import same_reply
from src.model.statuses import CancelReason, OutboxStatus
from src.services.intake import Rules, take_in
from src.services.sync import tell

_IN_HAND = [OutboxStatus.PROCESSING]


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of the protocol, in seconds. The defaults are the product's; tests shorten them."""

    lease: float = 120.0
    press_within: float = 10.0
    """From the arm to the press; a worker that was frozen in between does not press any more."""
    proof: float = 20.0
    """How long the page is watched for the proof before it is loaded anew, and again after that."""
    first_retry: float = 5.0
    longest_retry: float = 300.0
    composer_busy: float = 60.0
    attempts: int = 5


class Send:
    """The SEND step of one account. Needs the account's turn: no other process may drive the inbox meanwhile."""

    def __init__(
        self,
        db: Database,
        *,
        account: str,
        owner: str,
        rules: Rules,
        clock: Callable[[], datetime],
        pace: Pace | None = None,
    ) -> None:
        self._db = db
        self._account = account
        self._owner = owner
        self._rules = rules
        self._clock = clock
        self._pace = pace or Pace()

    # -- what the worker calls ----------------------------------------------------------------------------

    def has_work(self) -> bool:
        """Whether a job is due or one was left in the middle. Blocking, cheap; no claim."""
        now = self._clock()
        with self._db.read() as conn:
            if accounts.get(conn, self._account).paused:
                return bool(outbox_views.left_behind(conn, self._account, ""))
            return bool(
                outbox_views.peek_due(conn, self._account, 1, now)
                or outbox_views.left_behind(conn, self._account, "")
            )

    async def run_once(self, channel: Channel, go_on: Callable[[], bool] = lambda: True) -> int:
        """Settle what was left in the middle, then send what is due while ``go_on()``. Returns the jobs handled.

        Raises Halt (state kept) and BrowserGone; every other trouble of a job is written to its row.
        """
        handled = await self._recover(channel)
        while go_on():
            job = await asyncio.to_thread(self._claim)
            if job is None:
                return handled
            handled += 1
            with logger.contextualize(job_id=job.id):
                await self._deliver(channel, job)
        return handled

    # -- one job --------------------------------------------------------------------------------------------

    async def _deliver(self, channel: Channel, job: Job) -> None:
        conversation_id = await asyncio.to_thread(self._external_id, job)
        try:
            before = await self._prepare(channel, job, conversation_id)
        except StaleJob:
            logger.info("Reply {} dropped: it changed hands", job.id)
            return
        except NightporterError as error:
            await self._give_back(channel, job, conversation_id, error, armed=False)
            return
        if before is None:
            return
        armed = await self._arm(channel, job, conversation_id, before)
        if armed is None:
            return
        await self._press(channel, job, conversation_id, armed)

    async def _prepare(self, channel: Channel, job: Job, conversation_id: str) -> SeenConversation | None:
        """Open, judge, write. None if the reply is not wanted any more (cancelled with its reason)."""
        view = await channel.read(conversation_id)
        if not await asyncio.to_thread(self._still_wanted, job, view, None):
            return None
        await channel.write(conversation_id, job.text)
        return view

    async def _arm(
        self, channel: Channel, job: Job, conversation_id: str, before: SeenConversation
    ) -> SeenConversation | None:
        """Commit the arm, then look once more. Returns the view to press on, or None (given back or cancelled)."""
        armed_at = time.monotonic()
        try:
            await asyncio.to_thread(self._commit_arm, job, before)
        except (TransientError, StaleJob) as error:  # no committed arm, no press
            await self._give_back(channel, job, conversation_id, error, armed=False)
            return None
        try:
            fresh = await channel.reread(conversation_id)
            expected = before.newest.external_id if before.newest else None
            if not await asyncio.to_thread(self._still_wanted, job, fresh, expected):
                await channel.clear(conversation_id)
                return None
            if time.monotonic() - armed_at > self._pace.press_within:
                raise TransientError("Too much time passed between the arm and the press.")
            await asyncio.to_thread(self._check_mine, job)
        except StaleJob:
            logger.warning("Reply {} is not ours any more; Send was not pressed", job.id)
            return None
        except NightporterError as error:
            await self._give_back(channel, job, conversation_id, error, armed=True)
            return None
        return fresh

    async def _press(self, channel: Channel, job: Job, conversation_id: str, fresh: SeenConversation) -> None:
        """The one press. From here on every error means: look, never press again."""
        try:
            await channel.press_send(conversation_id)
        except BrowserGone:
            raise  # armed: settled by reading once the browser is back
        except Halt as halt:
            await asyncio.to_thread(self._unconfirmed, job, f"{halt.kind}_at_send")
            raise
        except NightporterError as error:
            logger.warning("The press of Send did not end cleanly ({}); looking for the message", error)
        await self._prove(channel, job, conversation_id, {m.external_id for m in fresh.messages})

    async def _prove(self, channel: Channel, job: Job, conversation_id: str, known: set[str]) -> None:
        def there(view: SeenConversation) -> bool:
            return any(
                m.external_id not in known
                and m.role is AuthorRole.HOST
                and m.kind is MessageKind.TEXT
                and not m.deleted
                and same_reply(job.text, m.text)
                for m in view.messages
            )

        try:
            view = await channel.follow(conversation_id, there, self._pace.proof)
            if view is None:
                await channel.read(conversation_id, anew=True)
                view = await channel.follow(conversation_id, there, self._pace.proof)
        except BrowserGone:
            raise
        except Halt as halt:
            await asyncio.to_thread(self._unconfirmed, job, f"{halt.kind}_after_send")
            raise
        except NightporterError as error:
            logger.warning("Looking for reply {} failed: {}", job.id, error)
            view = None
        if view is None:
            await asyncio.to_thread(self._unconfirmed, job, "no_proof")
        else:
            await asyncio.to_thread(self._settle, job, view)

    # -- what was left in the middle ------------------------------------------------------------------------

    async def _recover(self, channel: Channel) -> int:
        """Jobs in processing while nobody is at work: unarmed, back to pending; armed, settled by reading only."""
        lost = await asyncio.to_thread(self._left_behind)
        for job in lost:
            if not job.armed:
                await asyncio.to_thread(self._release_lost, job)
                continue
            logger.info("Reply {} was left after its arm; looking whether it was sent", job.id)
            mine = await asyncio.to_thread(self._take_over, job)
            conversation_id = await asyncio.to_thread(self._external_id, job)
            known = await asyncio.to_thread(self._known_at_arm, job)
            try:
                await channel.read(conversation_id, anew=True)
            except (BrowserGone, Halt):
                raise
            except PermanentError:
                await asyncio.to_thread(self._unconfirmed, mine, "no_such_conversation")
                continue
            except TransientError as error:
                logger.warning("Reply {} cannot be looked for this time: {}", job.id, error)
                raise
            await self._prove(channel, mine, conversation_id, known)
        return len(lost)

    def _left_behind(self) -> list[Job]:
        with self._db.read() as conn:
            return outbox_views.left_behind(conn, self._account, "")

    def _release_lost(self, job: Job) -> None:
        with self._db.write() as conn:
            now = self._clock()
            lease = now + timedelta(seconds=self._pace.lease)
            outbox_queue.take_over(conn, job.id, job.claimed_by, self._owner, lease)
            outbox_queue.release(
                conn, job.id, self._owner, due_at=now, error="left_behind", give_attempt_back=True
            )
        logger.info("Reply {} was claimed by a worker that ended; back in the queue", job.id)

    def _take_over(self, job: Job) -> Job:
        with self._db.write() as conn:
            lease = self._clock() + timedelta(seconds=self._pace.lease)
            return outbox_queue.take_over(conn, job.id, job.claimed_by, self._owner, lease)

    def _known_at_arm(self, job: Job) -> set[str]:
        """Everything stored before the arm: none of it can be the message that the press made."""
        with self._db.read() as conn:
            return {
                m.external_id
                for m in conversations.messages_of(conn, job.conversation_id, 500)
                if job.armed_at is None or m.seen_at <= job.armed_at
            }

    # -- one transaction each (called in a thread) ------------------------------------------------------------

    def _claim(self) -> Job | None:
        now = self._clock()
        with self._db.write() as conn:
            if accounts.get(conn, self._account).paused:
                return None
            lease = now + timedelta(seconds=self._pace.lease)
            return outbox_queue.claim(conn, self._account, owner=self._owner, lease_until=lease, now=now)

    def _external_id(self, job: Job) -> str:
        with self._db.read() as conn:
            return conversations.get(conn, job.conversation_id).external_id

    def _still_wanted(self, job: Job, view: SeenConversation, expected_newest: str | None) -> bool:
        """Take in what is seen; cancel the job if it is overtaken. ``expected_newest`` is set once it is armed."""
        now = self._clock()
        with self._db.write() as conn:
            intake = take_in(conn, self._account, view, rules=self._rules, now=now, in_hand=job)
            against = intake.against
            newest = view.newest.external_id if view.newest else None
            if against is None and expected_newest is not None and newest != expected_newest:
                against = CancelReason.GUEST_WROTE_AGAIN
            if against is not None:
                if expected_newest is not None:
                    outbox_queue.disarm(conn, job.id, self._owner)
                outbox_queue.cancelled(conn, job.id, _IN_HAND, against, now, owner=self._owner)
        tell(intake)
        if against is not None:
            logger.info("Reply {} cancelled before Send: {}", job.id, against)
        return against is None

    def _commit_arm(self, job: Job, view: SeenConversation) -> None:
        newest = view.newest.external_id if view.newest else None
        with self._db.write() as conn:
            outbox_queue.arm(conn, job.id, self._owner, after_external_id=newest, now=self._clock())

    def _check_mine(self, job: Job) -> None:
        with self._db.read() as conn:
            now_there = outbox_views.get(conn, job.id)
        mine = (
            now_there is not None
            and now_there.status is OutboxStatus.PROCESSING
            and now_there.claimed_by == self._owner
            and now_there.armed
        )
        if not mine:
            raise StaleJob

    def _settle(self, job: Job, view: SeenConversation) -> None:
        with self._db.write() as conn:
            intake = take_in(conn, self._account, view, rules=self._rules, now=self._clock())
        tell(intake)
        if job.id not in {settled.id for settled in intake.settled}:
            with self._db.read() as conn:
                found = outbox_views.get(conn, job.id)
            if found is not None and found.status is OutboxStatus.PROCESSING:
                self._unconfirmed(job, "no_proof")

    def _unconfirmed(self, job: Job, reason: str) -> None:
        with self._db.write() as conn:
            outbox_queue.unconfirmed(conn, job.id, reason, self._clock(), owner=self._owner)
        logger.warning("Reply {} is unconfirmed ({}): Send was pressed, the proof is missing", job.id, reason)

    # -- giving back before the press -------------------------------------------------------------------------

    async def _give_back(
        self, channel: Channel, job: Job, conversation_id: str, error: NightporterError, *, armed: bool
    ) -> None:
        """Send was not pressed, this process knows it: the job goes back, is held or fails. Halts go on up."""
        if isinstance(error, StaleJob):
            return
        await asyncio.to_thread(self._write_back, job, error, armed)
        if isinstance(error, (Halt, BrowserGone)):
            raise error
        if isinstance(error, TransientError) and not isinstance(error, ComposerBusy):
            try:
                await channel.clear(conversation_id)
            except TransientError as trouble:
                logger.debug("The composer was not emptied: {}", trouble)

    def _write_back(self, job: Job, error: NightporterError, armed: bool) -> None:
        now = self._clock()
        with self._db.write() as conn:
            if armed:
                outbox_queue.disarm(conn, job.id, self._owner)
            if isinstance(error, CannotWrite):
                outbox_queue.hold(conn, job.id, _IN_HAND, error.reason, owner=self._owner)
            elif isinstance(error, PermanentError):
                outbox_queue.failed(conn, job.id, error.reason, now, error=str(error), owner=self._owner)
            elif isinstance(error, (Halt, ComposerBusy, BrowserGone)):
                wait = self._pace.composer_busy if isinstance(error, ComposerBusy) else 0.0
                self._release(conn, job, now + timedelta(seconds=wait), error, give_attempt_back=True)
            elif job.attempts >= self._pace.attempts:
                outbox_queue.hold(conn, job.id, _IN_HAND, "could_not_be_sent", owner=self._owner)
            else:
                wait = min(self._pace.first_retry * 2 ** (job.attempts - 1), self._pace.longest_retry)
                self._release(conn, job, now + timedelta(seconds=wait), error)
        logger.warning("Reply {} was not sent this time: {}", job.id, error)

    def _release(
        self,
        conn: Connection,
        job: Job,
        due_at: datetime,
        error: Exception,
        *,
        give_attempt_back: bool = False,
    ) -> None:
        outbox_queue.release(
            conn,
            job.id,
            self._owner,
            due_at=due_at,
            error=str(error),
            give_attempt_back=give_attempt_back,
        )
