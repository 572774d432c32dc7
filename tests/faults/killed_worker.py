"""One process of ``services_killed``: SEND on a real channel and an AI that answers at once, until it is killed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from loguru import logger

from src.channels.base import Place
from src.db.engine import Database
from src.errors import TransientError
from src.model.retry import Backoff, SendRetries
from src.model.values import utc_now
from src.services.refusals import Conflict
from src.services.send import Pace
from src.services.store import StoredHere
from tests.faults.app_killed import Life, MortalDatabase
from tests.faults.killed_sides import SIDES
from tests.support.house import ACCOUNT, House
from tests.support.whatsapp import AT_ONCE

STEPS = ("read", "write", "reread", "press_send", "find")
_SOON = SendRetries(Backoff(0.01, 0.05), tries=10**6, lost_tries=10**6)
"""A reply at which one worker after another is killed would be held for a person after ten."""


class Worker:
    """What one process has of its own: SEND on the real channel, and an AI that answers at once."""

    def __init__(self, side: str, url: str, folder: Path, life: Life, seed: int) -> None:
        self._db = Database.open(f"sqlite:///{folder}/inbox.db")
        self.house = House(MortalDatabase(self._db, life), utc_now, rules=AT_ONCE)  # type: ignore[arg-type]
        store = StoredHere(self.house.db, ACCOUNT, AT_ONCE, utc_now)
        place = Place(account=ACCOUNT, session_dir=folder, evidence_dir=folder / "evidence", store=store)
        self.channel = SIDES[side].make_channel(url, place)
        for name in STEPS:
            setattr(self.channel, name, _announced(getattr(self.channel, name), life))
        self._send = self.house.new_send(pace=Pace(proof=0.2, retries=_SOON), owner=f"worker-{seed}")
        self._seed = seed
        self._answers = 0

    async def turn(self) -> None:
        """What is due is answered and sent."""
        with suppress(TransientError):
            for request in self.house.ask_ai():
                self._answers += 1
                with suppress(Conflict):
                    self.house.answer(request, f"Answer {self._seed}.{self._answers}")
            await self._send.run_once(self.channel)

    def again(self) -> None:
        """What was with the AI when its process died is asked again; what was put off is tried at once."""
        with self._db.write() as conn:
            conn.exec_driver_sql(
                "UPDATE queue_inbox SET status = 'pending', claimed_by = NULL, lease_until = NULL"
                " WHERE status IN ('processing', 'waiting')"
            )
            conn.exec_driver_sql("UPDATE queue_outbox SET due_at = created_at WHERE status = 'pending'")

    def is_idle(self) -> bool:
        with self._db.read() as conn:
            found = conn.exec_driver_sql(
                "SELECT (SELECT count(*) FROM queue_inbox WHERE status IN ('pending', 'processing', 'waiting'))"
                " + (SELECT count(*) FROM queue_outbox WHERE status IN ('pending', 'processing'))"
            )
            return not found.scalar_one()

    def close(self) -> None:
        self.house.wakeup.close()
        self._db.close()


def _announced(step: Any, life: Life) -> Any:
    async def announced(*what: Any, **how: Any) -> Any:
        life.point()
        done = await step(*what, **how)
        life.point()
        return done

    return announced


def live(side: str, url: str, folder: Path, seed: int, dies_at: int) -> None:
    """The life of one process; it does not come back from here."""
    logger.remove()

    async def work() -> None:
        worker = Worker(side, url, folder, Life(dies_at), seed)
        worker.again()
        await worker.channel.open()
        while True:
            await worker.turn()
            worker.again()
            await asyncio.sleep(0.01)

    asyncio.run(work())
