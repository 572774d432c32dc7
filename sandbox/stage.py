"""The worlds of all channels on one stage: in each of them people write, and its own log says what reached them.

A world knows its remote, and of the product the address of its API alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

import httpx

from sandbox.airbnb.site import SimulatedSite
from sandbox.mail.server import MailServer
from sandbox.pgnotify.app import App
from sandbox.whatsapp.cloud import Cloud
from sandbox.whatsapp.gateways import Gateway

PARKING, WIFI = "Hello! Is there parking near the house?", "Bonjour, est-ce qu'il y a le wifi ?"
BURST = ("Hi!", "We are on our way 😊", "Where do we find the towels?")
COMPLAINT = "The shower does not work, and we want our money back."
_KNOWN = {PARKING: "free of charge", WIFI: "mot de passe", BURST[-1]: "linen", COMPLAINT: "A person will"}
_CALL_SEC = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """One conversation: what is written there, and what must have reached that person at the end."""

    story: str
    said: tuple[str, ...]
    replies: Callable[[], Sequence[str]]
    """Everything that reached the person from our side but by a person's hand, by the world's own log."""
    wanted: int = 1
    says: str = ""
    """What the last reply must say."""

    @property
    def lost(self) -> int:
        """Replies that are missing, or do not say what they must."""
        found = list(self.replies())
        if self.wanted and found and self.says not in found[-1]:
            return self.wanted
        return max(0, self.wanted - len(found))

    @property
    def twice(self) -> int:
        """Replies that are too many."""
        return max(0, len(self.replies()) - self.wanted)


class World(Protocol):
    """One remote with its people."""

    account: str
    about: str
    """What it is, in a few words."""
    scenes: list[Scene]
    hears: bool
    """People write there; else it only takes what we send."""

    def play(self) -> None:
        """Everything is written; ``scenes`` are complete when it returns. Blocking."""
        ...


@dataclass
class AirbnbWorld:
    """A simulated Airbnb inbox, and the browser on it."""

    site: SimulatedSite
    account: str = "chalet"
    about: str = "Airbnb, in a browser"
    scenes: list[Scene] = field(default_factory=list)
    hears: bool = True

    def play(self) -> None:
        inbox = self.site.inbox
        for guest, story, said in _usual():
            thread = inbox.add_thread(guest=guest, says=said[0])
            for text in said[1:]:
                inbox.guest_writes(thread, text)
            number = thread.number
            self.scenes.append(_scene(story, said, lambda n=number: self._sent(n)))  # type: ignore[misc]
        answered = inbox.add_thread(guest="Mia", says="Is the sofa a bed?")
        inbox.host_writes(answered, "It is, enjoy!")
        self.scenes.append(
            Scene("the host has answered", ("Is the sofa a bed?",), lambda: self._sent(answered.number), 0)
        )

    def _sent(self, number: int) -> list[str]:
        return [entry.text or "" for entry in self.site.log.sends(number)]


@dataclass
class AppWorld:
    """An app with matches and messages in its own PostgreSQL database."""

    app: App
    account: str = "app"
    about: str = "an app's own tables"
    scenes: list[Scene] = field(default_factory=list)
    hears: bool = True

    def play(self) -> None:
        for guest, story, said in _usual():
            match = self.app.match(self.app.profile(guest))
            for text in said:
                self.app.user_writes(match, text)
            self.scenes.append(_scene(story, said, lambda m=match: self.app.answers(m)))  # type: ignore[misc]


@dataclass
class WhatsappWorld:
    """A number, behind Meta's Cloud API or a gateway."""

    service: Cloud | Gateway
    account: str
    about: str
    scenes: list[Scene] = field(default_factory=list)
    hears: bool = True

    def play(self) -> None:
        first = 33612340000 + 100 * (sum(map(ord, self.account)) % 80)
        for place, (_, story, said) in enumerate(_usual()):
            number = str(first + place)
            for text in said:
                self.service.user_writes(number, text)
            self.scenes.append(_scene(story, said, lambda n=number: self._sent(n)))  # type: ignore[misc]
        number = str(first + 50)
        self.service.user_writes(number, "Is the sofa a bed?")
        self.service.person_answers(number, "It is, enjoy!")
        said = ("Is the sofa a bed?",)
        self.scenes.append(Scene("a person answers on the phone", said, lambda: self._sent(number), 0))

    def _sent(self, number: str) -> list[str]:
        return [one.text for one in self.service.sent_to(number)]


