"""The AI's clock of a process: one for all accounts that it works for, beside their crews."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from src.account import CHAT, Account
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.model.listings import NO_LISTINGS, Listings
from src.model.secrets import Secrets
from src.services.askers import Asker
from src.services.transcribing import VoiceNotes
from src.workers import waits
from src.workers.ai_worker import AiWorker
from src.workers.crew import make_owner
from src.workers.heartbeats import Heartbeats
from src.workers.parts import Parts


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked, and how."""

    accounts: Mapping[str, Account]
    """By name: those whose requests go to an AI."""
    callback_base_url: str
    secret: SecretStr | None
    """Signs what is posted."""
    at_once: int
    """How many requests may be with an AI at a time."""
    secrets: Secrets
    """Taken out of what the AI answers."""
    listings: Listings = NO_LISTINGS
    """What the AI is told of a stay beside what the inbox shows."""
    voice: Callable[[str], VoiceNotes] | None = None
    """Makes what writes voice messages down, given the worker's name as it claims."""


class AskAi:
    """To be run beside the crews."""

    def __init__(
        self,
        asking: Asking,
        db: Database,
        is_at_work: Callable[[str], bool],
        parts: Parts,
        make_askers: Callable[[], Mapping[str, Asker]],
    ) -> None:
        """``is_at_work``: whether the AI is to be asked for the account of this name now.

        ``make_askers`` makes the built-in assistant, by account; it may take its time and block.
        """
        self._asking = asking
        self._db = db
        self._is_at_work = lambda name: is_at_work(name) or asking.accounts[name].channel == CHAT
        self._parts = parts
        self._make_askers = make_askers

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped; a slow AI is not waited for."""
        asking, db, parts = self._asking, self._db, self._parts
        beats = {name: Heartbeats(db, name, parts.clock) for name in asking.accounts}
        # In a thread: the browsers are starting meanwhile, and the assistant takes its time to load.
        askers = await asyncio.to_thread(self._make_askers)
        beside = [asyncio.ensure_future(asker.work_beside()) for asker in askers.values()]
        wakeup, owner = Wakeup(db, ["inbox"]), make_owner()
        webhook = parts.make_webhook(
            db,
            wakeup,
            asking.accounts,
            callback_base_url=asking.callback_base_url,
            secret=asking.secret,
            owner=owner,
            is_conversation_id=parts.is_conversation_id,
            at_once=asking.at_once,
            is_at_work=self._is_at_work,
            askers=askers,
            secrets=asking.secrets,
            listings=asking.listings,
            voice=asking.voice(owner) if asking.voice is not None else None,
        )
        try:
            for one in beats.values():
                await asyncio.to_thread(one.started, "ai")
            work = AiWorker(webhook, beats, wakeup=wakeup, clock=parts.clock).run(stop)
            await waits.until_stop(work, stop, grace=parts.ai_grace_sec)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await webhook.close()
            wakeup.close()
            for one in beats.values():
                one.stopped("ai")
