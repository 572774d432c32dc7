"""The product on a number on the simulated WhatsApp, without processes: calls are taken in as the API does."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from src.channels.base import Place
from src.channels.whatsapp import build
from src.channels.whatsapp.settings import WhatsappSettings
from src.db.engine import Database
from src.errors import CallRefused, TransientError
from src.model.hearing import Incoming
from src.model.rows import Job
from src.model.values import utc_now
from src.services.hearing import Hearing, take
from src.services.refusals import Conflict
from src.services.send import Pace
from src.services.store import StoredHere
from tests.support.house import ACCOUNT, RULES, House
from tests.support.waiting import came

AT_ONCE = replace(RULES, grouping_delay=timedelta(0), grouping_max=timedelta(0), human_pause=timedelta(0))
GERDA = "33612345678"


def settings_of(cloud: Any, **changes: Any) -> WhatsappSettings:
    given: dict[str, Any] = {
        "base_url": cloud.url,
        "phone_id": cloud.phone_id,
        "token": SecretStr(cloud.token),
        "app_secret": SecretStr(cloud.app_secret),
        "verify_token": SecretStr("a-word-of-our-own"),
        "proof_sec": 0.3,
    }
    return WhatsappSettings(**{**given, **changes})


def incoming(body: bytes, headers: dict[str, str], *, method: str = "POST", **query: str) -> Incoming:
    lower = {name.lower(): value for name, value in headers.items()}
    return Incoming(method, "/hooks/default", query, lower, body, "127.0.0.1")


class Line:
    """One account. The cloud calls it from its own thread, as the service calls the API."""

    def __init__(self, db: Database, cloud: Any, folder: Path, **changes: Any) -> None:
        self.cloud = cloud
        self.folder = folder
        self.house = House(db, utc_now, rules=AT_ONCE)
        store = StoredHere(db, ACCOUNT, AT_ONCE, utc_now)
        place = Place(account=ACCOUNT, session_dir=folder, evidence_dir=folder, store=store)
        self.channel = build(settings_of(cloud, **changes), place)
        self.channel.find_sec = 1.0
        self.hearing = Hearing(ACCOUNT, self.channel, AT_ONCE, folder)
        self.house.channel = self.channel  # type: ignore[assignment]
        self.send = self.house.new_send(pace=Pace(proof=0.5))
        self._numbers = itertools.count(1)
        self.asked: list[str] = []
        self.database_is_away = False
        cloud.take_call = self.take_call

    def take_call(self, body: bytes, headers: dict[str, str]) -> int:
        if self.database_is_away:
            return 503
        call = incoming(body, headers)
        try:
            heard = self.channel.hear(call)
            if not heard.mine:
                return 401
            take(self.house.db, self.house.wakeup, self.hearing, call, heard, utc_now)
        except CallRefused as error:
            return error.status
        except TransientError:
            return 503
        return 200

    def close(self) -> None:
        self.house.wakeup.close()

    def heard(self, within_sec: float = 20) -> None:
        """Wait until everything that the service has to tell was told."""
        assert came(self.cloud.all_told, within_sec, every_sec=0.01)

    def answer(self, text: str | None = None) -> list[Job]:
        """The AI answers everything that is due."""
        made = []
        for request in self.house.ask_ai():
            self.asked += [text for text in self.house.asked[request.id].values() if text]
            with suppress(Conflict):  # a call of the service has overtaken it in the same instant
                done = self.house.answer(request, text or f"Answer {next(self._numbers)}").job
                made += [done] if done else []
        return made

    async def open(self) -> None:
        await self.channel.open()

    async def reply_to(self, number: str, said: str = "Is it free?", reply: str = "Yes, it is.") -> Job:
        """A user writes, the AI answers; the reply is in the outbox."""
        self.cloud.user_writes(number, said)
        self.heard()
        (job,) = self.answer(reply)
        return job

    async def turn(self) -> None:
        with suppress(TransientError):
            self.answer()
            await self.send.run_once(self.channel)

    async def settle(self, turns: int = 100) -> None:
        """Until nothing is left to do."""
        for _ in range(turns):
            self.heard()
            await self.turn()
            self.heard()
            if not self._busy():
                return
        raise AssertionError("It does not come to rest.")

    def _busy(self) -> bool:
        with self.house.db.read() as conn:
            found = conn.exec_driver_sql(
                "SELECT (SELECT count(*) FROM queue_inbox WHERE status IN ('pending', 'processing', 'waiting'))"
                " + (SELECT count(*) FROM queue_outbox WHERE status IN ('pending', 'processing'))"
            )
            return bool(found.scalar_one())

    def count(self, table: str) -> int:
        with self.house.db.read() as conn:
            return int(
                conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            )  # a name of our own

    def job(self, job: Job) -> Job:
        return self.house.job(job)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        assert came(condition, 10, every_sec=0.02)
