"""The world of the contract suite for the channel `chat`: a gateway, and what was heard of it in a real database."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import SecretStr

from sandbox.chat.gateway import Gateway, Late
from src.channels.base import Place
from src.channels.chat.channel import ChatChannel
from src.channels.chat.settings import ChatSettings
from src.db import accounts
from src.db.engine import Database
from src.model.hearing import heard_conversation
from src.model.inbox import AuthorRole, MessageKind, SeenMessage
from src.services.intake import Rules, take_view
from src.services.store import StoredHere
from src.settings import Settings

ACCOUNT = "chat"


class ChatWorld:
    """The real channel; what a caller says is taken in as the core does it."""

    claims: ClassVar = frozenset[str]()
    unknown = "46700404"
    other_ids = ("", "../etc/passwd", "a\nb", "x" * 201)
    """No ids of this channel: every other printable name is one."""

    def __init__(self, gateway: Gateway, db: Database, folder: Path) -> None:
        self.gateway = gateway
        self._db = db
        self._rules = Rules.of(Settings().accounts[0].settings)
        store = StoredHere(db, ACCOUNT, self._rules, lambda: datetime.now(UTC))
        place = Place(account=ACCOUNT, session_dir=folder, evidence_dir=folder, store=store)
        self.channel = ChatChannel(ChatSettings(send_url=SecretStr(gateway.url)), place)
        self._numbers = itertools.count(46700001)
        self._ids = itertools.count(1)
        self._last = datetime.now(UTC) - timedelta(days=1)
        self._by_people = 0
        gateway.on_late = self._store_own
        with db.write() as conn:
            accounts.ensure(conn, ACCOUNT, datetime.now(UTC))

    def _hear(
        self,
        external_id: str,
        role: AuthorRole,
        text: str | None,
        *,
        kind: MessageKind = MessageKind.TEXT,
        minutes_ago: float = 0,
    ) -> None:
        at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        at = self._last = max(at, self._last + timedelta(microseconds=1))
        message = SeenMessage(f"m-{next(self._ids)}", None, None, role, kind, "text", text, at)
        view = heard_conversation(external_id, None, (message,), at)
        with self._db.write() as conn:
            take_view(conn, ACCOUNT, view, rules=self._rules, clock=lambda: at)

    def _store_own(self, late: Late) -> None:
        """The core stores a reply by its receipt."""
        self._hear(late.conversation_id, AuthorRole.HOST, late.text)

    def conversation(self, *texts: str, minutes_ago: float = 0) -> str:
        made = str(next(self._numbers))
        for text in texts:
            self._hear(made, AuthorRole.GUEST, text, minutes_ago=minutes_ago)
        return made

    def guest_writes(self, external_id: str, text: str) -> None:
        self._hear(external_id, AuthorRole.GUEST, text)

    def host_writes(self, external_id: str, text: str) -> None:
        self._hear(external_id, AuthorRole.HOST, text)

    def cohost_writes(self, external_id: str, text: str) -> None:
        self._hear(external_id, AuthorRole.TEAM, text)

    def photo(self, external_id: str) -> None:
        self._hear(external_id, AuthorRole.GUEST, None, kind=MessageKind.MEDIA)

    def somebody_is_writing(self, text: str) -> None:
        """There is no composer."""

    def nobody_can_write(self) -> None:
        self.channel._settings = ChatSettings()

    def the_composer_swallows_everything(self) -> None:
        """There is no composer."""

    def messages_are_told_a_few_at_a_time(self) -> None:
        """As they are read from what is stored."""

    def texts(self, external_id: str) -> list[str]:
        with self._db.read() as conn:
            rows = conn.exec_driver_sql(
                "SELECT m.text FROM messages m JOIN conversations c ON c.id = m.conversation_id"
                " WHERE c.external_id = ? AND m.text IS NOT NULL ORDER BY m.sequence",
                (external_id,),
            )
            return [row[0] for row in rows]

    def presses(self, external_id: str) -> int:
        return len(self.gateway.texts(external_id))