@dataclass
class ChatWorld:
    """A program that asks by HTTP, and shows people what came back."""

    api_url: str
    account: str = "chat"
    about: str = "HTTP, the caller waits"
    scenes: list[Scene] = field(default_factory=list)
    hears: bool = True

    def play(self) -> None:
        asking = []
        for place, (_, story, said) in enumerate(_usual()):
            shown: list[str] = []
            number = str(33600000100 + place)
            asking.append(threading.Thread(target=self._ask, args=(number, said, shown)))
            self.scenes.append(_scene(story, said, lambda s=shown: s))  # type: ignore[misc]
        shown = []
        asking.append(threading.Thread(target=self._ask_again, args=("33600000200", shown)))
        self.scenes.append(Scene("the same call again", (PARKING,), lambda: shown, says=_KNOWN[PARKING]))
        for one in asking:
            one.start()
        for one in asking:
            one.join()

    def _ask(self, number: str, said: Sequence[str], shown: list[str]) -> None:
        """A burst's first calls are given up: a person who writes on does not wait for the answer before."""
        for text in said[:-1]:
            self._call(number, text, 0.2)
        shown += self._call(number, said[-1])

    def _ask_again(self, number: str, shown: list[str]) -> None:
        first, second = self._call(number, PARKING), self._call(number, PARKING)
        shown += first if first == second else [*first, *second]

    def _call(self, number: str, text: str, timeout: float = _CALL_SEC) -> list[str]:
        body = {"number": number, "text": text}
        try:
            answer = httpx.post(f"{self.api_url}/whatsapp", json=body, timeout=timeout, trust_env=False)
        except httpx.TimeoutException:
            return []
        return [answer.json()["reply"]] if answer.status_code == 200 else []


SHOP = "https://shop.example"
"""The site on whose pages the widget is."""


@dataclass
class WidgetWorld:
    """Visitors of a site, each on a page of their own; every message is handed in twice, as after a lost answer."""

    api_url: str
    account: str = "shop"
    about: str = "widget on a site"
    scenes: list[Scene] = field(default_factory=list)
    hears: bool = True

    def play(self) -> None:
        for _, story, said in _usual():
            visitor = Visitor(f"{self.api_url}/api/widget/{self.account}")
            for text in said:
                visitor.write(text)
            self.scenes.append(_scene(story, said, visitor.look))


class Visitor:
    """What a page of the site does, without the page."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._headers = {"origin": SHOP}
        self._shown: list[str] = []

    def write(self, text: str) -> None:
        body = {"text": text, "client_id": str(uuid4())}
        for _ in range(2):
            answer = httpx.post(
                f"{self._url}/messages", json=body, headers=self._headers, timeout=_CALL_SEC, trust_env=False
            )
            self._headers["authorization"] = f"Bearer {answer.json()['visitor']}"

    def look(self) -> list[str]:
        """What the page shows of the AI; what it last showed where nobody answers any more."""
        with suppress(httpx.HTTPError):
            told = httpx.get(
                f"{self._url}/messages",
                params={"after": 0},
                headers=self._headers,
                timeout=5,
                trust_env=False,
            )
            if told.status_code == 200:
                shown = told.json()["messages"]
                self._shown = [one["text"] for one in shown if one["role"] == "assistant"]
        return self._shown


@dataclass
class MailWorld:
    """A mail server, and a program that wants something confirmed."""

    server: MailServer
    api_url: str
    account: str = "post"
    about: str = "mail, out only"
    scenes: list[Scene] = field(default_factory=list)
    hears: bool = False

    def play(self) -> None:
        for name in ("ana", "bo"):
            to = f"{name}@mail.example"
            body = {"template": "registered", "to": to, "data": {"name": name.title(), "event": "walk"}}
            httpx.post(f"{self.api_url}/api/mail", json=body, timeout=_CALL_SEC, trust_env=False)
            self.scenes.append(Scene("a registration", (), lambda t=to: self._taken(t)))  # type: ignore[misc]

    def _taken(self, to: str) -> list[str]:
        return [str(one.parsed["subject"]) for one in self.server.taken if one.to == to]


def _usual() -> list[tuple[str, str, tuple[str, ...]]]:
    """Who writes on every channel, and what."""
    return [
        ("Emma", "a question in English", (PARKING,)),
        ("Léa", "a question in French", (WIFI,)),
        ("Noah", "three messages in a row", BURST),
        ("Olivia", "complains and wants money back", (COMPLAINT,)),
    ]


def _scene(story: str, said: tuple[str, ...], replies: Callable[[], Sequence[str]]) -> Scene:
    return Scene(story, said, replies, says=_KNOWN[said[-1]])
