"""``demo``: the whole product on the embedded sandbox, nothing of it special for the demo.

The simulated site and the sandbox AI run in threads of this process, the workers and the API as in ``syncsend``.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from pathlib import Path

from loguru import logger
from rich.console import Console

from sandbox.ai import SandboxAI
from sandbox.airbnb.site import SimulatedSite
from src.api.app import create_app
from src.api.server import serve
from src.commands.demo_script import DemoScript, Scene
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import ExitCode
from src.logs import close_logs, set_up_logs
from src.settings import Settings, load_settings
from src.workers.asking import AskAi
from src.workers.crew import Work
from src.workers.halts import halted
from src.workers.parts import Parts
from src.workers.process import make_process

ONCE_TAKES = "about 20 seconds"


def run_demo(*, once: bool) -> int:
    """Play it. With ``once``: 0 only if every expected reply is in its thread and nothing else was written."""
    console = Console(highlight=False)
    with (
        tempfile.TemporaryDirectory(prefix="nightporter-demo-") as folder,
        SimulatedSite() as site,
        SandboxAI() as ai,
    ):
        settings = _settings(Path(folder), site, ai)
        set_up_logs(settings.log_dir, "both", terminal=True)
        db = Database.open(settings.database_url.get_secret_value())
        try:
            halted(db, settings.accounts[0].name)
            script = DemoScript(site, ai)
            _say_what_this_is(console, settings, site, once=once)
            code = asyncio.run(_play(settings, db, script, once=once))
        finally:
            db.close()
            close_logs()
    if not once or code != ExitCode.STOPPED:
        return int(code)
    return _show(console, script.scenes)


def _settings(folder: Path, site: SimulatedSite, ai: SandboxAI) -> Settings:
    """The product's own settings, with the sandbox in the place of Airbnb and of the AI, and a quick pace."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Of what is set outside only the browser counts: the demo must not find its way to a real inbox.
    outside = {name: os.environ[name] for name in ("BROWSER_EXECUTABLE_PATH",) if name in os.environ}
    return load_settings(
        folder,
        {
            **outside,
            "AIRBNB_BASE_URL": site.url,
            "AI_WEBHOOK_URL": ai.webhook_url,
            "DATABASE_URL": f"sqlite:///{folder}/demo.db",
            "PLAYWRIGHT_SESSION_DIR": str(folder / "session"),
            "LOG_DIR": str(folder / "logs"),
            "API_PORT": str(port),
            "SCRAPE_INTERVAL_SEC": "5",
            "GROUPING_DELAY_SEC": "1",
            "GROUPING_MAX_SEC": "5",
            # Who plays a guest writes more, and quicker, than any guest.
            "REPLY_CAP_CONVERSATION_HOUR": "1000",
            "REPLY_CAP_CONVERSATION_DAY": "1000",
            "REPLY_CAP_ACCOUNT_HOUR": "1000",
            "REPLY_CAP_ROUNDS": "1000",
            "REPLY_CAP_SAME_MESSAGE": "1000",
            "REPLY_CAP_SAME_REPLY": "1000",
        },
    )


async def _play(settings: Settings, db: Database, script: DemoScript, *, once: bool) -> ExitCode:
    parts = Parts()

    async def api(stop: asyncio.Event) -> None:
        wakeup = Wakeup(db)
        app = create_app(settings, db, wakeup, is_conversation_id=parts.is_conversation_id)
        try:
            await serve(app, settings.api_host, settings.api_port, stop=stop, on_ending=app.state.streams.end)
        finally:
            wakeup.close()

    async def direct(stop: asyncio.Event) -> None:
        if once:
            await script.play(stop)
            stop.set()
        else:
            script.invite()
            await stop.wait()

    process = make_process(settings, db, Work(sync=True, send=True), parts)
    asking = AskAi(settings, db, process.is_at_work, parts)
    return await process.run([api, direct, asking.run])


def _say_what_this_is(console: Console, settings: Settings, site: SimulatedSite, *, once: bool) -> None:
    console.print(
        "[bold]Nightporter demo[/bold]: a simulated Airbnb inbox, a sandbox AI, a real headless Chromium"
    )
    if once:
        console.print(f"  plays a short scripted inbox; takes {ONCE_TAKES}")
        return
    console.print(f"  be a guest   {site.url}/guest")
    console.print(f"  the inbox    {site.inbox_url}  (what the host's browser shows)")
    console.print(f"  dashboard    http://127.0.0.1:{settings.api_port}/")
    console.print(f"  the API      http://127.0.0.1:{settings.api_port}/docs")
    console.print(f"  logs         {settings.log_dir}/app.log · stop with Ctrl-C")
    logger.debug("Demo in {}", settings.log_dir.parent)


def _show(console: Console, scenes: list[Scene]) -> int:
    from rich.table import Table

    table = Table(title="What happened", title_justify="left")
    for title in ("Guest", "What was played", "Expected", "In the thread", ""):
        table.add_column(title, overflow="fold")
    for scene in scenes:
        table.add_row(scene.guest, scene.story, scene.expected, scene.outcome, "ok" if scene.ok else "WRONG")
    console.print(table)
    replies = sum(scene.wanted for scene in scenes)
    if all(scene.ok for scene in scenes):
        console.print(
            f"All {replies} expected replies are in their threads, each once; nothing else was written."
        )
        return ExitCode.STOPPED
    console.print("[bold red]Not as expected.[/bold red]")
    return 1
