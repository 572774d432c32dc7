"""The world of the contract suite for WhatsApp: the simulated service, and what is stored, in memory."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from sandbox.whatsapp import bodies
from sandbox.whatsapp.cloud import Cloud
from src.channels.base import Place
from src.channels.whatsapp.channel import WhatsappChannel
from src.errors import CallRefused
from src.model.hearing import Heard, Incoming, heard_conversation
from src.model.inbox import AuthorRole, MessageKind, SeenConversation, SeenMessage
from src.model.sending import Delivery, Press, Receipt
from tests.support.waiting import came
from tests.support.whatsapp import incoming, settings_of


class Kept:
    """``Store`` in memory: it takes in what a call told, as the core does."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._messages: dict[str, dict[str, SeenMessage]] = {}
        self._told: dict[str, Receipt] = {}

    def take(self, heard: Heard) -> None:
        for view in heard.views:
            for message in view.messages:
                self.add(view.external_id, message)
        for note in heard.deliveries:
            sent = next((one for one in self._cloud.sent if one.wamid == note.external_id), None)
            if sent is None or note.standing is Delivery.FAILED:
                continue
            self._told[note.key or ""] = Receipt(sent.wamid, note.at, note.standing)
            self.add(sent.to, _message(sent.wamid, AuthorRole.HOST, sent.text, datetime.now(UTC)))

    def add(self, person: str, message: SeenMessage) -> None:
        there = self._messages.setdefault(person, {})
        if message.external_id not in there:
            taken = {one.sent_at for one in there.values()}
            while message.sent_at in taken:
                message = replace(message, sent_at=message.sent_at + timedelta(microseconds=1))
            there[message.external_id] = message

    def move(self, by: timedelta) -> None:
        for there in self._messages.values():
            for key, message in there.items():
                there[key] = replace(message, sent_at=message.sent_at + by)

    async def view(self, external_id: str, most: int = 50) -> SeenConversation | None:
        there = self._messages.get(external_id)
        if there is None:
            return None
        ordered = sorted(there.values(), key=lambda one: one.sent_at)
        view = heard_conversation(external_id, "Gerda", tuple(ordered[-most:]), ordered[-1].sent_at)
        return replace(view, opened=True, has_older=len(ordered) > most)

    async def put_own(self, external_id: str, press: Press, text: str, *, over: str | None) -> Receipt | None:
        raise NotImplementedError

    async def name(self, press: Press, external_id: str) -> None:
        """What is told is known by the key here."""

    async def send_instead(self, press: Press, text: str) -> None:
        """Nobody reads it here."""

    async def is_proven(self) -> bool:
        return True

    async def told_of(self, press: Press) -> Receipt | None:
        return self._told.get(press.key)


class WhatsappWorld:
    """The real channel on the simulated Cloud API."""

    claims: ClassVar = frozenset({"hear", "show_typing", "fetch"})
    unknown = "33600000000"

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud = cloud
        self.store = Kept(cloud)
        place = Place(account="wa", session_dir=folder, evidence_dir=folder, store=self.store)
        self.channel = WhatsappChannel(settings_of(cloud, proof_sec=2.0), place)
        self.channel.find_sec = 0.2
        self._numbers = itertools.count(33612345000)
        cloud.take_call = self._take

    def _take(self, body: bytes, headers: dict[str, str]) -> int:
        try:
            self.store.take(self.channel.hear(incoming(body, headers)))
        except CallRefused as error:
            return error.status
        return 200

    def _heard(self) -> None:
        assert came(self.cloud.all_told, 20, every_sec=0.005)

    def conversation(self, *texts: str, minutes_ago: float = 0) -> str:
        made = str(next(self._numbers))
        for text in texts:
            self.cloud.user_writes(made, text, at=time.time() - minutes_ago * 60)
        self._heard()
        return made

    def guest_writes(self, external_id: str, text: str) -> None:
        self.cloud.user_writes(external_id, text)
        self._heard()

    def host_writes(self, external_id: str, text: str) -> None:
        self.cloud.person_answers(external_id, text)
        self._heard()

    def cohost_writes(self, external_id: str, text: str) -> None:
        """The phone does not tell who of the business wrote: this one wrote here."""
        self.store.add(external_id, _message(f"here-{text}", AuthorRole.TEAM, text, _second()))

    def photo(self, external_id: str) -> None:
        self.cloud.user_sends(external_id, "image", id="media-1")
        self._heard()

    def somebody_is_writing(self, text: str) -> None:
        """There is no composer."""

    def nobody_can_write(self) -> None:
        self.store.move(timedelta(hours=-30))

    def the_composer_swallows_everything(self) -> None:
        """There is no composer."""

    def messages_are_told_a_few_at_a_time(self) -> None:
        """As they are read from what is stored."""

    def texts(self, external_id: str) -> list[str]:
        return self.cloud.texts(external_id)

    def presses(self, external_id: str) -> int:
        return len(self.cloud.sent_to(external_id))

    # --- of a channel that hears, shows typing and fetches -----------------------------------------------------

    def call(self, text: str, *, genuine: bool = True) -> Incoming:
        message = bodies.message(self.unknown, "wamid.told", int(time.time()), body=text)
        body = bodies.encoded(bodies.webhook(bodies.change(self.cloud.phone_id, messages=[message])))
        secret = self.cloud.app_secret if genuine else "another secret"
        return incoming(body, bodies.signed(body, secret))

    def typing_shown(self) -> int:
        return len(self.cloud.typing)

    def goes_away(self) -> None:
        self.cloud.stop_serving()

    def file(self, data: bytes) -> str:
        self.cloud.files["media-7"] = data
        return "media-7"


def _second() -> datetime:
    return datetime.fromtimestamp(int(time.time()), UTC)


def _message(key: str, role: AuthorRole, text: str, at: datetime) -> SeenMessage:
    return SeenMessage(key, None, None, role, MessageKind.TEXT, "text", text, at)
