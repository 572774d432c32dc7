"""Reconnect from anywhere: one person, let in by a one-time link, drives the browser of the saved login.

    link() ──▶ enter() ──▶ browser opened ──▶ the person logs in ──▶ closed ──▶ headless proof ──▶ halt over
    (dashboard, (the link  (under its lock)   (watch, act)                      (as workers read)
     script)    is used up)

The person acts; nothing here does, but for opening the inbox. Pictures and gestures pass through and are not kept.
What is typed is in no log and in no error.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from loguru import logger

from src.account import Account
from src.channels.base import Attended, Screen
from src.db import accounts
from src.db.engine import Database
from src.errors import ChannelGone, Halt
from src.logs import safe_error
from src.model.remote import Gesture, Link, LinkRefused, Picture, Refused, RemoteState, Stage
from src.services.after_halt import Released
from src.workers.parts import Machine, Parts
from src.workers.pictures import Pictures
from src.workers.reconnect import BROWSER_SEC, prove_and_end_halt

_AT_WORK = (Stage.OPENING, Stage.SHOWING, Stage.CHECKING)


@dataclass(frozen=True, slots=True)
class RemotePace:
    """Times of the remote view, in seconds. The defaults are the product's; tests shorten them."""

    link: float = 600.0
    """How long a new link waits for its first use."""
    person: float = 900.0
    """How long the browser waits for the person to get in."""
    viewer_gone: float = 60.0
    """After this time without a viewer the browser is closed: a phone may lose its network for a moment."""
    told_every: float = 5.0
    """The state is told at least this often; a viewer that has gone is noticed by it."""


@dataclass(frozen=True, slots=True)
class _Right:
    """A link or a viewer's key: its hash, and when the halt began for which it was given.

    ``halted_at`` None: given without a halt (the script, at a first login); then only DONE ends it.
    """

    mark: str
    account: Account
    halted_at: datetime | None

    def is_of(self, secret: str) -> bool:
        return hmac.compare_digest(self.mark, _mark(secret))


