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
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from loguru import logger

from src.channels.base import Channel
from src.db import accounts, conversations, outbox_queue, outbox_views
from src.db.engine import Connection, Database, after_commit
from src.errors import (
    BrowserGone,
    CannotWrite,
    ComposerBusy,
    Halt,
    NightporterError,
    NotPressed,
    PermanentError,
    StaleJob,
    TransientError,
)
from src.model.inbox import AuthorRole, MessageKind, SeenConversation
from src.model.rows import Job
from src.model.same_reply import same_reply
from src.model.statuses import OutboxStatus
from src.services.caps import hold_before_typing
from src.services.intake import Rules, take_in, take_in_now
from src.services.sync import check_viewer, far_enough, tell

_IN_HAND = [OutboxStatus.PROCESSING]
_TRIES = 3


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
    busy_attempts: int = 10
    """So often a composer with somebody's text in it is looked at again before the reply is held for a person."""
    attempts: int = 5
    lost_attempts: int = 10
    """After so many tries of which the last ended with its process, the reply is held for a person."""


async def nobody_else() -> None:
    """The default: file locks keep all others out."""


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
        mark: Callable[[str], None] = lambda _: None,
        check_alone: Callable[[], Awaitable[None]] = nobody_else,
    ) -> None:
        """``mark`` is told of every step, so that a watchdog can tell slow from stuck.

        ``check_alone`` raises BrowserGone if another machine may drive the inbox by now; asked before every press.
        """
        self._db = db
        self._account = account
        self._owner = owner
        self._rules = rules
        self._clock = clock
        self._pace = pace or Pace()
        self._mark = mark
        self._check_alone = check_alone

    # -- what the worker calls ----------------------------------------------------------------------------

    def has_work(self) -> bool:
        """Whether a job is due or one was left in the middle. Blocking, cheap; no claim."""
        due = self.next_work_at()
        return due is not None and due <= self._clock()

    def next_work_at(self) -> datetime | None:
        """When there is something to do, maybe in the past; None if nothing, or the account pauses. Blocking.

        A job that was left in the middle is work at once, also in a pause: nothing of it is pressed again.
        """
        with self._db.read() as conn:
            if outbox_views.left_behind(conn, self._account):
                return self._clock()
            return None if self._paused(conn) else outbox_views.next_due_at(conn, self._account)

    async def run_once(self, channel: Channel, go_on: Callable[[], bool] = lambda: True) -> int:
        """Settle what was left in the middle, then send what is due while ``go_on()``. Returns the jobs handled.

        Raises Halt and BrowserGone (state kept), and TransientError for the database or for a job that could
        not be looked for; every other trouble of a job is written to its row.
        """
        handled, trouble = await self._recover(channel, go_on)
        while go_on():
            job = await asyncio.to_thread(self._claim)
            if job is None:
                break
            handled += 1
            with logger.contextualize(job_id=job.id):
                await self._deliver(channel, job)
        if trouble is not None:
            raise trouble
        return handled

    # -- one job --------------------------------------------------------------------------------------------

    async def _deliver(self, channel: Channel, job: Job) -> None:
        conversation_id = await asyncio.to_thread(self._external_id, job)
        try:
            before = await self._prepare(channel, job, conversation_id)
            if before is None:
                return
            armed = await self._arm(channel, job, conversation_id, before)
        except StaleJob:
            logger.warning("Reply {} is not ours any more; Send was not pressed", job.id)
            await self._clear(channel, conversation_id)
            return
        except NightporterError as error:
            await self._give_back(channel, job, conversation_id, error)
            return
        if armed is None:
            await self._clear(channel, conversation_id)
            return
        await self._press(channel, armed[0], conversation_id, armed[1])

    async def _prepare(self, channel: Channel, job: Job, conversation_id: str) -> SeenConversation | None:
        """Open, judge, write. None if the reply is not wanted any more (cancelled with its reason)."""
        view = await self._read(channel, job, conversation_id)
        if not await asyncio.to_thread(self._still_wanted, job, view):
            return None
        self._mark("SEND: writing")
        await channel.write(conversation_id, job.text)
        return view

    async def _arm(
        self, channel: Channel, job: Job, conversation_id: str, before: SeenConversation
    ) -> tuple[Job, SeenConversation] | None:
        """Commit the arm, then look once more. The armed job with the view to press on, or None (cancelled)."""
        began = time.monotonic()
        armed = await asyncio.to_thread(self._commit_arm, job, before)
        fresh = await channel.reread(conversation_id)
        if not await asyncio.to_thread(self._still_wanted, armed, fresh):
            return None
        await self._check_alone()
        await asyncio.to_thread(self._check_mine, armed)
        if time.monotonic() - began > self._pace.press_within:
            raise TransientError("Too much time passed between the arm and the press.")
        return armed, fresh

    async def _press(self, channel: Channel, job: Job, conversation_id: str, fresh: SeenConversation) -> None:
        """The one press. From here on every error means: look, never press again."""
        self._mark("SEND: pressing Send")
        try:
            await channel.press_send(conversation_id)
        except NotPressed as error:
            await self._give_back(channel, job, conversation_id, error)
            return
        except BrowserGone:
            raise  # armed: settled by reading once the browser is back
        except Halt as halt:
            await self._give_up_looking(job, f"{halt.kind}_at_send")
            raise
        except NightporterError as error:
            logger.warning("The press of Send did not end cleanly ({}); looking for the message", error)
        await self._prove(channel, job, conversation_id, {m.external_id for m in fresh.messages})

    async def _prove(
        self, channel: Channel, job: Job, conversation_id: str, known: set[str], *, pressed_now: bool = True
    ) -> None:
        """Watch for the message; if it does not come, look once more on a page that is loaded anew.

        After a crash (not ``pressed_now``) the page has just been loaded, and the site has had its time: a shorter
        look decides. What shows up later still is settled by SYNC.
        """

        def there(view: SeenConversation) -> bool:
            ids = [m.external_id for m in view.messages]
            first = ids.index(job.after_external_id) + 1 if job.after_external_id in ids else 0
            return any(
                m.external_id not in known
                and m.role is AuthorRole.HOST
                and m.kind is MessageKind.TEXT
                and not m.deleted
                and same_reply(job.text, m.text)
                for m in view.messages[first:]
            )

        try:
            self._mark("SEND: looking for the message")
            patience = self._pace.proof if pressed_now else self._pace.proof / 2
            view = await channel.follow(conversation_id, there, patience)
            if view is None and pressed_now:
                await self._read(channel, job, conversation_id, anew=True)
                self._mark("SEND: looking for the message again")
                view = await channel.follow(conversation_id, there, self._pace.proof)
        except BrowserGone:
            raise
        except Halt as halt:
            await self._give_up_looking(job, f"{halt.kind}_after_send")
            raise
        except NightporterError as error:
            logger.warning("Looking for reply {} failed: {}", job.id, error)
            view = None
        if view is None:
            await asyncio.to_thread(self._unconfirmed, job, "no_proof")
        else:
            await asyncio.to_thread(self._settle, job, view)

    async def _give_up_looking(self, job: Job, reason: str) -> None:
        """At a halt. If even the database is in trouble the job stays armed, and is looked for after the halt."""
        try:
            await asyncio.to_thread(self._unconfirmed, job, reason)
        except TransientError as trouble:
            logger.warning("Reply {} stays armed: {}", job.id, trouble)

    async def _read(
        self, channel: Channel, job: Job, conversation_id: str, *, anew: bool = False
    ) -> SeenConversation:
        """The conversation, back to what is stored: what is taken in has no gap."""
        self._mark("SEND: reading")
        known = await asyncio.to_thread(self._known_ids, job)
        oldest = self._clock() - self._rules.max_age
        return await channel.read(
            conversation_id, enough=lambda view: far_enough(view, known, oldest), anew=anew
        )

    # -- what was left in the middle ------------------------------------------------------------------------

    async def _recover(
        self, channel: Channel, go_on: Callable[[], bool]
    ) -> tuple[int, TransientError | None]:
        """Jobs in processing while nobody is at work: not armed, back to pending; armed, settled by reading only.

        One that cannot be looked for this time stays as it is and keeps no other reply waiting.
        """
        handled, trouble = 0, None
        for job in await asyncio.to_thread(self._left_behind):
            if not go_on():
                break
            try:
                await self._recover_one(channel, job)
                handled += 1
            except StaleJob:
                logger.debug("Reply {} is somebody else's", job.id)
            except BrowserGone:
                raise
            except TransientError as error:
                logger.warning("Reply {} cannot be looked for this time: {}", job.id, error)
                trouble = error
        return handled, trouble

    async def _recover_one(self, channel: Channel, job: Job) -> None:
        if not job.armed:
            await asyncio.to_thread(self._release_lost, job)
            return
        logger.info("Reply {} was left after its arm; looking whether it was sent", job.id)
        mine = await asyncio.to_thread(self._take_over, job)
        conversation_id = await asyncio.to_thread(self._external_id, job)
        known = await asyncio.to_thread(self._known_at_arm, job)
        try:
            await self._read(channel, mine, conversation_id, anew=True)
        except PermanentError as error:
            await asyncio.to_thread(self._unconfirmed, mine, error.reason)
            return
        await self._prove(channel, mine, conversation_id, known, pressed_now=False)

    def _left_behind(self) -> list[Job]:
        with self._db.read() as conn:
            return outbox_views.left_behind(conn, self._account)

    def _release_lost(self, job: Job) -> None:
        with self._db.write() as conn:
            now = self._clock()
            lease = now + timedelta(seconds=self._pace.lease)
            outbox_queue.take_over(conn, job.id, job.claimed_by, self._owner, lease)
            # The try counts: a job at which worker after worker ends must not keep all others waiting.
            if job.attempts >= self._pace.lost_attempts:
                outbox_queue.hold(conn, job.id, _IN_HAND, "could_not_be_sent", owner=self._owner)
            else:
                outbox_queue.release(conn, job.id, self._owner, due_at=now, error="left_behind")
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

    def _paused(self, conn: Connection) -> bool:
        return accounts.get(conn, self._account).paused

    def _claim(self) -> Job | None:
        now = self._clock()
        with self._db.write() as conn:
            if self._paused(conn):
                return None
            lease = now + timedelta(seconds=self._pace.lease)
            while True:
                job = outbox_queue.claim(conn, self._account, owner=self._owner, lease_until=lease, now=now)
                why = hold_before_typing(conn, self._rules.caps, job, now) if job is not None else None
                if job is None or why is None:
                    return job
                outbox_queue.hold(conn, job.id, _IN_HAND, why, owner=self._owner)
                after_commit(conn, partial(_say_held, job.id, why))

    def _external_id(self, job: Job) -> str:
        with self._db.read() as conn:
            return conversations.get(conn, job.conversation_id).external_id

    def _known_ids(self, job: Job) -> set[str]:
        with self._db.read() as conn:
            return conversations.known_external_ids(conn, job.conversation_id)

    def _still_wanted(self, job: Job, view: SeenConversation) -> bool:
        """Take in what is seen; cancel the job if it is overtaken, also if it is armed: Send was not pressed."""
        for _ in range(_TRIES):
            try:
                return self._judge(job, view)
            except StaleJob:
                self._check_mine(job)  # else a row of the conversation moved in this instant: look again
        raise TransientError("Others move the conversation's rows again and again.")

    def _judge(self, job: Job, view: SeenConversation) -> bool:
        now = self._clock()
        with self._db.write() as conn:
            check_viewer(conn, self._account, view.viewer_id, now)
            intake = take_in(conn, self._account, view, rules=self._rules, now=now, in_hand=job)
            if intake.against is not None:
                if job.armed:
                    outbox_queue.disarm(conn, job.id, self._owner)
                outbox_queue.cancelled(conn, job.id, _IN_HAND, intake.against, now, owner=self._owner)
        tell(intake)
        if intake.against is not None:
            logger.info("Reply {} cancelled before Send: {}", job.id, intake.against)
        return intake.against is None

    def _commit_arm(self, job: Job, view: SeenConversation) -> Job:
        newest = view.newest.external_id if view.newest else None
        with self._db.write() as conn:
            return outbox_queue.arm(conn, job.id, self._owner, after_external_id=newest, now=self._clock())

    def _check_mine(self, job: Job) -> None:
        with self._db.read() as conn:
            now_there = outbox_views.get(conn, job.id)
        mine = (
            now_there is not None
            and now_there.status is OutboxStatus.PROCESSING
            and now_there.claimed_by == self._owner
            and now_there.armed is job.armed
        )
        if not mine:
            raise StaleJob

    def _settle(self, job: Job, view: SeenConversation) -> None:
        intake = take_in_now(self._db, self._account, view, rules=self._rules, now=self._clock())
        tell(intake)
        if job.id not in {settled.id for settled in intake.settled}:
            self._unconfirmed(job, "no_proof")

    def _unconfirmed(self, job: Job, reason: str) -> None:
        try:
            with self._db.write() as conn:
                outbox_queue.unconfirmed(conn, job.id, reason, self._clock(), owner=self._owner)
        except StaleJob:
            logger.info("Reply {} was settled by somebody else meanwhile", job.id)
            return
        logger.warning("Reply {} is unconfirmed ({}): Send was pressed, the proof is missing", job.id, reason)

    # -- giving back before the press -------------------------------------------------------------------------

    async def _give_back(
        self, channel: Channel, job: Job, conversation_id: str, error: NightporterError
    ) -> None:
        """Send was not pressed, this process knows it: the job goes back, is held or fails. Halts go on up."""
        try:
            await asyncio.to_thread(self._write_back, job, error)
        except StaleJob:
            logger.info("Reply {} changed hands meanwhile", job.id)
        except TransientError as trouble:
            if not isinstance(error, (Halt, BrowserGone)):
                raise
            logger.warning("Reply {} stays claimed: {}", job.id, trouble)
        if isinstance(error, (Halt, BrowserGone)):
            raise error
        if isinstance(error, TransientError) and not isinstance(error, ComposerBusy):
            await self._clear(channel, conversation_id)

    async def _clear(self, channel: Channel, conversation_id: str) -> None:
        try:
            await channel.clear(conversation_id)
        except BrowserGone:
            raise
        except TransientError as trouble:
            logger.debug("The composer was not emptied: {}", trouble)

    def _write_back(self, job: Job, error: NightporterError) -> None:
        now = self._clock()
        with self._db.write() as conn:
            there = outbox_views.get(conn, job.id)
            if there is not None and there.armed:  # also if the commit of the arm seemed to have failed
                outbox_queue.disarm(conn, job.id, self._owner)
            if isinstance(error, CannotWrite):
                outbox_queue.hold(conn, job.id, _IN_HAND, error.reason, owner=self._owner)
            elif isinstance(error, PermanentError):
                outbox_queue.failed(conn, job.id, error.reason, now, error=str(error), owner=self._owner)
            elif isinstance(error, (Halt, BrowserGone)):
                self._release(conn, job, now, error, give_attempt_back=True)
            elif isinstance(error, ComposerBusy):
                if job.attempts >= self._pace.busy_attempts:
                    outbox_queue.hold(conn, job.id, _IN_HAND, "composer_busy", owner=self._owner)
                else:
                    self._release(conn, job, now + timedelta(seconds=self._pace.composer_busy), error)
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


def _say_held(job_id: str, why: str) -> None:
    logger.bind(job_id=job_id).warning("Reply {} waits for a person: {}", job_id, why)
