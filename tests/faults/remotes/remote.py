"""What the remotes of all channels have that are told by HTTP: calls that come late, in copies, in any order, or again."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from src.channels.base import Channel, Place
from src.db import conversations
from src.db.engine import Database
from src.model.inbox import GUEST_SIDE, AuthorRole, MessageKind, SeenConversation
from src.model.rows import StoredMessage
from src.services.store import StoredHere
from tests.faults.remotes.spoiled import SpoiledChannel
from tests.support.house import ACCOUNT, House
from tests.support.site import FakeConversation, FakeMessage, FakeSite, Press

NEVER = 10**9
"""A message is hidden for so many looks: nobody has told that it is there."""
COPIES_AT_MOST = 2


@dataclass(eq=False, slots=True)
class Call:
    """One call of the remote that waits to be made. ``proves``: ids of our messages that it tells of."""

    content: Any
    proves: tuple[str, ...] = ()
    copies: int = 0


class RemoteSite(FakeSite):
    """The truth about a remote, as the remote knows it; each kind of remote fills in how it speaks."""

    def __init__(self, house: RemoteHouse) -> None:
        super().__init__(house.clock)
        self.house = house
        self.share_of_sends, self.share_of_people = 0.6, 0.5
        self.calls: list[Call] = []
        """What the remote has to tell, oldest first."""

    @classmethod
    def made_once(cls) -> AbstractContextManager[Any]:
        """What takes too long to be made for each story."""
        return nullcontext()

    # --- what a kind of remote is ----------------------------------------------------------------------------

    def make_channel(self, place: Place) -> Channel:
        """The product's own channel; its calls end here."""
        raise NotImplementedError

    def name_of(self, number: int) -> str:
        """The id of the conversation with this number."""
        raise NotImplementedError

    def say(self, where: FakeConversation, message: FakeMessage) -> str | None:
        """A person wrote: ``calls`` gets what is told of it. Returns the remote's id of the message, if it makes one."""
        raise NotImplementedError

    def take_call(self, call: Call, db: Database) -> None:
        """Make a call. TransientError: it was not taken."""
        raise NotImplementedError

    def note(self) -> None:
        """A press has ended: what it made is ``pressed``."""

    def lose_connections(self) -> None:
        """The process has ended, and with it whatever was open to it."""

    # --- people ----------------------------------------------------------------------------------------------

    def conversation(self, *texts: str, **facts: object) -> FakeConversation:
        name = self.name_of(len(self.conversations) + 1)
        return super().conversation(*texts, external_id=name, **facts)

    def add(self, where: FakeConversation, role: AuthorRole, text: str | None, **how: Any) -> FakeMessage:
        message = super().add(where, role, text, **how)
        before = len(self.calls)
        message.external_id = self.say(where, message) or message.external_id
        self.told_soon(self.calls[before:])
        return message

    def pressed(self, where_id: str, text: str, external_id: str) -> FakeMessage:
        """A message of ours has reached the remote, under this id. Nobody has told so yet."""
        where = self.conversations[where_id]
        message = super().add(where, AuthorRole.HOST, text, kind=MessageKind.TEXT)
        message.pressed, message.hidden_for = True, NEVER
        message.external_id = external_id
        self.presses.append(Press(where, text, self._shown(where), message))
        return message

    def _shown(self, where: FakeConversation) -> SeenConversation | None:
        """What was read of it last, but for our own: a message may be told after we have answered one before it."""
        view = self.house.channel.views.get(where.external_id)
        ours = {message.external_id for message in where.messages if message.pressed}
        if view is None:
            return None
        return replace(view, messages=tuple(m for m in view.messages if m.external_id not in ours))

    # --- telling ---------------------------------------------------------------------------------------------

    def told_soon(self, calls: list[Call]) -> None:
        """Half of what happens is told at once, while the product is busy with something else."""
        for call in list(calls):
            if self.dice is not None and self.dice.random() < 0.5:
                self.make_call(call, self.house.db)

    def make_call(self, call: Call, db: Any) -> None:
        """One call; once it is taken it is not made again, but for copies. Raises what ``take_call`` raises."""
        self.take_call(call, db)
        self.counts["calls taken"] += 1
        self.counts["copies taken"] += call.copies > 0
        for where in self.conversations.values():
            for message in where.messages:
                if message.external_id in call.proves:
                    message.hidden_for = 0
        self.calls.remove(call)
        if self.dice is not None and call.copies < COPIES_AT_MOST and self.dice.random() < 0.2:
            call.copies += 1
            self.calls.append(call)

    def tell_all(self, db: Any) -> None:
        """Everything that waits, in any order; what is not taken comes again the next time."""
        waiting = list(self.calls)
        if self.dice is not None:
            self.dice.shuffle(waiting)
        for call in waiting:
            self.make_call(call, db)

    def complaints(self) -> list[str]:
        """Of each person's message the newest words are stored, in whatever order it was told."""
        stored: dict[str, StoredMessage] = {}
        with self.house.db.read() as conn:
            for where in self.conversations.values():
                known = conversations.by_external_id(conn, ACCOUNT, where.external_id)
                rows = conversations.messages_of(conn, known.id, 10_000) if known else []
                stored |= {row.external_id: row for row in rows}
        wrong = []
        for message in (m for where in self.conversations.values() for m in where.messages):
            row = stored.get(message.external_id)
            if row is None or message.role not in GUEST_SIDE or message.kind is not MessageKind.TEXT:
                continue
            if message.deleted is not (row.deleted_at is not None):
                wrong.append(f"I1 {message.text!r} was taken back: {message.deleted}; here: {row.deleted_at}")
            elif not message.deleted and row.text != message.text:
                wrong.append(f"I1 {message.text!r} is stored as {row.text!r}")
        return wrong

    def show_what_is_late(self) -> None:
        """Everything is told once the trouble is over; what nobody ever tells stays hidden."""
        self.dice = None
        while self.calls:
            self.tell_all(self.house.db)


