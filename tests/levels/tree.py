"""Level A, every plan: each sequence of up to three troubles, at every step, not a sample of them.

A run of SEND is made to fail at its first, second, … n-th call to the site and transaction, in every way there is,
until there is no n-th one. Each state that it leaves behind (all rows, all of the site) is the beginning of
further runs. States that are the same are gone on from once; so what is executed is much less than what is covered,
and both are counted. Every state is also looked after as if the trouble were over, and judged.
"""

from __future__ import annotations

import asyncio
import copy
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from src.db.engine import Database
from src.db.statements import ACCOUNTS, CONVERSATIONS, INBOX, MESSAGES, OUTBOX
from src.errors import BrowserGone, Halt, TransientError, WallHit
from tests.conftest import Clock
from tests.fakes.channel import Crash
from tests.fakes.house import TroubledDatabase
from tests.fakes.site import FakeSite
from tests.levels.invariants import broken_promises
from tests.levels.plan import Plan
from tests.levels.stage import Stage, copied, in_one_thread, set_back
from tests.levels.story import ACCEPTANCES, replay_line, settle
from tests.levels.tally import Tally

BETWEEN_SEC = 400.0
"""Longer than any back-off, so that every run has something to do."""
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_OWNER = re.compile(r"worker-\d+")
_ORDER = {
    ACCOUNTS: ACCOUNTS.c.account,
    CONVERSATIONS: CONVERSATIONS.c.external_id,
    MESSAGES: MESSAGES.c.external_id,
    INBOX: INBOX.c.created_at,
    OUTBOX: OUTBOX.c.created_at,
}


@dataclass(frozen=True, slots=True)
class _State:
    key: str
    pages: sqlite3.Connection
    site: FakeSite
    now: datetime


@dataclass(frozen=True, slots=True)
class _Trouble:
    """``where``: a call (``before``, ``after``), the middle of ``write`` (``during``) or a transaction."""

    where: str
    error: Callable[[], BaseException]
    committed: bool = False


def _wall() -> BaseException:
    return WallHit("captcha", "a challenge is shown")


TROUBLES = (
    *[
        _Trouble(where, error)
        for where in ("before", "after")
        for error in (Crash, BrowserGone, TransientError, _wall)
    ],
    _Trouble("during", Crash),
    *[
        _Trouble("write", error, committed)
        for error in (Crash, TransientError)
        for committed in (False, True)
    ],
    *[_Trouble("read", error) for error in (Crash, TransientError)],
)


def trials(plan: Plan) -> Iterator[Tally]:
    """One trial for each way in which the site takes a message; the trial's seed says which, and how many troubles.

    Seed 0 to 5: two troubles in a row; 6 to 11: three.
    """
    return trees(plan)


def trees(plan: Plan, depth: int | None = None) -> Iterator[Tally]:
    """The same with so many troubles in a row."""
    db = Database.open(plan.fresh())
    with in_one_thread(), asyncio.Runner() as runner:
        stage = Stage(db, Clock())
        try:
            for seed in plan.seeds:
                tree = _Tree(stage, seed % len(ACCEPTANCES), replay_line("A-tree", seed, plan.database))
                runner.run(tree.grow(depth or 2 + seed // len(ACCEPTANCES)))
                yield tree.tally
        finally:
            stage.close()
            db.close()


class _Tree:
    def __init__(self, stage: Stage, acceptance: int, name: str) -> None:
        self.stage = stage
        self.house = stage.house
        self.acceptance = acceptance
        self.name = name
        self.tally = Tally()

    async def grow(self, depth: int) -> None:
        """From the beginning, breadth first; how many plans lead to a state is carried along."""
        await self.stage.set(1)
        self.house.site.acceptance = ACCEPTANCES[self.acceptance]
        level = {"": (self._state(), 1)}
        for _ in range(depth):
            further: dict[str, tuple[_State, int]] = {}
            for state, plans in level.values():
                async for after in self._troubled(state):
                    self.tally.count("plans", plans)
                    known = further.get(after.key)
                    further[after.key] = (known[0] if known else after, plans + (known[1] if known else 0))
            for state, _ in further.values():
                await self._judge(state)
            level = further

    async def _troubled(self, state: _State) -> AsyncIterator[_State]:
        for trouble in TROUBLES:
            number = 0
            while True:
                number += 1
                self._set(state)
                if not await self._run(trouble, number):
                    break
                self.tally.count("runs")
                self.house.clock.advance(BETWEEN_SEC)
                lines = broken_promises(self.house, settled=False)
                self.tally.judge(lines, f"{self.name} ({trouble.where} {number}, {trouble.error})")
                yield self._state()
                if trouble.where == "during":
                    break

    async def _run(self, trouble: _Trouble, number: int) -> bool:
        """One run of SEND with the trouble at its n-th step. False if there was no such step."""
        house, channel = self.house, self.house.channel
        struck: list[int] = []

        def strike() -> None:
            struck.append(number)
            raise trouble.error()

        db = None
        if trouble.where == "during":
            channel.during("write", strike)
        elif trouble.where in ("before", "after"):
            channel.fail_call(number, strike, after=trouble.where == "after")
        else:
            db = TroubledDatabase(house.db, number, strike, committed=trouble.committed, kind=trouble.where)
        with suppress(Crash, TransientError, Halt):
            await house.new_send(db).run_once(channel)
        return bool(struck)

    async def _judge(self, state: _State) -> None:
        """What if the trouble were over now?"""
        self._set(state)
        wrong = await settle(self.house, self.stage.text)
        self.tally.count("states")
        for job in self.house.jobs():
            self.tally.count(f"ended {job.status}")
        self.tally.judge([*wrong, *broken_promises(self.house)], f"{self.name} settled")

    def _set(self, state: _State) -> None:
        set_back(self.house.db, state.pages)
        self.house.clock.set(state.now)
        self.house.site = self._copy(state.site)
        self.house.start_anew()

    def _state(self) -> _State:
        house = self.house
        return _State(self._key(), copied(house.db), self._copy(house.site), house.clock())

    def _copy(self, site: FakeSite) -> FakeSite:
        clock = self.house.clock
        return copy.deepcopy(site, {id(clock): clock})

    def _key(self) -> str:
        """All that the next process can see: every row, everything on the site. Random ids by their first place."""
        site = self.house.site
        with self.house.db.read() as conn:
            rows = [
                tuple(row)
                for table, order in _ORDER.items()
                for row in conn.execute(table.select().order_by(order))
            ]
        there = [
            (where.external_id, where.draft, [vars(message) for message in where.messages])
            for where in site.conversations.values()
        ]
        presses = [
            (p.conversation.external_id, p.text, p.message and p.message.external_id) for p in site.presses
        ]
        names: dict[str, str] = {}
        text = _OWNER.sub("a worker", repr((rows, there, presses, self.house.clock())))
        return _UUID.sub(lambda found: names.setdefault(found[0], f"id-{len(names)}"), text)
