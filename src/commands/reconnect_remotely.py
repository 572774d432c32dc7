"""``scripts/reconnect_airbnb.py --remote``: the remote view alone, served for as long as one reconnect takes."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from src.account import Account
from src.api.remote.app import create_remote_app
from src.api.remote.routes import path_of
from src.api.server import serve
from src.db.engine import Database
from src.errors import ExitCode, SettingsError
from src.model.remote import Link
from src.settings import ServingSettings
from src.workers.parts import Machine
from src.workers.process import listen_to_signals
from src.workers.remote import Remote

LONGEST_SEC = 3600.0
"""After this the page is closed, whatever has come of it."""


async def reconnect_remotely(
    console: Console,
    settings: ServingSettings,
    account: Account,
    machine: Machine,
    db: Database,
    port: int | None,
) -> int:
    """Print the link, serve until the inbox was found readable (0), or until Ctrl-C or an hour has passed (10)."""
    remote = Remote([account], machine, db, only_when_halted=False)
    stop = asyncio.Event()
    listen_to_signals(stop)
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(_serve(remote, settings, port, stop, started))
    over = asyncio.create_task(remote.until_over())
    stopped = asyncio.create_task(stop.wait())
    try:
        address = await _started(started, serving)
        link = await remote.link()
        _say_where(console, settings, address, link)
        await asyncio.wait({over, stopped, serving}, timeout=LONGEST_SEC, return_when=asyncio.FIRST_COMPLETED)
        if not over.done():
            console.print("The inbox was not found readable. Nothing was changed.")
            return ExitCode.HALTED_PERSON_NEEDED
        console.print("The inbox is readable; if there was a halt, it is over.")
        console.print("Start again: python src/main.py syncsend   (under PM2: pm2 restart workers)")
        return ExitCode.STOPPED
    finally:
        stop.set()
        await remote.close()
        for task in (over, stopped):
            task.cancel()
        await asyncio.gather(serving, over, stopped, return_exceptions=True)


async def _started(started: asyncio.Future[str], serving: asyncio.Task[None]) -> str:
    """The address, once it answers; raises what was wrong with it."""
    both: set[asyncio.Future[Any]] = {started, serving}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    if not started.done():
        await serving
    return await started


async def _serve(
    remote: Remote,
    settings: ServingSettings,
    port: int | None,
    stop: asyncio.Event,
    started: asyncio.Future[str],
) -> None:
    """On the wanted port, else, if nothing was said and the API has that one, on any other."""
    app = create_remote_app(remote, settings.dashboard_language)
    try:
        await serve(
            app, settings.api_host, port or settings.api_port, stop=stop, on_started=started.set_result
        )
    except SettingsError:
        if port is not None:
            raise
        await serve(app, settings.api_host, 0, stop=stop, on_started=started.set_result)


def _say_where(console: Console, settings: ServingSettings, address: str, link: Link) -> None:
    port, path = urlsplit(address).port, path_of(link)
    console.print("Open this on your phone or computer. The link works once and for ten minutes:")
    console.print(f"  {address}{path}", soft_wrap=True)
    if port == settings.api_port and settings.dashboard_url not in (address, f"http://localhost:{port}"):
        console.print(f"  or {settings.dashboard_url}{path}", soft_wrap=True)
    whose = "logs a phone in to" if link.login == "code" else "controls the browser of"
    console.print(f"Anyone with this link {whose} your account: give it to nobody.")
    console.print(
        "From another machine, first:", f"ssh -L {port}:127.0.0.1:{port} you@this-machine", soft_wrap=True
    )
    console.print("It ends by itself when the inbox is there; Ctrl-C gives up.")
