"""A site's visitors: their pages hand messages in until they are taken, and ask for what came after what they have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from src.channels.base import Place
from src.channels.widget.channel import WidgetChannel
from src.channels.widget.settings import WidgetSettings
from src.db import conversations
from src.db.engine import Database
from src.model.hearing import heard_conversation
from src.model.inbox import AuthorRole, MessageKind, SeenMessage
from src.model.rows import StoredMessage
from src.model.values import Direction
from src.services.visitors import Visitor
from src.services.widget import Shown, WidgetDesk
from tests.faults.remotes.remote import Call, RemoteHouse, RemoteSite
from tests.support.house import ACCOUNT
from tests.support.site import FakeConversation, FakeMessage


@dataclass(frozen=True, slots=True)
class Said:
    """What a page hands in. The same message again has the same id."""

    where: FakeConversation
    message: FakeMessage
    client_id: str


class WidgetSite(RemoteSite):
    """What the pages show."""

    def __init__(self, house: RemoteHouse) -> None:
        super().__init__(house)
        self.happenings = (*["guest"] * 5, "new")
        self.share_of_people = 0.8
        self.ways = ("stored",)
        self._last: dict[str, int] = {}
        """The number of the newest message that a page has, by visitor."""
        house.account_changes = {"channel": "widget", "own": self.settings()}

    @staticmethod
    def settings() -> WidgetSettings:
        most: dict[str, Any] = dict.fromkeys(
            ("rate_visitor_min", "rate_address_min", "rate_site_hour"), 10_000
        )
        return WidgetSettings(origins="https://shop.example", **most)

    def make_channel(self, place: Place) -> WidgetChannel:
        return WidgetChannel(self.settings(), place)

    def desk(self, db: Any) -> WidgetDesk:
        account = replace(self.house.accounts()[ACCOUNT], settings=self.house.settings)
        return WidgetDesk(db, account, self.house.clock)

    def name_of(self, number: int) -> str:
        return self.desk(self.house.db).first_visitor(f"first-{number}").name

    def say(self, where: FakeConversation, message: FakeMessage) -> str:
        client_id = f"said-{len(where.messages)}"
        self.calls.append(Call(Said(where, message, client_id)))
        return f"{where.external_id}.{client_id}"

    def take_call(self, call: Call, db: Database) -> None:
        said: Said = call.content
        visitor, text = Visitor(said.where.external_id), said.message.text or ""
        self.desk(db).hear(self.house.wakeup, visitor, said.client_id, text, "192.0.2.1")

    def note(self) -> None:
        """Every page asks for what is new."""
        desk = self.desk(self.house.db)
        for name in self.conversations:
            page = desk.shown_after(Visitor(name), self._last.get(name, 0))
            self._last[name] = page.last
            for one in page.messages:
                if one.role == "assistant":
                    self._came(name, one)

    def _came(self, name: str, shown: Shown) -> None:
        """A message of ours, and what stood above it when it came: that is what it was pressed on."""
        with self.house.db.read() as conn:
            found = conversations.message(conn, shown.id)
            assert found is not None
            stored = conversations.messages_of(conn, found.conversation_id, 10_000)
        above = tuple(_seen(one) for one in stored if (one.sequence or 0) < shown.sequence)
        self.pressed(name, shown.text or "", found.external_id).hidden_for = 0
        view = heard_conversation(name, None, above, found.sent_at)
        self.presses[-1] = replace(self.presses[-1], shown=view)


def _seen(stored: StoredMessage) -> SeenMessage:
    ours = stored.direction is Direction.OUTBOUND
    role = AuthorRole.HOST if ours else AuthorRole.GUEST
    return SeenMessage(
        stored.external_id, None, None, role, MessageKind.TEXT, "text", stored.text, stored.sent_at
    )
