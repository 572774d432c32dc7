"""The short scripted inbox of ``demo --once``: who writes what, and what must be in each thread at the end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from loguru import logger

from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite
from sandbox.host import SandboxHost

PATIENCE_SEC = 90.0
QUIET_SEC = 3.0
"""How long nothing more may be written once all is there."""


@dataclass
class Scene:
    """One thread of the demo. ``outcome`` and ``ok`` are filled in at the end, from the site's own log."""

    guest: str
    story: str
    thread: Thread
    wanted: int
    why_not: str = ""
    expects: str = ""
    """What is expected, where it is not just an answer."""
    says: str = ""
    """What the last reply must say."""
    outcome: str = ""
    ok: bool = False

    @property
    def expected(self) -> str:
        if self.expects:
            return self.expects
        return "1 answer" if self.wanted else f"no reply: {self.why_not}"


@dataclass
class DemoScript:
    """Puts the guests on the stage, waits for the replies and judges by what reached the site."""

    site: SimulatedSite
    host: SandboxHost
    scenes: list[Scene] = field(default_factory=list)

    def invite(self) -> None:
        """A few threads to look at, for the demo by hand."""
        self._open_with_texts()

    async def play(self, stop: asyncio.Event) -> None:
        """Play all scenes; returns when every reply is there and it stayed quiet, or after PATIENCE_SEC."""
        self._open_with_texts()
        self._open_with_nothing_to_answer()
        self._open_burst()
        self._open_for_a_person()
        asks = self._open_what_no_fact_says()
        deadline = time.monotonic() + PATIENCE_SEC
        while not stop.is_set() and time.monotonic() < deadline and not self._all_there():
            if len(self._replies(asks)) == 1 and not self.host.kept:  # the guest knows that somebody is asked
                await asyncio.to_thread(self.host.answer_missing_facts)
            await asyncio.sleep(0.1)  # the site lives in threads of its own and has no event for this loop
        await asyncio.sleep(QUIET_SEC)
        for scene in self.scenes:
            self._judge(scene)

    def _add(
        self,
        guest: str,
        story: str,
        thread: Thread,
        wanted: int,
        why_not: str = "",
        *,
        expects: str = "",
        says: str = "",
    ) -> Thread:
        self.scenes.append(Scene(guest, story, thread, wanted, why_not, expects, says))
        return thread

    def _open_with_texts(self) -> None:
        inbox = self.site.inbox
        for guest, text, story, answer in (
            ("Emma", "Hello! Is there parking near the house?", "a question in English", "free of charge"),
            ("Léa", "Bonjour, est-ce qu'il y a le wifi ?", "a question in French", "mot de passe"),
            ("Haruto", "タオルはありますか？", "a question in Japanese", "2枚"),
        ):
            self._add(guest, story, inbox.add_thread(guest=guest, says=text), 1, says=answer)

    def _open_burst(self) -> None:
        inbox = self.site.inbox
        thread = self._add(
            "Noah", "three messages in a row", inbox.add_thread(guest="Noah", says="Hi!"), 1, says="linen"
        )
        inbox.guest_writes(thread, "We are on our way 😊")
        inbox.guest_writes(thread, "Where do we find the towels?")

    def _open_for_a_person(self) -> None:
        says = "The shower does not work, and we want our money back."
        thread = self.site.inbox.add_thread(guest="Olivia", says=says)
        expects = "the host's holding text; a person answers"
        self._add(
            "Olivia",
            "complains and wants money back",
            thread,
            1,
            expects=expects,
            says="A person will read it",
        )

    def _open_what_no_fact_says(self) -> Scene:
        """A question that the host answers in one line, once the guest was told that a person is asked."""
        thread = self.site.inbox.add_thread(guest="Ben", says="Hello! Is there a blender in the kitchen?")
        expects = "the holding text; after one line of the host the answer"
        self._add("Ben", "asks what no fact says", thread, 2, expects=expects, says="under the sink")
        return self.scenes[-1]

    def _open_with_nothing_to_answer(self) -> None:
        inbox = self.site.inbox
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        answered = inbox.add_thread(guest="Mia")
        inbox.guest_writes(answered, "Is the sofa a bed?", at=hour_ago)
        inbox.host_writes(answered, "It is, enjoy!")
        self._add("Mia", "the host answered from the phone", answered, 0, "the host did")
        card = inbox.add_thread(guest="Liam")
        inbox.card(card)
        self._add("Liam", "asks to change the dates (a card)", card, 0, "not a text")
        self._add(
            "Noor", "writes as the host of the owner's own trip", inbox.own_trip_thread(), 0, "not a guest"
        )
        self._add("Airbnb", "support writes", inbox.support_thread(), 0, "not a guest")
        old = inbox.add_thread(guest="Zoé")
        inbox.guest_writes(old, "Merci pour tout !", at=datetime.now(UTC) - timedelta(days=3))
        self._add("Zoé", "wrote three days ago", old, 0, "too old")

    def _replies(self, scene: Scene) -> list[str]:
        """Texts that the site accepted from the product's browser in this thread."""
        return [entry.text or "" for entry in self.site.log.sends(scene.thread.number)]

    def _visible(self, scene: Scene, reply: str) -> bool:
        return reply in self.site.inbox.texts(scene.thread)

    def _all_there(self) -> bool:
        return all(len(self._replies(scene)) >= scene.wanted for scene in self.scenes)

    def _judge(self, scene: Scene) -> None:
        replies = self._replies(scene)
        as_many = len(replies) == scene.wanted and all(self._visible(scene, reply) for reply in replies)
        scene.ok = as_many and (not replies or scene.says in replies[-1])
        scene.outcome = " / ".join(replies) or "nothing written"
        if not scene.ok:
            logger.error("Demo: {} got {} replies, {} were expected", scene.guest, len(replies), scene.wanted)
