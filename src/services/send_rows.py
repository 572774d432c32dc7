"""The rows of SEND: one transaction each, committed before the next step is taken on the page.

All of it blocks, and is called in a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from loguru import logger

from src.db import accounts, conversations, outbox_queue, outbox_views
from src.db.engine import Connection, Database, after_commit
from src.db.wakeup import Wakeup
from src.errors import (
    CannotWrite,
    ChannelGone,
    ComposerBusy,
    Halt,
    NightporterError,
    NotPressed,
    PermanentError,
    SecretWithheld,
    StaleJob,
    TransientError,
)
from src.model.inbox import SeenConversation
from src.model.retry import SEND, SendRetries, again_if_stale
from src.model.rows import Job
from src.model.same_reply import same_reply
from src.model.sending import Delivery, Receipt
from src.model.statuses import OutboxStatus
from src.services.caps import hold_before_typing
from src.services.intake import Intake, Rules, check_viewer, take_in, take_in_now, tell
from src.services.own_messages import store_own, store_sent

EARLIER_PART_MISSING = "earlier_part_missing"
"""Why a later part of an answer waits for a person: an earlier one was not sent, or nobody knows."""
_IN_HAND = [OutboxStatus.PROCESSING]


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of the protocol, in seconds. The defaults are the product's; tests shorten them."""

    lease: float = 120.0
    press_within: float = 10.0
    """From the arm to the press; a worker that was frozen in between does not press any more."""
    proof: float = 20.0
    """How long the page is watched for the proof before it is reloaded, and again after that."""
    retries: SendRetries = SEND


