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
from datetime import datetime

from loguru import logger

from src.channels.base import Channel
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import (
    ChannelGone,
    ComposerBusy,
    Halt,
    NightporterError,
    NotPressed,
    PermanentError,
    StaleJob,
    TransientError,
)
from src.model.inbox import AuthorRole, MessageKind, SeenConversation, reaches_known
from src.model.rows import Job
from src.model.sending import Finding, Press, Receipt
from src.services.in_hand import with_one_halt
from src.services.intake import Intake, Rules
from src.services.send_rows import Pace, SendRows
from src.services.together import Together

__all__ = ["Pace", "Send"]


_LAST_WORD_SEC = 0.5
"""How long a page may take to empty the composer when the program ends."""


def _weight(error: BaseException) -> int:
    """Of several errors the least is raised: what nobody expected, a halt, a channel that is gone, the others."""
    kinds = (Halt, ChannelGone, NightporterError)
    return next((n for n, kind in enumerate(kinds, 1) if isinstance(error, kind)), 0)


async def nobody_else() -> None:
    """The default: file locks keep all others out, and no other worker wants the page."""


class Send:
    """The SEND step of one account. Needs the account's turn: no other process may drive the inbox meanwhile."""

    def __init__(
        self,
        db: Database,
        *,
        account: str,
        owner: str,
        rules: Rules,
        wakeup: Wakeup,
        clock: Callable[[], datetime],
        pace: Pace | None = None,
        mark: Callable[[str], None] = lambda _: None,
        check_alone: Callable[[], Awaitable[None]] = nobody_else,
    ) -> None:
        """``wakeup`` wakes who asks the AI, where SEND finds a message before SYNC does.

        ``mark`` is called at every step, so that a watchdog can tell slow from stuck.

        ``check_alone`` raises ChannelGone if another machine may drive the inbox by now; asked before every press.
        """
        self._rules = rules
        self._clock = clock
        self._pace = pace or Pace()
        self._rows = SendRows(
            db, account=account, owner=owner, rules=rules, wakeup=wakeup, clock=clock, pace=self._pace
        )
        self._mark = mark
        self._check_alone = check_alone
        self._at_stake: set[str] = set()
        self._arm_together = Together(lambda one: self._rows.arm(*one), self._rows.arm_all)
        self._settle_together = Together(
            lambda one: self._rows.settle_by_receipt(*one), self._rows.settle_all
        )

    @property
    def at_stake(self) -> bool:
        """Whether a reply is between its press and its outcome. At any other moment a run may be cancelled."""
        return bool(self._at_stake)

    # -- what the worker calls ----------------------------------------------------------------------------

    def has_work(self) -> bool:
        """Whether a job is due or one was left in the middle. Blocking, cheap; no claim."""
        due = self.next_work_at()
        return due is not None and due <= self._clock()

    def next_work_at(self) -> datetime | None:
        """When there is something to do, maybe in the past; None if nothing, or the account pauses. Blocking."""
        return self._rows.next_work_at()

    async def run_once(
        self,
        channel: Channel,
        yield_turn: Callable[[], Awaitable[None]] = nobody_else,
        keep_going: Callable[[], bool] = lambda: True,
    ) -> int:
        """Settle what was left in the middle, then send what is due while ``keep_going()``. Returns how many jobs.

        ``yield_turn`` is awaited between two jobs, so that many replies do not keep SYNC from what comes meanwhile.
        Raises Halt and ChannelGone (state kept), and TransientError for the database or for a job that could
        not be looked for; every other trouble of a job is written to its row. Cancelled or stopped before the
        press, a reply goes back into the queue as it was.
        """
        handled, trouble = await self._recover(channel, keep_going)
        while keep_going():
            jobs = await asyncio.to_thread(self._rows.claim, channel.capabilities.at_once)
            if not jobs:
                break
            handled += len(jobs)
            await self._deliver_all(channel, jobs, keep_going)
            await yield_turn()
        if trouble is not None:
            raise trouble
        return handled

    async def _deliver_all(self, channel: Channel, jobs: list[Job], keep_going: Callable[[], bool]) -> None:
        """One of each conversation. Where it is several, they go side by side, each step by step as if alone."""
        if len(jobs) == 1:
            await self._deliver(channel, jobs[0], keep_going)
            return
        channel = with_one_halt(channel)
        tasks = [asyncio.create_task(self._deliver(channel, job, keep_going)) for job in jobs]
        try:
            await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
        errors = [error for error in found if isinstance(error, BaseException)]
        if errors:
            raise min(errors, key=_weight)

    # -- one job --------------------------------------------------------------------------------------------

    async def _deliver(self, channel: Channel, job: Job, keep_going: Callable[[], bool]) -> None:
        with logger.contextualize(job_id=job.id):
            await self._deliver_one(channel, job, keep_going)

    async def _deliver_one(self, channel: Channel, job: Job, keep_going: Callable[[], bool]) -> None:
        conversation_id = await asyncio.to_thread(self._rows.external_id, job)
        try:
            before = await self._prepare(channel, job, conversation_id)
            if before is None:
                return
            armed = await self._arm(channel, job, conversation_id, before)
        except asyncio.CancelledError:
            await self._let_go(channel, job, conversation_id)
            raise
        except StaleJob:
            logger.warning("Reply {} is not ours any more; Send was not pressed", job.id)
            await self._clear(channel, conversation_id)
            return
        except NightporterError as error:
            await self._give_back(channel, job, conversation_id, error)
            return
        if armed is None:
            await self._clear(channel, conversation_id)
        elif not keep_going():
            await self._let_go(channel, job, conversation_id)
        else:
            self._at_stake.add(job.id)
            try:
                await self._press(channel, armed[0], conversation_id, armed[1])
            finally:
                self._at_stake.discard(job.id)

    async def _prepare(self, channel: Channel, job: Job, conversation_id: str) -> Intake | None:
        """Open, judge, write. None if the reply is not wanted any more (cancelled with its reason)."""
        view = await self._read(channel, job, conversation_id)
        wanted = await asyncio.to_thread(self._rows.still_wanted, job, view)
        if wanted is None:
            return None
        self._mark("SEND: writing")
        await channel.write(conversation_id, await asyncio.to_thread(self._rows.text_to_type, job, wanted))
        return wanted

    async def _arm(
        self, channel: Channel, job: Job, conversation_id: str, before: Intake
    ) -> tuple[Job, SeenConversation] | None:
        """Commit the arm, then look once more. The armed job with the view to press on, or None (cancelled)."""
        began = time.monotonic()
        armed = await self._arm_together((job, before))
        fresh = await channel.reread(conversation_id)
        if await asyncio.to_thread(self._rows.still_wanted, armed, fresh) is None:
            return None
        await self._check_alone()
        await asyncio.to_thread(self._rows.check_mine, armed)
        if time.monotonic() - began > self._pace.press_within:
            raise TransientError("Too much time passed between the arm and the press.")
        return armed, fresh

    async def _press(self, channel: Channel, job: Job, conversation_id: str, fresh: SeenConversation) -> None:
        """The one press. From here on every error means: look, never press again."""
        self._mark("SEND: pressing Send")
        try:
            receipt = await channel.press_send(conversation_id, Press(job.id, job.after_external_id))
            if receipt is not None:
                if receipt.is_settled:
                    logger.info("Reply {} is where it belongs: sent", job.id)
                else:
                    await self._settle_together((job, receipt))
                return
        except NotPressed as error:
            await self._give_back(channel, job, conversation_id, error)
            return
        except ChannelGone:
            raise  # armed: settled by looking once the channel is back
        except Halt as halt:
            if halt.nothing_sent:
                await self._give_back(channel, job, conversation_id, halt)
            if (
                not channel.capabilities.always_finds
            ):  # else it stays armed, and is asked about after the halt
                await self._give_up_looking(job, f"{halt.kind}_at_send")
            raise
        except NightporterError as error:
            logger.warning("The press of Send did not end cleanly ({}); looking for the message", error)
            if await self._found(channel, job, conversation_id):
                return
        await self._prove(channel, job, conversation_id, {m.external_id for m in fresh.messages})

    async def _prove(
        self, channel: Channel, job: Job, conversation_id: str, known: set[str], *, pressed_now: bool = True
    ) -> None:
        """Watch for the message; if it does not come, look once more on a page that is reloaded.

        It is ours by the id that the site itself named for our press, else by its text (docs/own-messages.md).
        After a crash (not ``pressed_now``) the page has just been loaded, and the site has had its time: a shorter
        look decides. What shows up later still is settled by SYNC.
        """
        named = job.receipt_external_id
        if not channel.capabilities.has_history:  # it shows only what it told, and was asked about that
            await asyncio.to_thread(self._rows.unconfirmed, job, "no_proof", named)
            return

        def is_ours(text: str | None) -> bool:
            return self._rows.is_reply(job, text, None)

        def there(view: SeenConversation) -> bool:
            nonlocal named
            named = view.made.get(job.id, named)
            ids = [m.external_id for m in view.messages]
            first = ids.index(job.after_external_id) + 1 if job.after_external_id in ids else 0
            return any(
                m.external_id not in known
                and m.role is AuthorRole.HOST
                and not m.deleted
                and (m.external_id == named or (m.kind is MessageKind.TEXT and is_ours(m.text)))
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
        except ChannelGone:
            await asyncio.to_thread(self._rows.keep_name, job, named)
            raise
        except Halt as halt:
            await self._give_up_looking(job, f"{halt.kind}_after_send", named)
            raise
        except NightporterError as error:
            logger.warning("Looking for reply {} failed: {}", job.id, error)
            view = None
        if view is None:
            await asyncio.to_thread(self._rows.unconfirmed, job, "no_proof", named)
        else:
            await asyncio.to_thread(self._rows.settle, job, view)

    async def _found(self, channel: Channel, job: Job, conversation_id: str) -> bool:
        """Ask the remote what became of the press. True if it knows, and the job has gone where that leads."""
        self._mark("SEND: asking what became of the press")
        found = await channel.find(conversation_id, Press(job.id, job.after_external_id, job.armed_at))
        if isinstance(found, Receipt):
            await asyncio.to_thread(self._rows.settle_by_receipt, job, found)
        elif found is Finding.NOT_SENT:
            await self._give_back(channel, job, conversation_id, NotPressed("The other side has it not."))
        return found not in (Finding.SENT, Finding.UNKNOWN)

    async def _give_up_looking(self, job: Job, reason: str, named: str | None = None) -> None:
        """At a halt. If even the database is in trouble the job stays armed, and is looked for after the halt."""
        try:
            await asyncio.to_thread(self._rows.unconfirmed, job, reason, named)
        except TransientError as trouble:
            logger.warning("Reply {} stays armed: {}", job.id, trouble)

    async def _read(
        self, channel: Channel, job: Job, conversation_id: str, *, anew: bool = False
    ) -> SeenConversation:
        """The conversation, back to what is stored: what is taken in has no gap."""
        self._mark("SEND: reading")
        known = await asyncio.to_thread(self._rows.known_ids, job)
        oldest = self._clock() - self._rules.max_age
        return await channel.read(
            conversation_id, enough=lambda view: reaches_known(view, known, oldest), anew=anew
        )

    # -- what was left in the middle ------------------------------------------------------------------------

    async def _recover(
        self, channel: Channel, keep_going: Callable[[], bool]
    ) -> tuple[int, TransientError | None]:
        """Jobs in processing while nobody is at work: not armed, back to pending; armed, settled by reading only.

        If a reply's conversation can't be read now, the reply stays `processing` and the others go on.
        """
        handled, trouble = 0, None
        for job in await asyncio.to_thread(self._rows.left_behind):
            if not keep_going():
                break
            try:
                await self._recover_one(channel, job)
                handled += 1
            except StaleJob:
                logger.debug("Reply {} is somebody else's", job.id)
            except ChannelGone:
                raise
            except TransientError as error:
                logger.warning("Reply {} cannot be looked for this time: {}", job.id, error)
                trouble = error
        return handled, trouble

    async def _recover_one(self, channel: Channel, job: Job) -> None:
        if not job.armed:
            await asyncio.to_thread(self._rows.release_lost, job)
            return
        logger.info("Reply {} was left after its arm; looking whether it was sent", job.id)
        mine = await asyncio.to_thread(self._rows.take_over, job)
        conversation_id = await asyncio.to_thread(self._rows.external_id, job)
        known = await asyncio.to_thread(self._rows.known_at_arm, job)
        try:
            if await self._found(channel, mine, conversation_id):
                return
            await self._read(channel, mine, conversation_id, anew=True)
        except PermanentError as error:
            await asyncio.to_thread(self._rows.unconfirmed, mine, error.reason)
            return
        await self._prove(channel, mine, conversation_id, known, pressed_now=False)

    # -- giving back before the press -------------------------------------------------------------------------

    async def _give_back(
        self, channel: Channel, job: Job, conversation_id: str, error: NightporterError
    ) -> None:
        """Send was not pressed, this process knows it: the job goes back, is held or fails. Halts go on up."""
        try:
            await asyncio.to_thread(self._rows.write_back, job, error)
        except StaleJob:
            logger.info("Reply {} changed hands meanwhile", job.id)
        except TransientError as trouble:
            if not isinstance(error, (Halt, ChannelGone)):
                raise
            logger.warning("Reply {} stays claimed: {}", job.id, trouble)
        if isinstance(error, (Halt, ChannelGone)):
            raise error
        if isinstance(error, TransientError) and not isinstance(error, ComposerBusy):
            await self._clear(channel, conversation_id)

    async def _let_go(self, channel: Channel, job: Job, conversation_id: str) -> None:
        """The program ends before the press: the reply goes back as it was, the composer is emptied if possible."""
        try:
            await asyncio.to_thread(self._rows.let_go, job)
            async with asyncio.timeout(_LAST_WORD_SEC):
                await self._clear(channel, conversation_id)
        except (NightporterError, TimeoutError) as trouble:  # found and released by the next start
            logger.debug("Reply {} was left at the end: {}", job.id, type(trouble).__name__)

    async def _clear(self, channel: Channel, conversation_id: str) -> None:
        try:
            await channel.clear(conversation_id)
        except ChannelGone:
            raise
        except TransientError as trouble:
            logger.debug("The composer was not emptied: {}", trouble)
