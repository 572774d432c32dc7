"""``assistant``: the built-in assistant alone, served over HTTP. It ignores AI_WEBHOOK_URL."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from loguru import logger

from src.account import Account
from src.api.app import App
from src.api.assistant import LateAnswering
from src.api.assistant_app import create_assistant_app
from src.api.server import serve
from src.assistant.live import LiveAssistant
from src.commands.opening import opened
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import ExitCode, SettingsError
from src.logs import hide
from src.services.askers import BuiltInAsker
from src.services.hand_in import HandIn
from src.services.late_answers import LateAnswers
from src.settings import Settings
from src.workers.asking import AskAi, Asking
from src.workers.housekeeping import start_housekeeping
from src.workers.parts import Machine, Parts
from src.workers.process import listen_to_signals

NO_MODEL = "ASSISTANT_API_KEY: is not set; write the key of a model service into .env (docs/assistant.md)"


def run_assistant() -> int:
    """Serve until a signal. Exit code."""
    with opened("api", terminal=True, check=_check) as (settings, db):
        asyncio.run(_serve(settings, db))
        logger.info("Stopped (0)")
    return ExitCode.STOPPED


def _check(settings: Settings) -> None:
    if not settings.assistant.configured:
        raise SettingsError([NO_MODEL])


def make_assistant_app(
    settings: Settings,
    db: Database,
    wakeup: Wakeup,
    assistant: LiveAssistant,
    late: LateAnswering,
    **more: Any,
) -> App:
    """The HTTP side of the assistant alone; ``more`` is as for ``create_assistant_app``."""
    hide(settings.secret_values())
    return create_assistant_app(
        settings,
        db,
        wakeup,
        assistant,
        late,
        accounts=settings.accounts_by_name,
        assistant_settings=settings.assistant,
        **more,
    )


async def _serve(settings: Settings, db: Database) -> None:
    stop = asyncio.Event()
    listen_to_signals(stop)
    wakeup = Wakeup(db)
    assistant = LiveAssistant(settings.assistant, db, account=settings.accounts[0].name)
    hand_in = HandIn(settings.webhook_secret)
    late = LateAnswers(assistant, hand_in)
    chat = settings.chat
    chat = replace(chat, ai="assistant") if chat else None
    app = make_assistant_app(settings, db, wakeup, assistant, late, chat=chat)

    def started(address: str) -> None:
        logger.info("The assistant answers at {}/api/assistant/webhook (/health, /docs)", address)

    asking: asyncio.Task[None] | None = None
    keeping: AsyncIOScheduler | None = None
    try:
        if taken_up := await late.take_up():
            logger.info("Going on with {} answers that an earlier process had begun", taken_up)
        if chat is not None:
            asking = asyncio.create_task(_ask_for(chat, settings, db, assistant, stop))
            evidence_dir, keep = Machine.of(settings).evidence_dir, timedelta(days=settings.retention_days)
            names = [chat.name]
            keeping = start_housekeeping(evidence_dir, db, names, keep=keep, called_for=names, personal=names)
        await serve(app, settings.api_host, settings.api_port, stop=stop, on_started=started)
    finally:
        stop.set()
        if keeping is not None:
            keeping.shutdown(wait=False)
        if asking is not None:
            await asyncio.gather(asking, return_exceptions=True)
        await late.close()
        await hand_in.close()
        await assistant.close()
        wakeup.close()


async def _ask_for(
    chat: Account, settings: Settings, db: Database, assistant: LiveAssistant, stop: asyncio.Event
) -> None:
    """The requests of those who wait at ``/api/chat`` go to the assistant of this process."""
    only = Asking(
        {chat.name: chat},
        callback_base_url=settings.callback_base_url,
        secret=settings.webhook_secret,
        at_once=settings.ai_concurrency,
        secrets=Machine.of(settings).secrets,
    )
    askers = {chat.name: BuiltInAsker(assistant)}
    await AskAi(only, db, lambda _: True, Parts(), lambda: askers).run(stop)
