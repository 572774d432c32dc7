"""The world of the contract suite for the widget: visitors, in a real database."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from src.channels.base import Place
from src.channels.widget.channel import WidgetChannel
from src.channels.widget.settings import WidgetSettings
from src.db import accounts, conversations, outbox_queue, outbox_views
from src.db.engine import Database
from src.model.hearing import heard_conversation
from src.model.inbox import AuthorRole, MessageKind, SeenMessage
from src.model.sending import Finding, Press, Receipt
from src.services.intake import Rules, take_view
from src.services.store import StoredHere
from src.settings import Settings

ACCOUNT = "shop"


class _ArmedChannel(WidgetChannel):
    """Before a press there is a reply that was armed, as the core has it."""

    def __init__(
        self, settings: WidgetSettings, place: Place, arm: Callable[[str, Press, str], Press]
    ) -> None:
        super().__init__(settings, place)
        self._arm = arm

    async def press_send(self, external_id: str, press: Press) -> Receipt | None:
        text = self._ready.get(external_id)
        mine = self._arm(external_id, press, text) if text and external_id in self._read else press
        return await super().press_send(external_id, mine)

    async def find(self, external_id: str, press: Press) -> Receipt | Finding:
        return await super().find(external_id, self._arm(external_id, press, ""))


class WidgetWorld:
    """The real channel on the real store."""

    claims: ClassVar = frozenset({"compare"})
    unknown = f"v-{'0' * 32}"

    def __init__(self, db: Database, folder: Path) -> None:
        self._db = db
        self._rules = Rules.of(Settings().accounts[0].settings)
        store = StoredHere(db, ACCOUNT, self._rules, lambda: datetime.now(UTC))
        place = Place(account=ACCOUNT, session_dir=folder, evidence_dir=folder, store=store)
        self.channel = _ArmedChannel(WidgetSettings(origins="https://shop.example"), place, self._arm)
        self._names = itertools.count(1)
        self._ids = itertools.count(1)
        self._last = datetime.now(UTC) - timedelta(days=1)
        self._jobs: dict[tuple[str, str], str] = {}
        with db.write() as conn:
            accounts.ensure(conn, ACCOUNT, datetime.now(UTC))

    def _arm(self, external_id: str, press: Press, text: str) -> Press:
        """The press with the id of a reply that is in hand and armed; made where it is not there and has a text."""
        if (external_id, press.key) not in self._jobs and text:
            now = datetime.now(UTC)
            with self._db.write() as conn:
                home = conversations.by_external_id(conn, ACCOUNT, external_id)
                assert home is not None
                key = f"{press.key}-{external_id}"
                job, _ = outbox_queue.enqueue(
                    conn, ACCOUNT, home.id, text, request_id=None, idempotency_key=key, now=now
                )
                outbox_queue.claim_one(conn, job.id, owner="w", lease_until=now + timedelta(minutes=1))
                outbox_queue.arm(conn, job.id, "w", after_external_id=press.after, now=now)
            self._jobs[external_id, press.key] = job.id
        return replace(press, key=self._jobs.get((external_id, press.key), press.key))

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

    def conversation(self, *texts: str, minutes_ago: float = 0) -> str:
        made = f"v-{next(self._names):032x}"
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
        self.channel._settings = WidgetSettings()

    def the_composer_swallows_everything(self) -> None:
        """There is no composer."""

    def messages_are_told_a_few_at_a_time(self) -> None:
        """As they are read from what is stored."""

    def texts(self, external_id: str) -> list[str]:
        with self._db.read() as conn:
            home = conversations.by_external_id(conn, ACCOUNT, external_id)
            assert home is not None
            return [m.text for m in conversations.messages_of(conn, home.id, 1000) if m.text is not None]

    def presses(self, external_id: str) -> int:
        with self._db.read() as conn:
            home = conversations.by_external_id(conn, ACCOUNT, external_id)
            jobs = outbox_views.list_jobs(conn, ACCOUNT, None, 1000)
            return sum(job.conversation_id == home.id and job.armed for job in jobs if home)