class Remote:
    """One remote view, of one account's browser at a time. Everything is called on one event loop.

    A link and a viewer's key end with the halt for which they were given: each call looks whether that one stands.
    """

    def __init__(
        self,
        accounts: Sequence[Account],
        machine: Machine,
        db: Database,
        *,
        only_when_halted: bool = True,
        prove: Callable[[Account], Awaitable[Released]] | None = None,
        pace: RemotePace | None = None,
        parts: Parts | None = None,
    ) -> None:
        """``only_when_halted`` False: also for the first login, when there is no halt yet (the script)."""
        self._accounts = {account.name: account for account in accounts}
        self._account = accounts[0]
        self._machine = machine
        self._db = db
        self._only_when_halted = only_when_halted
        self._parts = parts or Parts()
        self._prove = prove or (lambda account: prove_and_end_halt(account, machine, db, parts=self._parts))
        self._pace = pace or RemotePace()
        self._link: tuple[_Right, float] | None = None
        self._used: set[str] = set()
        self._viewer: _Right | None = None
        self._screen: Screen | None = None
        self._state = RemoteState(Stage.CLOSED)
        self._news = asyncio.Event()
        self._stream = 0
        self._streams = 0
        self._left_at = 0.0
        self._person_is_done = asyncio.Event()
        self._over = asyncio.Event()
        self._nobody_watches = asyncio.Event()
        self._nobody_watches.set()
        self._run: asyncio.Task[None] | None = None
        self._closed = False

    # --- letting in ------------------------------------------------------------------------------------------

    @property
    def state(self) -> RemoteState:
        place = self._screen.place if self._screen is not None else ""
        state = self._state
        return RemoteState(state.stage, state.reason, place, state.released, state.stale)

    async def link(self, account: str | None = None) -> Link:
        """A new one-time link, for the named account (default: the first); one not used yet is void.

        LinkRefused: busy, not_halted.
        """
        whose = self._account_of(account)
        halted_at = await self._halted_at(whose)
        self._check_idle()
        token = secrets.token_urlsafe(24)
        self._link = (_Right(_mark(token), whose, halted_at), time.monotonic() + self._pace.link)
        logger.info("A link for the remote view was made; it can be used once")
        return Link(token, datetime.now(UTC) + timedelta(seconds=self._pace.link), whose.login)

    async def enter(self, token: str) -> str:
        """Use a link up: opens the browser and returns the viewer's key. LinkRefused says why not."""
        if _mark(token) in self._used:
            raise self._refuse("used")
        if self._link is None or not self._link[0].is_of(token):
            raise self._refuse("unknown")
        right, expires = self._link
        if time.monotonic() > expires:
            raise self._refuse("expired")
        self._check_idle()
        self._link = None
        self._used.add(right.mark)
        await self._check_halt_stands(right)
        self._check_idle()
        self._account = right.account
        self._start()
        viewer = secrets.token_urlsafe(24)
        self._viewer = _Right(_mark(viewer), right.account, right.halted_at)
        self._stream += 1  # earlier viewers see nothing of what comes
        logger.info("A person has entered the remote view")
        return viewer

    async def again(self, viewer: str) -> None:
        """Open the browser again for the same person, after FAILED. LinkRefused: not_yours, over, busy."""
        await self.check(viewer)
        self._check_idle()
        if self._state.stage is not Stage.FAILED:  # it succeeded while the halt was looked up
            raise self._refuse("over")
        self._start()

    def _start(self) -> None:
        self._check_idle()  # another call may have started one while this one looked for the halt
        self._left_at = time.monotonic()
        self._person_is_done.clear()
        self._tell(RemoteState(Stage.OPENING))
        self._run = asyncio.create_task(self._reconnect())

    async def check(self, viewer: str) -> None:
        """LinkRefused: ``not_yours`` for all but the last viewer who was let in, ``over`` after the halt's end."""
        right = self._right_of(viewer)
        if self._state.stage is Stage.DONE:
            raise self._refuse("over")
        await self._check_halt_stands(right)

    def _right_of(self, viewer: str) -> _Right:
        if self._viewer is None or not self._viewer.is_of(viewer):
            raise self._refuse("not_yours")
        return self._viewer

    def _check_idle(self) -> None:
        if self._state.stage in _AT_WORK:
            raise self._refuse("busy")

    async def _check_halt_stands(self, right: _Right) -> None:
        if not await self._halt_stands(right):
            raise self._refuse("over")

    async def _halt_stands(self, right: _Right) -> bool:
        # While it is checked, the halt may be over in the database a moment before the viewer hears of it.
        if right.halted_at is None or self._state.stage is Stage.CHECKING:
            return True
        return await asyncio.to_thread(self._find_halt, right.account) == right.halted_at

    def _account_of(self, name: str | None) -> Account:
        return next(iter(self._accounts.values())) if name is None else self._accounts[name]

    async def _halted_at(self, account: Account) -> datetime | None:
        """When the halt began that stands now. LinkRefused (not_halted) without one, where one is needed."""
        halted_at = await asyncio.to_thread(self._find_halt, account)
        if halted_at is None and self._only_when_halted:
            raise LinkRefused("not_halted")
        return halted_at

    def _find_halt(self, account: Account) -> datetime | None:
        with self._db.read() as conn:
            state = accounts.find(conn, account.name)
        return state.halted_at if state is not None else None

    @staticmethod
    def _refuse(reason: Refused) -> LinkRefused:
        logger.warning("Somebody was refused at the remote view: {}", reason)
        return LinkRefused(reason)

    # --- what the viewer does --------------------------------------------------------------------------------

    async def watch(self, viewer: str) -> AsyncGenerator[Picture | RemoteState]:
        """The state, at once and whenever it changes, and the pictures. A second watch ends the first one.

        Ends with DONE, and when the halt was ended elsewhere. LinkRefused: not_yours, over.
        """
        right = self._right_of(viewer)
        stands = await self._halt_stands(right)
        if (
            self._state.stage is Stage.DONE
            and await asyncio.to_thread(self._find_halt, self._account) is None
        ):
            yield self.state  # to a viewer whose connection was lost in that moment
            return
        if not stands:
            raise self._refuse("over")
        self._stream += 1
        mine = self._stream
        self._streams += 1
        self._nobody_watches.clear()
        self._news.set()  # the watch before this one looks, and ends
        told: RemoteState | None = None
        told_at = 0.0
        pictures = Pictures()
        try:
            while self._stream == mine and not self._closed:
                state = self.state
                if state != told or time.monotonic() - told_at >= self._pace.told_every:
                    if state.stage is not Stage.DONE and not await self._halt_stands(right):
                        return
                    told, told_at = state, time.monotonic()
                    yield state
                    if state.stage is Stage.DONE:
                        return
                pictures.follow(self._screen)
                self._news.clear()
                picture = await pictures.next_or(self._news, self._pace.told_every)
                if picture is not None and self._stream == mine:
                    yield picture
        finally:
            # Before anything that waits: when the viewer's connection ends, every wait here is cut short.
            self._streams -= 1
            self._left_at = time.monotonic()
            if not self._streams:
                self._nobody_watches.set()
            await pictures.stop()

    async def act(self, viewer: str, gestures: list[Gesture]) -> None:
        """What the person did. Without a page to do it on, nothing happens. LinkRefused: not_yours, over."""
        await self.check(viewer)
        if self._screen is not None and self._state.stage is Stage.SHOWING:
            with suppress(ChannelGone):
                await self._screen.act(gestures)

    async def finish(self, viewer: str) -> None:
        """The person says that the inbox is there: check it now. LinkRefused: not_yours, over."""
        await self.check(viewer)
        self._person_is_done.set()

    async def close(self) -> None:
        """Close the browser, end the watching. Never raises; may be called twice."""
        self._closed = True
        self._news.set()
        run, self._run = self._run, None
        if run is not None:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)

    async def until_over(self) -> RemoteState:
        """Wait until the inbox was found readable, and the viewer has heard of it or had the time to."""
        await self._over.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.told_every):
                await self._nobody_watches.wait()
        return self.state

    # --- what happens ----------------------------------------------------------------------------------------

    async def _reconnect(self) -> None:
        try:
            went_away = await self._let_person_in()
            if went_away:
                self._tell(RemoteState(Stage.FAILED, went_away))
                return
            self._tell(RemoteState(Stage.CHECKING))
            done = await self._prove(self._account)
        except Halt as halt:
            logger.warning("The inbox is not readable yet: {}", halt.kind)
            self._tell(RemoteState(Stage.FAILED, halt.kind))
        except TimeoutError:
            self._tell(RemoteState(Stage.FAILED, "too_late"))
        except Exception as error:  # noqa: BLE001 (the edge: whatever it was, the viewer is told that it is over)
            logger.warning("The remote view did not work: {}", safe_error(error))
            self._tell(RemoteState(Stage.FAILED, "not_readable"))
        except asyncio.CancelledError:
            self._tell(RemoteState(Stage.CLOSED))
            raise
        else:
            self._tell(RemoteState(Stage.DONE, released=len(done.released), stale=len(done.stale)))

    async def _let_person_in(self) -> str | None:
        """Until the inbox shows or the person says so; else the word for why the browser was closed without."""
        channel = self._parts.make_channel(self._account, self._machine, headless=True)
        if not isinstance(channel, Attended):
            return None  # nobody logs in there: whether it can be read again is all there is to see
        exclusion = self._parts.make_exclusion(self._account, self._db)
        try:
            try:
                async with asyncio.timeout(BROWSER_SEC):
                    await exclusion.take()
            except TimeoutError:
                return "browser_in_use"
            ended_by = await self._until_in(channel)
            if ended_by is None:
                await channel.save_login()
            return ended_by
        finally:
            self._screen = None
            await channel.close()
            await exclusion.give()

    async def _until_in(self, channel: Attended) -> str | None:
        opening = asyncio.create_task(channel.open_for_person(self._pace.person, self._shown))
        said = asyncio.create_task(self._person_is_done.wait())
        gone = asyncio.create_task(self._until_viewer_is_gone())
        tasks = {opening, said, gone}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if opening in done:
                opening.result()
                return None
            return None if said in done else "viewer_gone"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _shown(self, screen: Screen) -> None:
        self._screen = screen
        self._tell(RemoteState(Stage.SHOWING))

    async def _until_viewer_is_gone(self) -> None:
        while True:
            await self._nobody_watches.wait()
            left = self._left_at + self._pace.viewer_gone - time.monotonic()
            if left <= 0:
                return
            await asyncio.sleep(left)

    def _tell(self, state: RemoteState) -> None:
        if state.stage is not self._state.stage:
            logger.info("Remote view: {}{}", state.stage, f" ({state.reason})" if state.reason else "")
        self._state = state
        self._news.set()
        if state.stage is Stage.DONE:
            self._over.set()


def _mark(token: str) -> str:
    """What is kept of a link: enough to know it again, not enough to use it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
