"""A house that is set back to the same beginning again and again, quickly: replies that wait to be sent."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from uuid import UUID

from loguru import logger

from src.db.engine import Database
from src.db.statements import ACCOUNTS, CONVERSATIONS, INBOX, MESSAGES, OUTBOX, VISITORS
from src.model import values
from tests.conftest import Clock
from tests.faults.people import Texts
from tests.support.channel import FakeChannel
from tests.support.house import House
from tests.support.site import FakeSite

BEGIN_AFTER_SEC = 70.0


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The database (SQLite's pages, in memory) and the time at which the stories begin."""

    pages: sqlite3.Connection
    now: datetime
    asked: dict[str, dict[str, str | None]]


class Stage:
    """``await set(2)``: two conversations, each with a reply in the outbox, made by the product's own services.

    On SQLite the beginning is made once and copied back for each story; elsewhere it is made again each time.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        make_channel: Callable[[FakeSite], Any] = FakeChannel,
        *,
        make_house: Callable[..., House] = House,
        level: str = "A",
    ) -> None:
        """``level``: whose stories these are, for the line that plays one again."""
        self.level = level
        self.house = make_house(db, clock, make_channel=make_channel)
        self.house._since = datetime.min.replace(tzinfo=UTC)  # clocks jump here: every job counts
        self.clock = clock
        self.text = Texts()
        self._start = clock()
        self._beginnings: dict[int, _Beginning] = {}

    def close(self) -> None:
        self.house.wakeup.close()

    async def set(self, conversations: int) -> House:
        """The house at the beginning of a story with so many conversations."""
        known = self._beginnings.get(conversations)
        if known is None:
            with ids_from(conversations):
                await self._make(conversations)
            await self.house.begin_again()
            return self.house
        set_back(self.house.db, known.pages)
        self._fresh_site(conversations)
        self.text = Texts(2 * conversations)  # each has a question and an answer
        self.clock.set(known.now)
        self.house.asked = {request: dict(texts) for request, texts in known.asked.items()}
        await self.house.begin_again()
        self.house.start_anew()
        return self.house

    def _fresh_site(self, conversations: int) -> None:
        self.clock.set(self._start)
        self.text = Texts()
        self.house.site = self.house.make_site()
        for _ in range(conversations):
            self.house.site.conversation(self.text())

    async def _make(self, conversations: int) -> None:
        house = self.house
        forget_everything(house.db)
        self._fresh_site(conversations)
        house.asked.clear()
        house.start_anew()
        await house.synced()
        self.clock.advance(BEGIN_AFTER_SEC)
        for request in house.ask_ai():
            house.answer(request, self.text())
        if house.db.dialect == "sqlite":
            pages = copied(house.db)
            asked = {request: dict(texts) for request, texts in house.asked.items()}
            self._beginnings[conversations] = _Beginning(pages, self.clock(), asked)


def forget_everything(db: Database) -> None:
    """Empty the tables, but keep the account and whose inbox it is."""
    with db.write() as conn:
        for table in (VISITORS, MESSAGES, OUTBOX, INBOX, CONVERSATIONS):
            conn.execute(table.delete())
        conn.execute(ACCOUNTS.update().values(swept_through=None))


def copied(db: Database) -> sqlite3.Connection:
    """All of an SQLite database, in memory."""
    pages = sqlite3.connect(":memory:")
    with _raw(db) as raw:
        raw.backup(pages)
    return pages


def set_back(db: Database, pages: sqlite3.Connection) -> None:
    """Make the database what it was."""
    with _raw(db) as raw:
        pages.backup(raw)


@contextmanager
def _raw(db: Database) -> Iterator[sqlite3.Connection]:
    with db._engine.connect() as conn:
        driver: Any = conn.connection.driver_connection
        driver.rollback()
        yield driver


@contextmanager
def ids_from(seed: int) -> Iterator[None]:
    """The product's new ids come from the seed: where two rows are of the same instant, they decide which is first."""
    dice = random.Random(seed)
    with patch.object(values, "uuid4", lambda: UUID(int=dice.getrandbits(128), version=4)):
        yield


@contextmanager
def in_one_thread() -> Iterator[None]:
    """Database functions run where they are called, and nothing is logged: many more stories in a second.

    What the product computes is the same; only the hop to another thread is left out.
    """
    hop = asyncio.to_thread

    async def stay(function: Any, /, *arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    asyncio.to_thread = stay  # type: ignore[assignment]
    logger.disable("src")
    try:
        yield
    finally:
        asyncio.to_thread = hop
        logger.enable("src")
