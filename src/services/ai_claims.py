"""Which requests are posted next: claimed fairly over the accounts, renewed in hand, taken back from the dead.

One transaction each. All of it blocks, and is called in a thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from loguru import logger

from src.account import Account
from src.db import inbox_queue
from src.db.engine import Connection, Database
from src.errors import StaleJob
from src.model.rows import Request
from src.services.askers import find_dead


class Claims:
    """The claims of one process, for all accounts together: none takes more than half while others wait."""

    def __init__(
        self,
        db: Database,
        accounts: Collection[Account],
        *,
        owner: str,
        at_once: int,
        is_at_work: Callable[[str], bool],
        in_process: Collection[str],
        lease: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        """``accounts``: those that have an AI. ``in_process``: the names of those whose AI lives in the process."""
        self._db = db
        self._accounts = accounts
        self._owner = owner
        self._at_once = at_once
        self._is_at_work = is_at_work
        self._in_process = in_process
        self._lease = lease
        self._clock = clock
        self._looked_for_dead = False
        self._last_served = 0

    def next_event_at(self) -> datetime | None:
        """When a request becomes due, loses its lease or expires next, maybe in the past; None if none will.

        The first time it takes back what a dead process held in hand for an AI that lives in the process.
        """
        if not self._looked_for_dead:
            self._take_back()
        return self._next_event_at()

    def _next_event_at(self) -> datetime | None:
        asked = self.asked()
        with self._db.read() as conn:
            times = [inbox_queue.next_event_at(conn, account.name) for account in asked]
        return min((at for at in times if at is not None), default=None)

    def asked(self) -> list[Account]:
        """The accounts whose AI is asked now, each time another one first."""
        found = [account for account in self._accounts if self._is_at_work(account.name)]
        first = self._last_served % len(found) if found else 0
        return found[first:] + found[:first]

    def tidy(self) -> None:
        """Take back what has lost its lease, expire what is overdue."""
        now = self._clock()
        lost: list[Request] = []
        expired: list[Request] = []
        with self._db.write() as conn:
            for account in self.asked():
                lost += inbox_queue.release_stale(conn, account.name, now)
                expired += inbox_queue.expire_overdue(conn, account.name, now)
        for request in lost:
            logger.bind(request_id=request.id).warning("a request was left in hand by a process that died")
        for request in expired:
            line = logger.bind(request_id=request.id, reason=request.reason)
            line.warning("no answer came while it would have been of use: a person should look")

    def claim(self, in_hand: Counter[str], *, first: bool) -> list[Request]:
        """What is due, one of each account after the other, as long as there is room."""
        asked, now = self.asked(), self._clock()
        if in_hand.total() >= self._at_once or not (first or self._is_due(now)):
            return []
        claimed: list[Request] = []
        # A claim that a power cut takes back is made again: to post twice is harmless.
        with self._db.write(durable=False) as conn:
            if len(asked) == 1:
                room = self._at_once - in_hand.total()
                claimed = self._claim_of(conn, asked[0], now, room)
            else:
                half, all_but_one = max(1, self._at_once // 2), self._at_once - 1
                claimed = self._claim_in_turn(conn, asked, in_hand, now, most=half, up_to=self._at_once)
                mine = in_hand + Counter(one.account for one in claimed)
                claimed += self._claim_in_turn(conn, asked, mine, now, most=all_but_one, up_to=all_but_one)
        self._last_served += 1
        return claimed

    def _claim_in_turn(
        self,
        conn: Connection,
        asked: list[Account],
        in_hand: Counter[str],
        now: datetime,
        *,
        most: int,
        up_to: int,
    ) -> list[Request]:
        """One of each account after the other: ``most`` in hand for one account, ``up_to`` in hand for all."""
        claimed: list[Request] = []
        mine, waiting = Counter(in_hand), list(asked)
        while waiting:
            for account in list(waiting):
                room = min(most - mine[account.name], up_to - mine.total())
                found = self._claim_of(conn, account, now, min(room, 1))
                if not found:
                    waiting.remove(account)
                mine[account.name] += len(found)
                claimed += found
        return claimed

    def _claim_of(self, conn: Connection, account: Account, now: datetime, limit: int) -> list[Request]:
        if limit <= 0:
            return []
        until = now + self._lease
        return inbox_queue.claim_due(
            conn, account.name, owner=self._owner, lease_until=until, now=now, limit=limit
        )

    def _is_due(self, now: datetime) -> bool:
        """A look that only reads, while others are being posted: a claim would keep writers waiting."""
        due = self._next_event_at()
        return due is not None and due <= now

    def renew(self, request_ids: list[str]) -> None:
        """These are still in hand: a living process keeps its leases."""
        with self._db.write() as conn:
            inbox_queue.renew(conn, request_ids, self._owner, lease_until=self._clock() + self._lease)

    def give_back(self, request: Request) -> None:
        """It was not posted to the end: due at once. Never raises StaleJob."""
        try:
            with self._db.write() as conn:
                inbox_queue.release(conn, request.id, self._owner, due_at=self._clock(), error="interrupted")
        except StaleJob:
            pass  # it had been settled already

    def _take_back(self) -> None:
        """At a start: what a dead process held in hand is asked again at once; nobody waits for its lease."""
        back: list[Request] = []
        with self._db.write() as conn:
            for name in self._in_process:
                owners = inbox_queue.owners_at_work(conn, name)
                dead = find_dead(owners, own=self._owner, one_machine=self._db.path is not None)
                back += inbox_queue.take_back(conn, name, dead, self._clock()) if dead else []
        self._looked_for_dead = True
        for request in back:
            logger.bind(request_id=request.id).info("a request of a process that ended is asked again")
