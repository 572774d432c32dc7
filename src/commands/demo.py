"""``demo``: the whole product on the embedded sandbox, nothing of it special for the demo.

The simulated site and the scripted model run in threads of this process; the workers, the built-in assistant and
the API as in ``syncsend``.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from loguru import logger
from rich.console import Console

from sandbox.airbnb.site import SimulatedSite
from sandbox.host import SandboxHost
from sandbox.model import SandboxModel
from src.commands.assembly import make_asking, make_process
from src.commands.demo_report import show_decisions, show_scenes
from src.commands.demo_script import DemoScript
from src.commands.demo_stage import demo_settings, free_port
from src.commands.serving import serve_all
from src.db.engine import Database
from src.errors import ExitCode
from src.logs import close_logs, set_up_logs
from src.settings import Settings
from src.workers.crew import Work
from src.workers.halts import halted
from src.workers.parts import Parts

ONCE_TAKES = "about half a minute"
KNOWN_BY_THE_HOST = {"blender": "Yes, the blender is in the cupboard under the sink."}


def run_demo(*, once: bool) -> int:
    """Play it. With ``once``: 0 only if every expected reply is in its thread and nothing else was written."""
    console = Console(highlight=False)
    with (
        tempfile.TemporaryDirectory(prefix="nightporter-demo-") as folder,
        SimulatedSite() as site,
        SandboxModel() as model,
    ):
        settings = demo_settings(Path(folder), free_port(), model, {"AIRBNB_BASE_URL": site.url})
        set_up_logs(settings.log_dir, "both", terminal=True)
        db = Database.open(settings.database_url.get_secret_value())
        try:
            halted(db, settings.accounts[0].name)
            host = SandboxHost(f"http://127.0.0.1:{settings.api_port}", KNOWN_BY_THE_HOST)
            script = DemoScript(site, host)
            _say_what_this_is(console, settings, site, once=once)
            code = asyncio.run(_play(settings, db, script, once=once))
            if not once or code != ExitCode.STOPPED:
                return int(code)
            show_decisions(console, db, settings.accounts[0].name, script.scenes, host.kept)
        finally:
            db.close()
            close_logs()
    return show_scenes(console, script.scenes)


async def _play(settings: Settings, db: Database, script: DemoScript, *, once: bool) -> ExitCode:
    parts = Parts()

    async def api(stop: asyncio.Event) -> None:
        await serve_all(settings, db, stop, parts)

    async def direct(stop: asyncio.Event) -> None:
        if once:
            await script.play(stop)
            stop.set()
        else:
            script.invite()
            await stop.wait()

    process = make_process(settings, db, Work(sync=True, send=True), parts)
    asking = make_asking(settings, db, process.is_at_work, parts)
    return await process.run([api, direct, asking.run])


def _say_what_this_is(console: Console, settings: Settings, site: SimulatedSite, *, once: bool) -> None:
    console.print(
        "[bold]Nightporter demo[/bold]: a simulated Airbnb inbox, the built-in assistant on a scripted model, "
        "a real headless Chromium"
    )
    if once:
        console.print(f"  plays a short scripted inbox; takes {ONCE_TAKES}")
        return
    console.print(
        f"  the facts    {settings.assistant.assistant_knowledge_dir}/house.md  (edit it: it counts at once)"
    )
    console.print(f"  be a guest   {site.url}/guest")
    console.print(f"  the inbox    {site.inbox_url}  (what the host's browser shows)")
    console.print(f"  dashboard    http://127.0.0.1:{settings.api_port}/")
    console.print(f"  the API      http://127.0.0.1:{settings.api_port}/docs")
    console.print(f"  logs         {settings.log_dir}/app.log · stop with Ctrl-C")
    logger.debug("Demo in {}", settings.log_dir.parent)
