"""Shows that somebody types while a part of an answer waits until it would have been typed.

Takes no turn and delays nothing: a remote that does not show it is no trouble.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from loguru import logger

from src.channels.base import Channel, ShowsTyping
from src.db import accounts, conversations, outbox_views
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import Halt, NightporterError
from src.model.retry import WORKER
from src.model.rows import Job
from src.workers.loop import Loop

LONGEST_WAIT_SEC = 15.0
AGAIN_SEC = 20.0
"""A remote shows it for some 25 seconds; a longer typing is shown again."""
_SHOW_WITHIN_SEC = 5.0


class Typing:
    """Runs beside SEND, for one account."""

    def __init__(
        self,
        db: Database,
        account: str,
        open_channel: Callable[[], Channel | None],
        *,
        wakeup: Wakeup,
        clock: Callable[[], datetime],
    ) -> None:
        """``open_channel``: the account's channel while it is open, used without a turn."""
        self._db = db
        self._account = account
        self._open_channel = open_channel
        self._wakeup = wakeup
        self._clock = clock
        self._shown: dict[str, datetime] = {}
        """Job → when it was shown last."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped. Never raises for what the remote or the database does."""
        await Loop(self._step, backoff=WORKER, wakeup=self._wakeup).run(stop)

    async def _step(self, _stop: asyncio.Event) -> float:
        try:
            return await self.run_once()
        except NightporterError as error:
            logger.debug("Typing could not be shown: {}", type(error).__name__)
            return LONGEST_WAIT_SEC

    async def run_once(self) -> float:
        """Show it where it is due. Returns the seconds until it is due next."""
        channel = self._open_channel()
        if channel is None or not channel.capabilities.shows_typing or not isinstance(channel, ShowsTyping):
            return LONGEST_WAIT_SEC
        pause, now = LONGEST_WAIT_SEC, self._clock()
        due: list[tuple[Job, str]] = await asyncio.to_thread(self._look, now)
        self._shown = {job.id: self._shown[job.id] for job, _ in due if job.id in self._shown}
        for job, external_id in due:
            begins = job.typing_from_at or job.due_at
            shown = self._shown.get(job.id)
            wait = (begins - now).total_seconds()
            if shown is not None:
                wait = AGAIN_SEC - (now - shown).total_seconds()
            if wait <= 0:
                self._shown[job.id] = now
                await self._show(channel, external_id)
                wait = AGAIN_SEC
            pause = min(pause, wait)
        return pause

    def _look(self, now: datetime) -> list[tuple[Job, str]]:
        """What is typed now or soon, with the conversation's id at the remote; nothing while nothing is sent."""
        with self._db.read() as conn:
            state = accounts.find(conn, self._account)
            if state is None or state.paused or state.halted:
                return []
            waiting = [job for job in outbox_views.next_typing(conn, self._account) if job.due_at > now]
            first: dict[str, Job] = {}
            for job in waiting:
                first.setdefault(job.conversation_id, job)
            return [(job, conversations.get(conn, home).external_id) for home, job in first.items()]

    async def _show(self, channel: ShowsTyping, external_id: str) -> None:
        try:
            async with asyncio.timeout(_SHOW_WITHIN_SEC):
                await channel.typing(external_id, on=True)
        except (NightporterError, Halt, TimeoutError) as error:
            logger.debug("Typing was not shown: {}", type(error).__name__)
