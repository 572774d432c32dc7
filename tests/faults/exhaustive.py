"""Level A, every plan: each sequence of up to three troubles, at every step, not a sample of them.

A run of SEND is made to fail at its first, second, … n-th call to the site and transaction, in every way there is,
until there is no n-th one. Each state that it leaves behind (all rows, all of the site) is the beginning of
further runs. States that are the same are gone on from once; so what is executed is much less than what is covered,
and both are counted. Every state is also looked after as if the trouble were over, and judged.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from src.db.engine import Database
from src.db.statements import ACCOUNTS, CONVERSATIONS, INBOX, MESSAGES, OUTBOX
from src.errors import ChannelGone, Halt, TransientError, WallHit
from tests.conftest import Clock
from tests.faults.invariants import broken_promises
from tests.faults.plan import Plan
from tests.faults.stage import Stage, copied, in_one_thread, set_back
from tests.faults.story import ACCEPTANCES, replay_line, settle
from tests.faults.tally import Tally
from tests.support.channel import Crash, FakeChannel
from tests.support.house import TroubledDatabase
from tests.support.site import Acceptance, FakeSite

BETWEEN_SEC = 400.0
"""Longer than any back-off, so that every run has something to do."""
WAYS = ACCEPTANCES[1:6]
"""In which the site takes a message: here each of them once, but for a rewritten one, which is proven by its id."""
_GROWN = object()
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
    key: bytes
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
        for error in (Crash, ChannelGone, TransientError, _wall)
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

    Seed 0 to 4: two troubles in a row; 5 to 9: three; 10 to 14: four.
    """
    return trees(plan)


def trees(
    plan: Plan,
    depth: int | None = None,
    make_channel: Callable[[FakeSite], FakeChannel] = FakeChannel,
    conversations: int = 1,
) -> Iterator[Tally]:
    """The same with so many troubles in a row, on this kind of channel, with a reply in each conversation.

    A trial comes in parts, of which the last counts as the trial."""
    db = Database.open(plan.fresh())
    with in_one_thread(), asyncio.Runner() as runner:
        stage = Stage(db, Clock(), make_channel)
        try:
            for seed in plan.seeds:
                tree = _Tree(
                    stage,
                    WAYS[seed % len(WAYS)],
                    replay_line("A-tree", seed, plan.database),
                    conversations,
                )
                growing = tree.grow(depth or 2 + seed // len(WAYS))
                while runner.run(anext(growing, _GROWN)) is not _GROWN:
                    yield tree.harvest(trials=0)
                yield tree.harvest()
        finally:
            stage.close()
            db.close()


class _Tree:
    def __init__(self, stage: Stage, acceptance: Acceptance, name: str, conversations: int) -> None:
        self.conversations = conversations
        self.stage = stage
        self.house = stage.house
        self.acceptance = acceptance
        self.name = name
        self.tally = Tally()
        self._judged: set[bytes] = set()
        self._plans: dict[tuple[bytes, int], int] = {}
        """What is known of a state: how many plans of so many troubles go on from it."""

    def harvest(self, trials: int = 1) -> Tally:
        """What was counted since the last time."""
        ripe, self.tally = self.tally, Tally()
        ripe.trials = trials
        return ripe

    async def grow(self, depth: int) -> AsyncIterator[None]:
        """Depth first, so that only the states of one plan are kept at a time. Stops at each, to be looked at."""
        await self.stage.set(self.conversations)
        self.house.site.acceptance = self.acceptance
        start = self._state()
        async for _ in self._go_on(start, depth):
            yield
        self.tally.count("plans", self._plans[start.key, depth])

    async def _go_on(self, state: _State, depth: int) -> AsyncIterator[None]:
        """From a state that was judged: judge what follows, and go on from there. Counts the plans that makes."""
        plans = 0
        async for after in self._troubled(state):
            if after.key not in self._judged:
                self._judged.add(after.key)
                await self._judge(after)
                yield
            if depth > 1 and (after.key, depth - 1) not in self._plans:
                async for _ in self._go_on(after, depth - 1):
                    yield
            plans += 1 + self._plans.get((after.key, depth - 1), 0)
        self._plans[state.key, depth] = plans

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

    def _key(self) -> bytes:
        """Of all that the next process can see: every row, everything on the site. Random ids by their first place."""
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
        text = _UUID.sub(lambda found: names.setdefault(found[0], f"id-{len(names)}"), text)
        return hashlib.blake2b(text.encode(), digest_size=16).digest()
