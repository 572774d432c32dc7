"""A mail server as a remote. It listens on loopback: the standard library's client is part of what is tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.mail.server import MailServer
from src.channels.base import Place
from src.channels.mail.channel import MailChannel
from src.channels.mail.settings import MailSettings
from src.db.engine import Database
from src.model.inbox import AuthorRole
from src.model.notices import Notice
from src.services.notices import enqueue_notice
from tests.faults.remotes.remote import Call, RemoteHouse, RemoteSite
from tests.support.house import ACCOUNT
from tests.support.site import FakeConversation, FakeMessage


@dataclass(frozen=True, slots=True)
class Session:
    """What becomes of the next sessions with the server: at this step it hangs up, or refuses with a code."""

    step: str = ""
    fault: int | str = "hang_up"


class MailSite(RemoteSite):
    """Whose mailbox has what. A person who writes here is a program of the host's that asks for a confirmation."""

    def __init__(self, house: RemoteHouse) -> None:
        super().__init__(house)
        self.share_of_sends = 1.0
        self.happenings = ("guest", "guest", "new")
        self.ways = (
            *[Session()] * 4,
            *(Session(step) for step in ("connect", "ehlo", "mail", "rcpt", "data", "words", "dot")),
            *[Session("answer")] * 4,
            *(Session(step, 451) for step in ("connect", "mail", "rcpt", "data", "dot")),
            *(Session(step, 550) for step in ("mail", "rcpt", "data", "dot")),
            Session("connect", 421),
            Session("mail", 530),
        )
        self.server: MailServer = house.shared
        self.server.taken.clear()
        self.server.fault = self._fault
        self._noted = 0
        self._asked: list[tuple[str, str]] = []
        """Key and words of what was asked for."""

    @classmethod
    def made_once(cls) -> MailServer:
        return MailServer()

    def _fault(self, step: str, _: int) -> int | str | None:
        return self.acceptance.fault if step == self.acceptance.step else None

    def note(self) -> None:
        """What the server has taken is a press."""
        for mail in self.server.taken[self._noted :]:
            self._noted += 1
            words = f"Subject: {mail.parsed['Subject']}\n\n{mail.parsed.get_content().strip()}"
            self.pressed(mail.to, words, str(mail.parsed["Message-ID"]))

    def make_channel(self, place: Place) -> MailChannel:
        address = "porter@house.example"
        given: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "from_": address,
            "tls": "none",
        }
        return MailChannel(MailSettings(**given), place)

    def name_of(self, number: int) -> str:
        return f"guest-{number}@mail.example"

    def add(self, where: FakeConversation, role: AuthorRole, text: str | None, **_: Any) -> FakeMessage:
        """Nobody writes: the mail is asked for, under a key, as a program does that may ask again."""
        to = where.external_id
        self._asked.append((f"{to} {len(self._asked)}", f"Subject: {text}\n\nAbout it."))
        self._ask(to, *self._asked[-1])
        if self.dice is not None and self.dice.random() < 0.2:
            self._ask(to, *self._asked[-1])
        return FakeMessage("asked", role, text, self._clock())

    def _ask(self, to: str, key: str, words: str) -> None:
        house = self.house
        enqueue_notice(
            house.db,
            house.wakeup,
            ACCOUNT,
            fill=lambda *_: Notice(words, None),
            template="any",
            to=to,
            data={},
            key=key,
            now=house.clock(),
        )

    def take_call(self, call: Call, db: Database) -> None:
        """A mail server calls nobody."""
