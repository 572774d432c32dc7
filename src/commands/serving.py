"""The API of a process that runs for long, with the dashboard and the remote view."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from loguru import logger

from src.account import Account
from src.api.app import App, create_app
from src.api.connections import Limits, make_room
from src.api.server import serve
from src.api.widget.audience import AT_MOST
from src.channels.chat.settings import ChatSettings
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.logs import hide
from src.model.notices import Fill
from src.settings import Settings
from src.workers.parts import Machine, Parts
from src.workers.remote import Remote

if TYPE_CHECKING:
    from src.assistant.live import LiveAssistant


async def serve_all(
    settings: Settings, db: Database, stop: asyncio.Event, parts: Parts, *, notice_sec: float = 0.0
) -> None:
    """Serve until ``stop``, and ``notice_sec`` more. SettingsError if the address cannot be had."""
    wakeup = Wakeup(db)
    remote = Remote(settings.accounts, Machine.of(settings), db, parts=parts)
    assistant = _make_assistant(settings, db)
    hearing = parts.make_hearing(settings.accounts, Machine.of(settings))
    app = make_app(
        settings,
        db,
        wakeup,
        parts=parts,
        remote=remote,
        assistant=assistant,
        hearing=hearing,
        chat=settings.chat,
        mail=settings.mail,
        fill=make_fill(settings.mail),
    )

    def started(address: str) -> None:
        logger.bind(part="api").info("Dashboard and API at {} (callback, /health, /docs)", address)

    async def close_view() -> None:
        await stop.wait()
        await remote.close()  # else the server would wait for a viewer who stays

    closing = asyncio.create_task(close_view())
    try:
        await serve(
            app,
            settings.api_host,
            settings.api_port,
            stop=stop,
            on_started=started,
            on_ending=app.state.streams.end,
            notice_sec=notice_sec,
            limits=_limits(settings.accounts),
        )
    finally:
        closing.cancel()
        await remote.close()
        if assistant is not None:
            await assistant.close()
        wakeup.close()


def _limits(accounts: Iterable[Account]) -> Limits:
    """Where pages have the widget, many connections stay open."""
    has_pages = any(account.site is not None for account in accounts)
    return Limits(most=make_room(AT_MOST)) if has_pages else Limits()


def make_app(
    settings: Settings, db: Database, wakeup: Wakeup, *, parts: Parts | None = None, **more: Any
) -> App:
    """The whole HTTP side, as the settings have it; ``more`` is as for ``create_app``."""
    hide(settings.secret_values())
    given: dict[str, Any] = {"is_conversation_id": (parts or Parts()).is_conversation_id, **more}
    return create_app(
        settings,
        db,
        wakeup,
        accounts=settings.accounts_by_name,
        assistant_settings=settings.assistant,
        voice=settings,
        chat_key=settings.of(ChatSettings).api_key,
        **given,
    )


def make_fill(mail: Account | None) -> Fill | None:
    """Makes confirmations of the host's templates; None where no mail server is configured."""
    if mail is None:
        return None
    from src.channels.mail.settings import MailSettings
    from src.channels.mail.templates import fill

    own = mail.own
    assert isinstance(own, MailSettings)  # noqa: S101 - its channel is mail
    return partial(fill, own.templates_dir)


def _make_assistant(settings: Settings, db: Database) -> LiveAssistant | None:
    """For tries and questions about runs; the one that answers guests is the workers'."""
    if not settings.assistant.configured:
        return None
    from src.assistant.live import LiveAssistant

    return LiveAssistant(settings.assistant, db, account=settings.accounts[0].name)
