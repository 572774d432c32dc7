"""``assistant``: the built-in assistant alone, served over HTTP. It ignores AI_WEBHOOK_URL."""

from __future__ import annotations

import asyncio

from loguru import logger

from src.api.assistant_app import create_assistant_app
from src.api.server import serve
from src.assistant.live import LiveAssistant
from src.commands.opening import opened
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import ExitCode, SettingsError
from src.services.hand_in import HandIn
from src.services.late_answers import LateAnswers
from src.settings import Settings
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


async def _serve(settings: Settings, db: Database) -> None:
    stop = asyncio.Event()
    listen_to_signals(stop)
    wakeup = Wakeup(db)
    assistant = LiveAssistant(settings.assistant, db, account=settings.accounts[0].name)
    hand_in = HandIn(settings)
    late = LateAnswers(assistant, hand_in)
    app = create_assistant_app(settings, db, wakeup, assistant, late)

    def started(address: str) -> None:
        logger.info("The assistant answers at {}/api/assistant/webhook (/health, /docs)", address)

    try:
        if taken_up := await late.take_up():
            logger.info("Going on with {} answers that an earlier process had begun", taken_up)
        await serve(app, settings.api_host, settings.api_port, stop=stop, on_started=started)
    finally:
        await late.close()
        await hand_in.close()
        await assistant.close()
        wakeup.close()