class Telling:
    """In the place of SYNC: the remote calls the API."""

    def __init__(self, site: RemoteSite, db: Any) -> None:
        self._site, self._db = site, db

    async def run_once(self, _: object) -> None:
        """TransientError: the API has answered with 503, and the rest comes again."""
        self._site.tell_all(self._db)


class RemoteHouse(House):
    """The services on a real channel. ``kind``: the remote's class."""

    site: RemoteSite  # type: ignore[assignment]
    channel: SpoiledChannel  # type: ignore[assignment]

    def __init__(
        self, db: Database, clock: Any, *, kind: type[RemoteSite], folder: Path, shared: Any, **how: Any
    ) -> None:
        self._kind = kind
        self.folder = folder
        self.shared = shared
        """What all remotes of this kind have in common."""
        how["make_channel"] = self._made_channel
        super().__init__(db, clock, **how)

    def make_site(self) -> RemoteSite:
        return self._kind(self)

    def _made_channel(self, _: FakeSite) -> SpoiledChannel:
        store = StoredHere(self.db, ACCOUNT, self.rules, self.clock)
        place = Place(account=ACCOUNT, session_dir=self.folder, evidence_dir=self.folder, store=store)
        return SpoiledChannel(self.site.make_channel(place), store, self.site.note)

    async def begin_again(self) -> None:
        self.clock.advance(5)  # for a moment a reply is kept for a caller who may still wait
        await self.synced()

    def start_anew(self) -> None:
        self.site.lose_connections()
        super().start_anew()

    def new_send(self, db: Any = None, **fields: Any) -> Any:
        if hasattr(self, "channel"):
            self.channel.work_on(db or self.db)
        return super().new_send(db, **fields)

    def new_sync(self, db: Any = None) -> Any:
        return Telling(self.site, db or self.db)
