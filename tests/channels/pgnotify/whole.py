"""The product on the app's tables, without processes: SYNC, an AI that answers at once, SEND, in turn."""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from src.channels.pgnotify.channel import PgnotifyChannel
from src.db.engine import Database
from src.errors import ChannelGone, TransientError
from src.model.retry import Backoff, SendRetries
from src.model.values import utc_now
from src.services.intake import Rules
from src.services.send import Pace
from tests.support.house import RULES, House

AT_ONCE = replace(RULES, grouping_delay=timedelta(0), grouping_max=timedelta(0), human_pause=timedelta(0))


class Whole:
    """One account. ``turn`` is what the workers do, once."""

    def __init__(self, db: Database, channel: PgnotifyChannel, rules: Rules = AT_ONCE) -> None:
        self.house = House(db, utc_now, rules=rules)
        self.channel = channel
        soon = SendRetries(Backoff(0.01, 300.0))
        self.house.send = self.house.new_send(pace=Pace(proof=1.0, retries=soon))
        self._numbers = itertools.count(1)
        self._is_open = True
        self.changed = 0
        """How many conversations of the last look were not as they had been taken in."""
        self.asked: set[str] = set()
        """Every text that the AI was given."""

    async def turn(self) -> None:
        """One cycle of each; what a lost connection ends is done again by the next one."""
        with suppress(TransientError):
            if not self._is_open:
                await self.channel.open()
                self._is_open = True
            try:
                report = await self.house.sync.run_once(self.channel)
                self.changed = report.changed
                self.answer()
                await self.house.send.run_once(self.channel)
            except ChannelGone:
                self._is_open = False
                await self.channel.close()

    def answer(self) -> None:
        """The AI answers everything that is due."""
        for request in self.house.ask_ai():
            self.asked |= {text for text in self.house.asked[request.id].values() if text}
            self.house.answer(request, f"Answer {next(self._numbers)}")

    async def settle(self, turns: int = 200) -> None:
        """Until there is nothing left to do: no request is open, no reply waits, and nothing more is told."""
        calm = 0
        for _ in range(turns):
            self.changed = 1
            await self.turn()
            if not self._is_open:
                continue
            waits = any(job.status in ("pending", "processing") for job in self.house.jobs())
            calm = 0 if waits or self.changed or self._open_requests() else calm + 1
            await self.channel.wait_for_news(0.2)
            if calm == 2:
                return
        raise AssertionError("It does not come to rest.")

    def _open_requests(self) -> bool:
        with self.house.db.read() as conn:
            found = conn.exec_driver_sql(
                "SELECT count(*) FROM queue_inbox WHERE status IN ('pending', 'processing', 'waiting')"
            )
            return bool(found.scalar_one())
