"""The AI's clock of a process: one for all accounts that it works for, beside their crews."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from src.account import CHAT, Account
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.settings import Settings
from src.workers import waits
from src.workers.ai_worker import AiWorker
from src.workers.crew import make_owner
from src.workers.heartbeats import Heartbeats
from src.workers.parts import Parts, secrets_of


class AskAi:
    """To be run beside the crews."""

    def __init__(
        self,
        settings: Settings,
        db: Database,
        is_at_work: Callable[[str], bool],
        parts: Parts,
        accounts: Mapping[str, Account] | None = None,
    ) -> None:
        """``is_at_work``: whether the AI is to be asked for the account of this name now."""
        self._settings = settings
        self._accounts = settings.asked if accounts is None else accounts
        self._db = db
        self._is_at_work = lambda name: is_at_work(name) or self._accounts[name].channel == CHAT
        self._parts = parts

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped; a slow AI is not waited for."""
        settings, db, parts = self._settings, self._db, self._parts
        accounts = self._accounts
        beats = {name: Heartbeats(db, name, parts.clock) for name in accounts}
        # In a thread: the browsers are starting meanwhile, and the assistant takes its time to load.
        askers = await asyncio.to_thread(parts.make_askers, settings, db)
        beside = [asyncio.ensure_future(asker.work_beside()) for asker in askers.values()]
        wakeup = Wakeup(db, ["inbox"])
        webhook = parts.make_webhook(
            db,
            wakeup,
            accounts,
            callback_base_url=settings.callback_base_url,
            secret=settings.webhook_secret,
            owner=make_owner(),
            is_conversation_id=parts.is_conversation_id,
            at_once=settings.ai_concurrency,
            is_at_work=self._is_at_work,
            askers=askers,
            secrets=secrets_of(settings),
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
