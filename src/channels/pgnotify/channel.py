"""An app's tables behind the port ``src/channels/base.py``; what is promised there is in ``docs/channels``."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid5

from loguru import logger
from psycopg import sql

from src.channels.base import Place
from src.channels.pgnotify import CAPABILITIES, is_conversation_id, wire
from src.channels.pgnotify.bell import Bell, Ear
from src.channels.pgnotify.catalogue import (
    Catalogue,
    chooses_ids,
    compares,
    differences,
    has_trigger,
    look_up,
)
from src.channels.pgnotify.link import Link
from src.channels.pgnotify.mapping import Mapping, load_mapping
from src.channels.pgnotify.settings import PgnotifySettings
from src.channels.pgnotify.statements import MESSAGES_READ, Statements, compose
from src.channels.pgnotify.typing import TypingShown, compose_typing
from src.channels.reading import follow_by_reading
from src.errors import (
    CannotWrite,
    ChannelGone,
    Halt,
    NightporterError,
    NotPressed,
    PageChanged,
    PermanentError,
    SettingsError,
    TransientError,
)
from src.model.inbox import BellState, InboxGlance, SeenConversation
from src.model.sending import Finding, Press, Receipt

NAMESPACE = UUID("5c0a7c34-53ac-4bd0-93d3-9d5c3a5b7c5f")
"""Of the ids of our messages: the id of a reply's message follows from the reply's own. Never to be changed."""
_AT_A_TIME = 50
_FOLLOW_EVERY_SEC = 0.25
_CLOCK = sql.SQL("SELECT now()")
_RING = sql.SQL("SELECT pg_notify(%(channel)s, '')")

_kept_their_server: set[str] = set()
"""The addresses that were proven once in this process."""
_proven: set[tuple[str, str]] = set()
"""The databases and mappings that were right once in this process: what does not fit there now has changed."""

T = TypeVar("T")


class PgnotifyChannel:
    """One account on an app's tables. The port says what each method promises."""

    name = "pgnotify"
    capabilities = CAPABILITIES

    def __init__(self, settings: PgnotifySettings, place: Place) -> None:
        missing = [
            f"PGNOTIFY_{name}: is not set; {advice}"
            for name, value, advice in (
                ("URL", settings.url, "write the address of the app's database"),
                ("MAPPING", settings.mapping, "write the path of the mapping, a TOML file"),
            )
            if value is None
        ]
        if settings.mapping is None or missing:
            raise SettingsError(missing)
        self._settings = settings
        self._place = place
        self._mapping: Mapping = load_mapping(settings.mapping)
        if settings.start and self._mapping.started_at is None:
            words = "is on, but the mapping has no [conversations] started_at; write its column"
            raise SettingsError([f"PGNOTIFY_START: {words}"])
        self._link: Link | None = None
        self._catalogue: Catalogue | None = None
        self._statements: Statements | None = None
        self._connecting = asyncio.Lock()
        self._bell: Bell | None = None
        self._has_trigger = False
        self._ear = Ear(self._mapping.conversation, self.is_conversation_id)
        self._ringing: asyncio.Task[None] | None = None
        self._told: dict[str, str] = {}
        """Conversation → the version in which it was told whole last."""
        self._span = timedelta(0)
        """So far back a thorough look goes."""
        self._behind = timedelta(0)
        """Our clock less theirs."""
        self._looked_at = self._thorough_at = -math.inf
        self._suspect = False
        """A statement was refused for what it names or may: the catalogue is looked at before the next one."""
        self._typing = TypingShown(settings.conninfo)
        self._senders: dict[str, str] = {}
        """Conversation → in whose name we write there, as it was last read."""
        self._here: dict[str, wire.Whole] = {}
        """The conversations in hand, as they were read last."""
        self.messages_at_once = MESSAGES_READ
        self._most: dict[str, int] = {}
        """How many messages of each are read."""
        self._written: dict[str, str] = {}

    # -- opening and closing --------------------------------------------------------------------------------

    def is_conversation_id(self, external_id: str) -> bool:
        there, mapping = self._catalogue, self._mapping
        kind = there.type_of(mapping.conversations, mapping.conversation_id) if there else ""
        if kind == "uuid":
            with suppress(ValueError):
                return str(UUID(external_id)) == external_id.lower()
            return False
        if kind in ("integer", "bigint", "smallint"):
            return external_id.isascii() and external_id.isdigit() and len(external_id) < 19
        return is_conversation_id(external_id)

    async def open(self) -> None:
        """SettingsError if the mapping does not fit the tables; PageChanged if it did before."""
        await self._connect()
        await self._prove()
        channels = tuple(
            name for name in (self._mapping.bell_messages, self._mapping.bell_conversations) if name
        )
        if self._bell is None and "none" not in channels and channels:
            self._bell = Bell.at(self._settings.conninfo, channels, self._ear)
            self._ringing = asyncio.get_running_loop().create_task(self._keep_ringing())

    async def _connect(self) -> Link:
        """The working connection, made again if need be, with the catalogue that was looked up over it."""
        async with self._connecting:
            if self._link is not None and self._link.is_open and not self._suspect:
                return self._link
            return await self._connect_anew()

    async def _connect_anew(self) -> Link:
        await self._hang_up()
        link = await Link.open(self._settings.conninfo)
        try:
            ((their_now,),) = await link.rows(_CLOCK)
            catalogue = await look_up(link, self._mapping)
            self._check(catalogue)
        except BaseException:
            await link.close()
            raise
        self._behind = datetime.now(UTC) - their_now
        self._catalogue, self._statements = catalogue, compose(self._mapping, catalogue)
        self._link, self._suspect = link, False
        self.capabilities = replace(
            CAPABILITIES,
            shows_typing=self._mapping.typing is not None,
            takes_key=chooses_ids(self._mapping, catalogue),
            compares=compares(catalogue),
        )
        return link

    async def _prove(self) -> None:
        """Once in a process: a lock, and a bell, behind a pooler that changes servers are silently none."""
        prove, address = self._place.prove, self._settings.conninfo
        if prove is not None and address not in _kept_their_server:
            await asyncio.to_thread(prove, address, "PGNOTIFY_URL")
            _kept_their_server.add(address)

    def _check(self, catalogue: Catalogue) -> None:
        wrong = differences(self._mapping, catalogue)
        key = (self._settings.conninfo, str(self._settings.mapping))
        if not wrong:
            _proven.add(key)
        elif key in _proven:
            raise PageChanged(
                "the tables of the mapping", f"the app's database ({wrong[0]})", evidence=self._keep(wrong)
            )
        else:
            raise SettingsError([f"PGNOTIFY_MAPPING: {line}" for line in wrong])

    def _keep(self, lines: list[str]) -> str | None:
        """What did not fit, for a person: names of tables and columns, nothing of what is in them."""
        path = self._place.evidence_dir / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-catalogue.txt"
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
        except OSError as error:
            logger.debug("No evidence was kept: {}", type(error).__name__)
            return None
        return str(path)

    async def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def typing(self, external_id: str, on: bool) -> None:
        """Where the mapping has a table for it; on a connection of its own. Never fails."""
        mapped, there, ask = self._mapping.typing, self._catalogue, self._statements
        if mapped is None or there is None or ask is None or not self.is_conversation_id(external_id):
            return
        try:
            sender = self._senders.get(external_id)
            if sender is None:
                rows = await self._typing.rows(ask.whole, {"ids": [external_id], "most": 1})
                sender = next((one.sender for one in self._as_whole(rows)), None)
            if sender is not None:
                values = {"id": external_id, "sender": sender, "on": on}
                await self._typing.show(compose_typing(mapped, there), values)
        except NightporterError as error:
            logger.debug("Typing was not shown: {}", type(error).__name__)

    async def close(self) -> None:
        await self._typing.close()
        bell, self._bell = self._bell, None
        ringing, self._ringing = self._ringing, None
        self._statements = None
        self._put_down_all()
        if ringing is not None:
            ringing.cancel()
            await asyncio.gather(ringing, return_exceptions=True)
        await self._hang_up()
        if bell is not None:
            await bell.leave(self._ear)

    async def _ring(self) -> None:
        own = {"channel": self._bell.own if self._bell else ""}
        await self._reading(lambda link, _: link.rows(_RING, own))

    async def _keep_ringing(self) -> None:
        """Rings the bell over the working connection: a dead bell, or a dead connection, shows within seconds."""
        while True:
            await asyncio.sleep(self._settings.self_ring_sec)
            bell = self._bell
            if bell is None or not bell.is_open:
                continue
            try:
                await bell.heard_within(self._ring)
            except NightporterError as error:
                logger.debug("The bell could not be rung: {}", type(error).__name__)

    async def _reading(self, ask: Callable[[Link, Statements], Awaitable[T]]) -> T:
        """Something that only reads; once more over a new connection if the old one went away."""
        if self._statements is None:
            raise ChannelGone("The inbox is not open.")
        try:
            return await self._ask(ask)
        except ChannelGone:
            return await self._ask(ask)

    async def _ask(self, ask: Callable[[Link, Statements], Awaitable[T]]) -> T:
        link = await self._connect()
        if self._statements is None:
            raise ChannelGone("The inbox is not open.")
        try:
            return await ask(link, self._statements)
        except PageChanged:
            self._suspect = True  # say what has changed, if the catalogue shows it
            await self._connect()
            raise

    # -- reading --------------------------------------------------------------------------------------------

    async def glance(self, since: datetime, *, thorough: bool = False) -> InboxGlance:
        """After a ring what it named; else what has a row since. What has changed is told whole."""
        self._put_down_all()
        named, unnamed, everything = self._ear.take()
        try:
            return await self._look(since, thorough or everything, named, unnamed)
        except BaseException:
            self._ear.told(None)  # what rang is not to be forgotten
            raise

    async def _look(self, since: datetime, thorough: bool, named: set[str], unnamed: bool) -> InboxGlance:
        now = time.monotonic()
        if thorough:
            self._span = max(self._span, datetime.now(UTC) - since)
        thorough = thorough or now - self._thorough_at >= self._settings.thorough_min * 60
        if thorough:
            await self._look_for_trigger()
        due = thorough or unnamed or not named or now - self._looked_at >= self._settings.poll_sec
        if not due:
            return InboxGlance(
                self._mapping.viewer,
                tuple(await self._whole(sorted(named))),
                complete=False,
                bell=self._rings,
            )
        since = min(since, datetime.now(UTC) - self._span) if thorough else since
        told = await self._since(since - self._behind, named)
        self._looked_at = now
        if thorough:
            self._thorough_at = now
            self._told = {one.external_id: one.version or "" for one in told}
        return InboxGlance(self._mapping.viewer, tuple(told), complete=True, bell=self._rings)

    async def _look_for_trigger(self) -> None:
        there = await self._reading(lambda link, _: has_trigger(link, self._mapping))
        if self._has_trigger and not there:
            self._ear.rang = False  # what rang was the trigger that is gone
        self._has_trigger = there

    @property
    def _rings(self) -> BellState:
        """Whether new rows announce themselves: by a trigger, or the app has rung by itself."""
        listens = self._bell is not None and self._bell.is_open
        return "rings" if listens and (self._has_trigger or self._ear.rang) else "none"

    async def _since(self, since: datetime, named: set[str]) -> list[SeenConversation]:
        heads = await self._reading(lambda link, ask: link.rows(ask.heads, {"since": since}))
        versions = {row[0]: row[1] for row in heads}
        changed = {one for one, version in versions.items() if self._told.get(one) != version} | named
        told = await self._whole(sorted(changed | await self._started(since)))
        whole = {one.external_id for one in told}
        same = [one for one in versions if one in self._told and one not in whole]
        found = [*told, *(await self._newest(same))]
        return sorted(found, key=lambda one: one.last_activity_at, reverse=True)

    async def _started(self, since: datetime) -> set[str]:
        """Conversations in which nobody has written yet; the young ones at every look: they are to be greeted."""
        if not self._settings.start:
            return set()

        async def ask(link: Link, statements: Statements) -> list[tuple[Any, ...]]:
            assert statements.started is not None  # noqa: S101 - the mapping was checked when the channel was made
            return await link.rows(statements.started, {"since": since})

        young = datetime.now(UTC) - self._behind - timedelta(minutes=self._settings.start_max_age_min)
        found = await self._reading(ask)
        return {one for one, began in found if began > young or one not in self._told}

    async def _whole(self, ids: list[str], most: int = MESSAGES_READ) -> list[SeenConversation]:
        found: list[SeenConversation] = []
        for start in range(0, len(ids), _AT_A_TIME):
            found += [one.view for one in await self._fetch(ids[start : start + _AT_A_TIME], most)]
        if most == MESSAGES_READ:
            self._told.update((one.external_id, one.version or "") for one in found)
        return sorted(found, key=lambda one: one.last_activity_at, reverse=True)

    async def _newest(self, ids: list[str]) -> list[SeenConversation]:
        """As in a list: what was told whole in this version already."""
        return [replace(one, opened=False, has_older=False) for one in await self._whole(ids, 1)]

    async def _fetch(self, ids: list[str], most: int) -> list[wire.Whole]:
        async def ask(link: Link, statements: Statements) -> list[tuple[Any, ...]]:
            return await link.rows(statements.whole, {"ids": ids, "most": most})

        return self._as_whole(await self._reading(ask))

    def _as_whole(self, rows: list[tuple[Any, ...]]) -> list[wire.Whole]:
        now = datetime.now(UTC)
        if rows:
            self._behind = now - rows[0][1]
        found = wire.conversations(
            self._mapping,
            rows,
            compared=self.capabilities.compares,
            now=now,
            starts=self._settings.start,
        )
        if self._mapping.typing is not None:
            self._senders.update((one.view.external_id, one.sender) for one in found if one.sender)
        return found

    async def wait_for_news(self, timeout: float) -> bool:
        """Until it rings, or the next look at an interval is due."""
        if self._statements is None:
            raise ChannelGone("The inbox is not open.")
        due = self._looked_at + self._settings.poll_sec - time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(timeout, due))):
                await self._ear.news.wait()
        except TimeoutError:
            return due <= timeout
        return True

    async def read(
        self,
        external_id: str,
        *,
        enough: Callable[[SeenConversation], bool] = lambda _: True,
        anew: bool = False,  # noqa: ARG002 - nothing is remembered that could be wrong
    ) -> SeenConversation:
        self._put_down(external_id)
        self._most[external_id] = self.messages_at_once
        found = await self._open_one(external_id)
        while found.view.has_older and not enough(found.view):
            self._most[external_id] *= 4
            found = await self._open_one(external_id)
        self._here[external_id] = found
        return found.view

    def _put_down(self, external_id: str) -> None:
        self._here.pop(external_id, None)
        self._written.pop(external_id, None)

    def _put_down_all(self) -> None:
        for one in (self._here, self._written, self._most):
            one.clear()

    async def _open_one(self, external_id: str) -> wire.Whole:
        if not self.is_conversation_id(external_id):
            raise PermanentError("That is no id of a conversation there.", reason="no_such_conversation")
        found = await self._fetch([external_id], self._most.get(external_id, self.messages_at_once))
        if not found:
            raise PermanentError(
                "The app's database has no such conversation.", reason="no_such_conversation"
            )
        return found[0]

    async def reread(self, external_id: str) -> SeenConversation:
        self._opened(external_id)
        self._here[external_id] = here = await self._open_one(external_id)
        return here.view

    async def follow(
        self, external_id: str, until: Callable[[SeenConversation], bool], timeout: float
    ) -> SeenConversation | None:
        return await follow_by_reading(lambda: self.reread(external_id), until, timeout, _FOLLOW_EVERY_SEC)

    def _opened(self, external_id: str) -> wire.Whole:
        if self._statements is None:
            raise ChannelGone("The inbox is not open.")
        here = self._here.get(external_id)
        if here is None:
            raise TransientError("The conversation is not in hand.")
        return here

    # -- writing --------------------------------------------------------------------------------------------

    async def write(self, external_id: str, text: str) -> None:
        here = self._opened(external_id)
        if not here.is_open or here.sender is None:
            raise CannotWrite("Nobody of ours can write in this conversation.")
        if len(text) > self.capabilities.longest_text:
            raise PermanentError("The reply is too long.", reason="too_long")
        self._written[external_id] = text

    async def clear(self, external_id: str) -> None:
        self._opened(external_id)
        self._written.pop(external_id, None)

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        """Compare-and-insert: the row is written if the conversation is still as it was read last."""
        here, text = self._opened(external_id), self._written.pop(external_id, None)
        if text is None or here.sender is None:
            raise NotPressed("Nothing is ready to be sent.")
        link, ask = self._link, self._statements
        if link is None or ask is None or not link.is_open:
            raise NotPressed("The connection to the app's database was lost before.")
        values = {
            "id": external_id,
            "key": message_id(press),
            "sender": here.sender,
            "text": text,
            "version": here.version,
        }
        written: list[tuple[Any, ...]] = []
        try:
            async with link.transaction() as within:
                await within.rows(ask.lock, values)
                written = await within.rows(ask.insert, values)
        except NightporterError as error:
            if written:
                raise  # the database may have done it, or may still do it
            self._suspect = self._suspect or isinstance(error, Halt)
            raise NotPressed(f"The app's database did not take it: {error}") from None
        if written:
            return Receipt(written[0][0], written[0][1] + self._behind_by_much())
        found = await self.find(external_id, press) if self.capabilities.takes_key else Finding.NOT_SENT
        if isinstance(found, Receipt):
            return found  # it was pressed before: the id is taken by our own message
        raise NotPressed("There is something in the conversation that was not read.")

    def _behind_by_much(self) -> timedelta:
        return self._behind if abs(self._behind) >= wire.LEAST_DIFFERENCE else timedelta(0)

    async def find(self, external_id: str, press: Press) -> Receipt | Finding:
        """By the id that our message has. The lock waits for a COMMIT that may still be on its way."""
        if not self.capabilities.takes_key:
            return Finding.UNKNOWN
        values = {"id": external_id, "key": message_id(press)}

        async def ask(link: Link, statements: Statements) -> list[tuple[Any, ...]]:
            if not self.capabilities.compares:
                return await link.rows(statements.ours, values)
            async with link.transaction() as within:
                await within.rows(statements.lock, values)
                return await within.rows(statements.ours, values)

        rows = await self._reading(ask)
        if rows:
            return Receipt(rows[0][0], rows[0][1] + self._behind_by_much())
        return Finding.NOT_SENT if self.capabilities.compares else Finding.UNKNOWN


def message_id(press: Press) -> str:
    """The id of the message that a press makes: the same for the same reply."""
    return str(uuid5(NAMESPACE, press.key))
