"""The other sides of ``services_killed``: a simulated service, people who write, and what it took."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import SecretStr

from sandbox.chat.gateway import Gateway, running_gateway
from sandbox.mail.server import MailServer
from sandbox.whatsapp.cloud import Cloud, Plan
from src.channels.base import Channel, Place
from src.channels.chat.channel import ChatChannel
from src.channels.chat.settings import ChatSettings
from src.channels.mail.channel import MailChannel
from src.channels.mail.settings import MailSettings
from src.channels.whatsapp.channel import WhatsappChannel
from src.channels.whatsapp.settings import WhatsappSettings
from src.db import conversations
from src.db.engine import Database
from src.model.notices import Notice
from src.model.rows import Job
from src.model.values import utc_now
from src.services import chat
from src.services.hearing import Hearing, take
from src.services.notices import enqueue_notice
from tests.support.house import ACCOUNT, House
from tests.support.waiting import came
from tests.support.whatsapp import AT_ONCE, incoming

PEOPLE = 4


class Side:
    """A service that runs, and what the API does for it in this process, on a database connection of its own."""

    name: ClassVar[str]
    url: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = 0
        self.house = House(Database.open(f"sqlite:///{folder}/inbox.db"), utc_now, rules=AT_ONCE)
        self.texts: set[str] = set()
        """Everything that people have written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.house.wakeup.close()
        self.house.db.close()

    @staticmethod
    def make_channel(url: str, place: Place) -> Channel:
        """The product's channel to the service at this address."""
        raise NotImplementedError

    def somebody_writes(self, dice: random.Random) -> None:
        self.written += 1
        text = f"Message {self.written}"
        self.texts.add(text)
        self.write(dice.randrange(PEOPLE), text, dice)

    def write(self, person: int, text: str, dice: random.Random) -> None:
        raise NotImplementedError

    def trouble_is_over(self) -> None:
        """From now on the service takes messages and says so."""

    def wait_until_told(self) -> None:
        """Until everything that the service has to tell was taken."""

    def taken(self) -> list[str]:
        """The key of each message that the service took."""
        raise NotImplementedError

    def jobs(self) -> list[Job]:
        return self.house.jobs()

    def lost(self) -> int:
        """Of how many texts there is no row, or a row with neither a request nor a reason."""
        with self.house.db.read() as conn:
            found = conversations.list_recent(conn, ACCOUNT, 100)
            rows = [m for one in found for m in conversations.messages_of(conn, one.id, 100_000)]
        placed = {row.text for row in rows if row.request_id is not None or row.skip_reason is not None}
        return len(self.texts - placed)


class CloudSide(Side):
    """Meta's Cloud API."""

    name = "cloud"

    def __enter__(self) -> Self:
        self.cloud = Cloud().start()
        self.url = self.cloud.url
        self.cloud.faults.copies = 2
        self.cloud.take_call = self._take
        place = Place(account=ACCOUNT, session_dir=self.folder, evidence_dir=self.folder)
        self._door = WhatsappChannel(self._settings(self.url), place)
        return self

    def __exit__(self, *error: object) -> None:
        self.cloud.stop()
        super().__exit__(*error)

    @staticmethod
    def _settings(url: str) -> WhatsappSettings:
        return WhatsappSettings(
            base_url=url,
            phone_id="106540352242922",
            token=SecretStr("EAAG-token"),
            app_secret=SecretStr("s3cret-of-the-app"),
            verify_token=SecretStr("a-word-of-our-own"),
            proof_sec=0.0,
        )

    @staticmethod
    def make_channel(url: str, place: Place) -> Channel:
        made = WhatsappChannel(CloudSide._settings(url), place)
        made.find_sec = 0.2
        return made

    def _take(self, body: bytes, headers: dict[str, str]) -> int:
        call = incoming(body, headers)
        hearing = Hearing(ACCOUNT, self._door, AT_ONCE, self.folder)
        take(self.house.db, self.house.wakeup, hearing, call, self._door.hear(call), utc_now)
        return 200

    def write(self, person: int, text: str, dice: random.Random) -> None:
        statuses = dice.choice([("sent",), ("delivered", "sent"), ()])
        self.cloud.default = Plan(dice.choice(["take", "take", "lose"]), statuses=statuses)
        self.cloud.user_writes(f"3361234560{person}", text)

    def trouble_is_over(self) -> None:
        self.cloud.default = Plan()

    def wait_until_told(self) -> None:
        assert came(self.cloud.all_told, 60, every_sec=0.01)

    def taken(self) -> list[str]:
        return [one.key or one.wamid for one in self.cloud.sent]


class ChatSide(Side):
    """A program that takes late replies; nobody waits for them."""

    name = "chat"
    gateway: Gateway

    def __enter__(self) -> Self:
        self._running = running_gateway()
        self.gateway = self._running.__enter__()
        self.url = self.gateway.url
        own = ChatSettings(rate_limit=1_000_000)
        self.house.account_changes = {"channel": "chat", "own": own}
        self._desk = chat.Desk(self.house.db, self.house.accounts()[ACCOUNT], utc_now)
        return self

    def __exit__(self, *error: object) -> None:
        self._running.__exit__(*error)
        super().__exit__(*error)

    @staticmethod
    def make_channel(url: str, place: Place) -> Channel:
        return ChatChannel(ChatSettings(send_url=SecretStr(url)), place)

    def write(self, person: int, text: str, dice: random.Random) -> None:
        self.gateway.loses_answers = int(dice.random() < 0.33)
        self._desk.hear(self.house.wakeup, chat.Call(f"4670000{person}", text))

    def trouble_is_over(self) -> None:
        self.gateway.loses_answers = 0

    def taken(self) -> list[str]:
        return [one.id for one in self.gateway.late]


class MailSide(Side):
    """A mail server, and a program that asks for confirmations."""

    name = "mail"

    def __enter__(self) -> Self:
        self.server = MailServer()
        self.server.__enter__()
        self.url = str(self.server.port)
        self._loses = False
        self.server.fault = lambda step, _: "hang_up" if step == "answer" and self._loses else None
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(*error)
        super().__exit__(*error)

    @staticmethod
    def make_channel(url: str, place: Place) -> Channel:
        given: dict[str, Any] = {"host": "127.0.0.1", "port": int(url), "from_": "porter@house.example"}
        return MailChannel(MailSettings(tls="none", **given), place)

    def write(self, person: int, text: str, dice: random.Random) -> None:
        self._loses = dice.random() < 0.33
        enqueue_notice(
            self.house.db,
            self.house.wakeup,
            ACCOUNT,
            fill=lambda *_: Notice(f"Subject: {text}\n\nAbout it.", None),
            template="any",
            to=f"guest-{person}@mail.example",
            data={},
            key=text,
            now=utc_now(),
        )

    def trouble_is_over(self) -> None:
        self._loses = False

    def taken(self) -> list[str]:
        return [str(mail.parsed["Message-ID"]).strip("<>").partition("@")[0] for mail in self.server.taken]

    def lost(self) -> int:
        """Of how many mails there is no job."""
        return self.written - len(self.jobs())


SIDES: dict[str, type[Side]] = {side.name: side for side in (CloudSide, ChatSide, MailSide)}
