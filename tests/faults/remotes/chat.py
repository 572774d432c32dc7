"""A program that hands messages in and waits for the reply, or does not: calls, hung-up calls, the same call again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import httpx
from pydantic import SecretStr

from sandbox.chat.gateway import Gateway, Late
from src.channels.base import Place
from src.channels.chat.channel import ChatChannel
from src.channels.chat.settings import ChatSettings
from src.db import conversations, outbox_views
from src.db.engine import Database
from src.model.rows import Job
from src.model.statuses import OutboxStatus
from src.services import chat
from src.services.own_messages import own_id
from tests.faults.remotes.remote import Call, RemoteHouse, RemoteSite
from tests.support.house import ACCOUNT
from tests.support.site import FakeConversation, FakeMessage, Press


@dataclass(frozen=True, slots=True)
class Way:
    """How the program answers when a late reply is posted to it. ``away``: nobody listens."""

    status: int = 200
    loses: bool = False
    away: bool = False


@dataclass(eq=False, slots=True)
class Caller:
    """Who asks. The same call again has the same key."""

    where: FakeConversation
    message: FakeMessage
    key: str
    message_id: str = ""


class _Line(httpx.AsyncBaseTransport):
    """Late replies, handed to the program."""

    def __init__(self, site: ChatSite) -> None:
        self._site = site

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        way: Way = self._site.acceptance
        if way.away:
            raise httpx.ConnectError("Nobody listens.")
        gateway = self._site.gateway
        gateway.answers, gateway.loses_answers = [way.status], int(way.loses)
        status, lost = gateway.take(await request.aread(), dict(request.headers))
        if lost:
            raise httpx.ReadError("The connection was closed.")
        return httpx.Response(status, headers={"retry-after": "7"} if status in (429, 503) else {})


class ChatSite(RemoteSite):
    """What callers were told, and what was posted to the program."""

    def __init__(self, house: RemoteHouse) -> None:
        super().__init__(house)
        self.happenings = (*["guest"] * 3, "new")
        self.ways = (
            *[Way()] * 4,
            *[Way(loses=True)] * 4,
            *(Way(status) for status in (500, 503, 429, 425, 408, 404, 202)),
            Way(away=True),
        )
        self.gateway = Gateway(on_late=self._posted)
        self._waiting: list[Caller] = []
        self._told: set[str] = set()
        """Of which jobs the text is out."""
        self._owed: dict[str, str] = {}
        """Texts that are called sent, of callers who have to call again for them, by job."""
        house.account_changes = {"channel": "chat", "own": self.settings()}

    @staticmethod
    def settings() -> ChatSettings:
        return ChatSettings(
            send_url=SecretStr("http://127.0.0.1:9/replies"), wait_sec=0.5, rate_limit=1_000_000
        )

    def make_channel(self, place: Place) -> ChatChannel:
        made = ChatChannel(self.settings(), place)
        made._client = httpx.AsyncClient(transport=_Line(self))
        return made

    def name_of(self, number: int) -> str:
        return f"4670000{number}"

    def _posted(self, late: Late) -> None:
        self._told.add(late.id)
        self.counts["posted late"] += 1
        self.pressed(late.conversation_id, late.text, f"reply-{late.id}")

    # --- callers ---------------------------------------------------------------------------------------------

    def say(self, where: FakeConversation, message: FakeMessage) -> str | None:
        key = f"{where.external_id} {len(where.messages)}"
        self.calls.append(Call(Caller(where, message, key)))
        return None

    def desk(self, db: Any) -> chat.Desk:
        return chat.Desk(db, self.house.accounts()[ACCOUNT], self.house.clock)

    def take_call(self, call: Call, db: Database) -> None:
        caller: Caller = call.content
        said = chat.Call(caller.where.external_id, caller.message.text or "", caller.key)
        caller.message_id = self.desk(db).hear(self.house.wakeup, said)
        with self.house.db.read() as conn:
            stored = conversations.message(conn, caller.message_id)
        assert stored is not None
        caller.message.external_id = stored.external_id
        if caller not in self._waiting and (self.dice is None or self.dice.random() < 0.4):
            self._waiting.append(caller)

    def told_soon(self, calls: list[Call]) -> None:
        super().told_soon(calls)
        if self.dice is not None and self.dice.random() < 0.5:
            self._look(self.house.db)

    def tell_all(self, db: Any) -> None:
        super().tell_all(db)
        self._look(db)

    def _look(self, db: Any) -> None:
        """What the API does for those who wait. They may hang up in the instant in which it answers."""
        for caller in list(self._waiting):
            desk = self.desk(db)
            found = desk._look([caller.message_id]).get(caller.message_id)
            claimed = isinstance(found, chat._Ready)
            reply = self._delivered(desk, caller, found.job) if isinstance(found, chat._Ready) else found
            if reply is None:
                continue
            self._waiting.remove(caller)
            if reply.job is not None and not reply.held:
                self._answered(caller, reply.job, reply.text, claimed=claimed)
            if self.dice is not None and self.dice.random() < 0.15:
                self.calls.append(Call(caller))

    def _delivered(self, desk: chat.Desk, caller: Caller, job: Job) -> chat.Reply | None:
        try:
            return desk.deliver(job)
        except BaseException:
            with self.house.db.read() as conn:
                now_there = outbox_views.get(conn, job.id)
            if now_there is not None and now_there.status is OutboxStatus.SENT:
                # It is theirs from now on, though nobody has told them: the same call again gets it.
                self._answered(caller, now_there, now_there.text, claimed=True)
                self._owed[job.id] = job.text
            raise

    def _answered(self, caller: Caller, job: Job, text: str, *, claimed: bool) -> None:
        """The same call again gets the same reply again; whatever else is said twice is a press too many."""
        self._owed.pop(job.id, None)
        if claimed or job.id not in self._told:
            self._told.add(job.id)
            self.pressed(caller.where.external_id, text, own_id(job))
            self.presses[-1] = replace(self.presses[-1], shown=None)  # nothing was read for it
        with self.house.db.read() as conn:
            own = conversations.get(conn, job.conversation_id).external_id
        if own != caller.where.external_id:
            self.presses.append(Press(caller.where, text, None, None))

    def complaints(self) -> list[str]:
        owed = [f"I3 {text!r} is called sent, and its caller never got it" for text in self._owed.values()]
        return super().complaints() + owed

    def lose_connections(self) -> None:
        """The process has ended: some of those who wait call again, and whoever is owed a reply does."""
        for caller in self._waiting:
            if self._owed or self.dice is None or self.dice.random() < 0.6:
                self.calls.append(Call(caller))
        self._waiting.clear()