class SendRows:
    """The moves of one account's replies, for one owner."""

    def __init__(
        self,
        db: Database,
        *,
        account: str,
        owner: str,
        rules: Rules,
        wakeup: Wakeup,
        clock: Callable[[], datetime],
        pace: Pace,
    ) -> None:
        self._db = db
        self._account = account
        self._owner = owner
        self._rules = rules
        self._wakeup = wakeup
        self._clock = clock
        self._pace = pace

    # -- what there is to do ------------------------------------------------------------------------------

    def next_work_at(self) -> datetime | None:
        """When there is something to do, maybe in the past; None if nothing, or the account pauses.

        A job that was left in the middle is work at once, also in a pause: nothing of it is pressed again.
        """
        with self._db.read() as conn:
            if outbox_views.left_behind(conn, self._account):
                return self._clock()
            return None if self._paused(conn) else outbox_views.next_due_at(conn, self._account)

    def claim(self, most: int = 1) -> list[Job]:
        """The next jobs that are due and need not wait for a person, one of each conversation, in one transaction.

        None of them if nothing is due, or the account pauses.
        """
        now = self._clock()
        claimed: list[Job] = []
        with self._db.write(durable=False) as conn:  # the arm must survive a power cut, this need not
            if self._paused(conn):
                return []
            while len(claimed) < most:
                found = self._claim_due(conn, most - len(claimed), now)
                if not found:
                    break
                for job in found:
                    why = self._reason_to_hold(conn, job, now, len(claimed))
                    if why is None:
                        claimed.append(job)
                    else:
                        outbox_queue.hold(conn, job.id, _IN_HAND, why, owner=self._owner)
                        after_commit(conn, partial(_say_held, job.id, why))
        return claimed

    def _claim_due(self, conn: Connection, most: int, now: datetime) -> list[Job]:
        lease = now + timedelta(seconds=self._pace.lease)
        if most > 1:
            return outbox_queue.claim_many(
                conn, self._account, owner=self._owner, lease_until=lease, now=now, limit=most
            )
        job = outbox_queue.claim(conn, self._account, owner=self._owner, lease_until=lease, now=now)
        return [] if job is None else [job]

    def _reason_to_hold(self, conn: Connection, job: Job, now: datetime, in_hand: int) -> str | None:
        """Why a claimed reply waits for a person: the caps, or the part before it is not there."""
        before = outbox_views.parts_of(conn, job)[: job.part - 1] if job.part > 1 else []
        if any(part.status is not OutboxStatus.SENT for part in before):
            return EARLIER_PART_MISSING
        return hold_before_typing(conn, self._rules.caps, job, now, in_hand=in_hand)

    def _paused(self, conn: Connection) -> bool:
        return accounts.get(conn, self._account).paused

    # -- one job ------------------------------------------------------------------------------------------

    def external_id(self, job: Job) -> str:
        with self._db.read() as conn:
            return conversations.get(conn, job.conversation_id).external_id

    def known_ids(self, job: Job) -> set[str]:
        with self._db.read() as conn:
            return conversations.known_external_ids(conn, job.conversation_id)

    def still_wanted(self, job: Job, view: SeenConversation) -> Intake | None:
        """Take in what is seen. None if the job is overtaken: it is cancelled, also if armed but not pressed."""
        # Stale: the job is not ours any more, or another row of the conversation moved in this instant.
        return again_if_stale(partial(self._judge, job, view), before_again=partial(self.check_mine, job))

    def _judge(self, job: Job, view: SeenConversation) -> Intake | None:
        now = self._clock()
        with self._db.write(durable=False) as conn:  # what is lost with the power is seen again
            check_viewer(conn, self._account, view.viewer_id, now)
            intake = take_in(conn, self._account, view, rules=self._rules, now=now, in_hand=job)
            if intake.reason_to_cancel is not None:
                if job.armed:
                    outbox_queue.disarm(conn, job.id, self._owner)
                outbox_queue.cancelled(
                    conn, job.id, _IN_HAND, intake.reason_to_cancel, now, owner=self._owner
                )
        tell(intake, self._wakeup)
        if intake.reason_to_cancel is not None:
            logger.info("Reply {} cancelled before Send: {}", job.id, intake.reason_to_cancel)
        return intake if intake.reason_to_cancel is None else None

    def arm(self, job: Job, wanted: Intake) -> Job:
        """Committed when this returns; ours is looked for after the newest message that was taken in only."""
        newest = wanted.newest_external_id
        with self._db.write() as conn:
            return outbox_queue.arm(conn, job.id, self._owner, after_external_id=newest, now=self._clock())

    def arm_all(self, jobs: list[tuple[Job, Intake]]) -> list[Job]:
        """``arm`` for several in one transaction, or StaleJob and none is armed."""
        newest = {job.id: wanted.newest_external_id for job, wanted in jobs}
        with self._db.write() as conn:
            return outbox_queue.arm_many(conn, self._owner, newest, self._clock())

    def check_mine(self, job: Job) -> None:
        """StaleJob if another process has taken the job, or armed is not what it was."""
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

    def settle(self, job: Job, view: SeenConversation) -> None:
        """Take in what is seen after the press: by that the job is sent, or it is unconfirmed."""
        intake = take_in_now(self._db, self._account, view, rules=self._rules, now=self._clock())
        tell(intake, self._wakeup)
        if job.id not in {settled.id for settled in intake.settled}:
            self.unconfirmed(job, "no_proof")

    def settle_by_receipt(self, job: Job, receipt: Receipt) -> None:
        """The remote has the message, under this id. Where it says at once that it cannot deliver it: failed.

        Never raises StaleJob: if another process settled it meanwhile, that stands.
        """
        undeliverable = receipt.standing is Delivery.FAILED  # else it is sent
        try:
            with self._db.write() as conn:
                if undeliverable:
                    self._failed_at_once(conn, job, receipt)
                else:
                    there = outbox_views.get(conn, job.id) or job  # what was noted at the press is in the row
                    store_sent(conn, there, receipt, _IN_HAND, self._clock(), owner=self._owner)
        except StaleJob:
            logger.info("Reply {} was settled by somebody else meanwhile", job.id)
            return
        if undeliverable:
            logger.warning("Reply {} cannot be delivered ({})", job.id, receipt.error)
        else:
            logger.info("Reply {} is where it belongs: sent", job.id)

    def _failed_at_once(self, conn: Connection, job: Job, receipt: Receipt) -> None:
        outbox_queue.disarm(conn, job.id, self._owner)  # what cannot be delivered is not there, beyond doubt
        if receipt.held is not None:
            outbox_queue.hold(conn, job.id, _IN_HAND, receipt.held, owner=self._owner)
            return
        outbox_queue.failed(
            conn,
            job.id,
            "undeliverable",
            self._clock(),
            delivery_error=receipt.error or str(Delivery.FAILED),
            owner=self._owner,
        )

    def settle_all(self, receipts: list[tuple[Job, Receipt]]) -> list[None]:
        """``settle_by_receipt`` for several in one transaction; raises, and nothing is done, if one is unusual."""
        if any(receipt.standing is Delivery.FAILED for _, receipt in receipts):
            raise StaleJob
        now = self._clock()
        with self._db.write() as conn:
            # Always in the same order, as everywhere where two conversations are locked.
            for job, receipt in sorted(receipts, key=lambda one: one[0].conversation_id):
                store_own(conn, job, receipt, now)
            outbox_queue.sent_many(conn, self._owner, {job.id: receipt for job, receipt in receipts}, now)
        for job, _ in receipts:
            logger.bind(job_id=job.id).info("Reply {} is where it belongs: sent", job.id)
        return [None for _ in receipts]

    def unconfirmed(self, job: Job, reason: str, named: str | None = None) -> None:
        """Never raises StaleJob: if another process settled it meanwhile, that one knew more.

        ``named``: the message that the site itself named for the press, though it does not show it (yet).
        """
        try:
            with self._db.write() as conn:
                outbox_queue.unconfirmed(
                    conn, job.id, reason, self._clock(), owner=self._owner, receipt_external_id=named
                )
        except StaleJob:
            logger.info("Reply {} was settled by somebody else meanwhile", job.id)
            return
        logger.warning("Reply {} is unconfirmed ({}): Send was pressed, the proof is missing", job.id, reason)

    def keep_name(self, job: Job, named: str | None) -> None:
        """The browser went away while it was looked: what the site named for the press is kept for the next look.

        Raises nothing: without it the reply is recognised by its text only.
        """
        if named is None:
            return
        with suppress(StaleJob, TransientError), self._db.write() as conn:
            outbox_queue.name_message(conn, job.id, self._owner, named)

    # -- secrets ------------------------------------------------------------------------------------------

    def text_to_type(self, job: Job, intake: Intake) -> str:
        """The reply with its secrets, for the keyboard alone: it is stored nowhere. Raises SecretWithheld."""
        about = intake.conversation
        return self._rules.secrets.fill(job.text, about.listing_id, about.stay, self._clock())

    def is_reply(self, job: Job, shown: str | None, listing_id: str | None) -> bool:
        """Whether a text that the site shows is this reply."""
        return same_reply(job.text, self._rules.secrets.mask(shown, listing_id) if shown else shown)

    # -- giving back before the press ---------------------------------------------------------------------

    def write_back(self, job: Job, error: NightporterError) -> None:
        """Send was not pressed: the job goes back, is held or fails, as the error says."""
        now = self._clock()
        with self._db.write() as conn:
            there = outbox_views.get(conn, job.id)
            if there is not None and there.armed:  # also if the commit of the arm seemed to have failed
                outbox_queue.disarm(conn, job.id, self._owner)
            if isinstance(error, (CannotWrite, SecretWithheld)):
                outbox_queue.hold(conn, job.id, _IN_HAND, error.reason, owner=self._owner)
            elif isinstance(error, PermanentError):
                outbox_queue.failed(conn, job.id, error.reason, now, error=str(error), owner=self._owner)
            elif isinstance(error, (Halt, ChannelGone)):
                self._release(conn, job, now, error, give_attempt_back=True)
            else:
                self._try_again(conn, job, error, now)
        logger.warning("Reply {} was not sent this time: {}", job.id, error)

    def _try_again(self, conn: Connection, job: Job, error: NightporterError, now: datetime) -> None:
        pause = self._pace.retries.pause(error, job.attempts)
        if pause is None:
            why = "composer_busy" if isinstance(error, ComposerBusy) else "could_not_be_sent"
            outbox_queue.hold(conn, job.id, _IN_HAND, why, owner=self._owner)
        else:
            asked = isinstance(error, NotPressed) and error.retry_after is not None
            later = now + timedelta(seconds=pause)
            self._release(conn, job, later, error, give_attempt_back=asked)

    def let_go(self, job: Job) -> None:
        """The program ends, and Send was not pressed: the job goes back as if it had not been claimed.

        StaleJob if it is somebody else's.
        """
        with self._db.write() as conn:
            there = outbox_views.get(conn, job.id)
            if there is not None and there.armed:
                outbox_queue.disarm(conn, job.id, self._owner)
            outbox_queue.release(
                conn,
                job.id,
                self._owner,
                due_at=self._clock(),
                error=None,
                give_attempt_back=True,
            )
        logger.info("Reply {} waits for the next start; Send was not pressed", job.id)

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

    # -- what was left in the middle ----------------------------------------------------------------------

    def left_behind(self) -> list[Job]:
        """Oldest first."""
        with self._db.read() as conn:
            return outbox_views.left_behind(conn, self._account)

    def release_lost(self, job: Job) -> None:
        """One that is not armed: back into the queue, or to a person after too many tries."""
        with self._db.write() as conn:
            self._take_over(conn, job)
            # The try counts: a job at which worker after worker ends must not keep all others waiting.
            if job.attempts >= self._pace.retries.lost_tries:
                outbox_queue.hold(conn, job.id, _IN_HAND, "could_not_be_sent", owner=self._owner)
                after_commit(conn, partial(_say_held, job.id, "could_not_be_sent"))
            else:
                outbox_queue.release(conn, job.id, self._owner, due_at=self._clock(), error="left_behind")
        logger.info("Reply {} was claimed by a worker that ended before its arm", job.id)

    def take_over(self, job: Job) -> Job:
        """One that is armed: ours to be looked for."""
        with self._db.write() as conn:
            return self._take_over(conn, job)

    def _take_over(self, conn: Connection, job: Job) -> Job:
        lease = self._clock() + timedelta(seconds=self._pace.lease)
        return outbox_queue.take_over(conn, job.id, job.claimed_by, self._owner, lease)

    def known_at_arm(self, job: Job) -> set[str]:
        """Everything stored before the arm: none of it can be the message that the press made."""
        with self._db.read() as conn:
            return {
                m.external_id
                for m in conversations.messages_of(conn, job.conversation_id, 500)
                if job.armed_at is None or m.seen_at <= job.armed_at
            }


def _say_held(job_id: str, why: str) -> None:
    logger.bind(job_id=job_id).warning("Reply {} waits for a person: {}", job_id, why)
