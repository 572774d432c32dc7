"""The short scripted inbox of ``demo --once``: who writes what, and what must be in each thread at the end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from loguru import logger

from sandbox.ai import SandboxAI
from sandbox.airbnb.model import Thread
from sandbox.airbnb.site import SimulatedSite

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
    outcome: str = ""
    ok: bool = False

    @property
    def expected(self) -> str:
        return "1 reply" if self.wanted else f"no reply: {self.why_not}"


@dataclass
class DemoScript:
    """Puts the guests on the stage, waits for the replies and judges by what reached the site."""

    site: SimulatedSite
    ai: SandboxAI
    scenes: list[Scene] = field(default_factory=list)

    def invite(self) -> None:
        """A few threads to look at, for the demo by hand."""
        self._open_with_texts()

    async def play(self, stop: asyncio.Event) -> None:
        """Play all scenes; returns when every reply is there and it stayed quiet, or after PATIENCE_SEC."""
        self._open_with_texts()
        self._open_with_nothing_to_answer()
        self._open_burst()
        deadline = time.monotonic() + PATIENCE_SEC
        while not stop.is_set() and time.monotonic() < deadline and not self._all_there():  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # the site lives in threads of its own and has no event for this loop
        await asyncio.sleep(QUIET_SEC)
        for scene in self.scenes:
            self._judge(scene)

    def _add(self, guest: str, story: str, thread: Thread, wanted: int, why_not: str = "") -> Thread:
        self.scenes.append(Scene(guest, story, thread, wanted, why_not))
        return thread

    def _open_with_texts(self) -> None:
        inbox = self.site.inbox
        for guest, text, story in (
            ("Emma", "Hello! What time is check-in, and is there parking?", "a question in English"),
            ("Léa", "Bonjour, est-ce qu'il y a le wifi ?", "a question in French"),
            ("Haruto", "タオルはありますか？", "a question in Japanese"),
        ):
            self._add(guest, story, inbox.add_thread(guest=guest, says=text), 1)

    def _open_burst(self) -> None:
        inbox = self.site.inbox
        thread = self._add("Noah", "three messages in a row", inbox.add_thread(guest="Noah", says="Hi!"), 1)
        inbox.guest_writes(thread, "We arrive late on Friday.")
        inbox.guest_writes(thread, "Is check-in at midnight fine? 😊")

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
        scene.ok = len(replies) == scene.wanted and all(self._visible(scene, reply) for reply in replies)
        scene.outcome = " / ".join(replies) or "nothing written"
        if not scene.ok:
            logger.error("Demo: {} got {} replies instead of {}", scene.guest, len(replies), scene.wanted)
