"""``demo --channels``: every channel at once on one dashboard, each played by its world in the sandbox."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from loguru import logger
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from sandbox.airbnb.site import SimulatedSite
from sandbox.mail.server import MailServer
from sandbox.model import SandboxModel
from sandbox.pgnotify.app import MAPPING, App
from sandbox.postgres import postgres_programs, running_server
from sandbox.stage import (
    SHOP,
    AirbnbWorld,
    AppWorld,
    ChatWorld,
    MailWorld,
    WhatsappWorld,
    WidgetWorld,
    World,
)
from sandbox.whatsapp.cloud import Cloud
from sandbox.whatsapp.gateways import Evolution, Gateway, Waha
from src.commands.assembly import make_asking, make_process
from src.commands.demo_stage import demo_settings, free_port
from src.commands.serving import serve_all
from src.db.engine import Database
from src.db.overview import overview
from src.errors import ExitCode
from src.logs import close_logs, set_up_logs
from src.model.statuses import InboxStatus, OutboxStatus
from src.model.values import utc_now
from src.settings import ROOT, Settings
from src.workers.crew import Work
from src.workers.halts import halted
from src.workers.parts import Parts

PATIENCE_SEC = 30.0
QUIET_SEC = 3.0
"""How long nothing more may come once all is there."""
_WORD = "a-word-of-our-own"
_GATEWAYS: dict[type[Gateway], str] = {Evolution: "Evolution", Waha: "WAHA"}


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one account, by the product's database and by the world's own log."""

    world: World
    heard: int
    answered: int
    held: int
    sent: int

    @property
    def lost(self) -> int:
        return sum(scene.lost for scene in self.world.scenes)

    @property
    def twice(self) -> int:
        return sum(scene.twice for scene in self.world.scenes)

    @property
    def ok(self) -> bool:
        written = sum(len(scene.said) for scene in self.world.scenes if scene.wanted)
        return not self.lost and not self.twice and self.heard >= written


def run_demo_of_channels(*, once: bool) -> int:
    """Play it. With ``once``: 0 only if every world's log has every reply once."""
    console = Console(highlight=False)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nightporter-demo-")))
        port = free_port()
        worlds, accounts, more = _open_worlds(stack, folder, f"http://127.0.0.1:{port}", console)
        model = stack.enter_context(SandboxModel())
        settings = _settings(folder, port, model, accounts, more)
        set_up_logs(settings.log_dir, "both", terminal=True)
        db = Database.open(settings.database_url.get_secret_value())
        try:
            for account in settings.accounts:
                halted(db, account.name)  # makes the account's row
            _say_what_this_is(console, settings, worlds, once=once)
            code = asyncio.run(_play(settings, db, worlds, once=once))
            if not once or code != ExitCode.STOPPED:
                return int(code)
            return show_rows(console, [_row(db, world) for world in worlds])
        finally:
            db.close()
            close_logs()


def _open_worlds(
    stack: ExitStack, folder: Path, api_url: str, console: Console
) -> tuple[list[World], list[str], dict[str, str]]:
    """The worlds, each with its part of ``accounts.toml``, and the variables that the two need."""
    site = stack.enter_context(SimulatedSite())
    worlds: list[World] = [AirbnbWorld(site)]
    accounts = [
        f'name = "chalet"\nchannel = "airbnb"\nbase_url = "{site.url}"\nsession_dir = "{folder}/chalet"'
    ]
    more = {}
    programs = postgres_programs()
    if programs is None:
        console.print(
            "PostgreSQL's programs are not here, so an app's tables are left out (apt install postgresql)."
        )
    else:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nightporter-app-")))
        url, _ = stack.enter_context(running_server(programs, place))
        app = App(url)
        stack.callback(app.close)
        (folder / "app.toml").write_text(MAPPING)
        worlds.append(AppWorld(app))
        accounts.append(
            f'name = "app"\nchannel = "pgnotify"\nurl = "env:DEMO_APP_URL"\nmapping = "{folder}/app.toml"'
        )
        more["DEMO_APP_URL"] = app.url
    cloud = stack.enter_context(Cloud())
    cloud.faults.copies = 3  # it tells everything three times, at the same instant
    cloud.hook = f"{api_url}/hooks/wa-cloud"
    worlds.append(WhatsappWorld(cloud, "wa-cloud", "WhatsApp, Cloud API"))
    accounts.append(
        f'name = "wa-cloud"\nchannel = "whatsapp"\nbase_url = "{cloud.url}"\nphone_id = "{cloud.phone_id}"\n'
        'token = "env:DEMO_WA_TOKEN"\napp_secret = "env:DEMO_WA_SECRET"\nverify_token = "env:DEMO_WA_WORD"\n'
        "proof_sec = 1"
    )
    more |= {"DEMO_WA_TOKEN": cloud.token, "DEMO_WA_SECRET": cloud.app_secret, "DEMO_WA_WORD": _WORD}
    for kind, called in _GATEWAYS.items():
        gateway: Gateway = stack.enter_context(kind())
        name = f"wa-{gateway.dialect}"
        gateway.hook = f"{api_url}/hooks/{name}"
        worlds.append(WhatsappWorld(gateway, name, f"WhatsApp, {called}"))
        accounts.append(
            f'name = "{name}"\nchannel = "whatsapp"\nmode = "{gateway.dialect}"\nbase_url = "{gateway.url}"\n'
            f'instance = "{gateway.instance}"\napi_key = "env:DEMO_GATEWAY_KEY"\n'
            'app_secret = "env:DEMO_GATEWAY_SECRET"\nproof_sec = 1'
        )
        more |= {"DEMO_GATEWAY_KEY": gateway.key, "DEMO_GATEWAY_SECRET": gateway.secret}
    worlds.append(ChatWorld(api_url))
    accounts.append('name = "chat"\nchannel = "chat"')
    worlds.append(WidgetWorld(api_url))
    accounts.append(f'name = "shop"\nchannel = "widget"\nsite = "shop"\norigins = ["{SHOP}"]')
    server = stack.enter_context(MailServer())
    worlds.append(MailWorld(server, api_url))
    accounts.append('name = "post"\nchannel = "mail"')
    more |= {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(server.port), "SMTP_FROM": "porter@house.example"}
    return worlds, accounts, more


def _settings(
    folder: Path, port: int, model: SandboxModel, accounts: list[str], more: dict[str, str]
) -> Settings:
    file = folder / "accounts.toml"
    file.write_text("\n".join(f"[[account]]\n{one}\n" for one in accounts))
    file.chmod(0o600)
    shutil.copytree(ROOT / "config" / "mail", folder / "mail")
    changes = {
        "ACCOUNTS_FILE": str(file),
        "SMTP_TLS": "none",
        "SMTP_TEMPLATES_DIR": str(folder / "mail"),
        **more,
    }
    return demo_settings(folder, port, model, changes)


async def _play(settings: Settings, db: Database, worlds: list[World], *, once: bool) -> ExitCode:
    parts = Parts()

    async def api(stop: asyncio.Event) -> None:
        await serve_all(settings, db, stop, parts)

    async def direct(stop: asyncio.Event) -> None:
        await _until_served(settings.api_port)
        await asyncio.gather(*(asyncio.to_thread(world.play) for world in worlds))
        if not once:
            await stop.wait()
            return
        until = time.monotonic() + PATIENCE_SEC
        # The worlds live in threads of their own, without an event for this loop.
        while not (stop.is_set() or await asyncio.to_thread(_all_there, db, worlds)):
            if time.monotonic() > until:
                break
            await asyncio.sleep(0.2)
        await asyncio.sleep(QUIET_SEC)
        await asyncio.to_thread(_all_there, db, worlds)  # a page looks for the last time
        stop.set()

    process = make_process(settings, db, Work(sync=True, send=True), parts)
    asking = make_asking(settings, db, process.is_at_work, parts)
    return await process.run([api, direct, asking.run])


async def _until_served(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        await writer.wait_closed()
        return


def _all_there(db: Database, worlds: list[World]) -> bool:
    rows = [_row(db, world) for world in worlds]  # each world looks, also behind one that is not ready
    return all(row.ok for row in rows)


def _row(db: Database, world: World) -> Row:
    with db.read() as conn:
        found = overview(conn, world.account, utc_now())
    return Row(
        world,
        heard=found.received_today,
        answered=found.inbox[InboxStatus.ANSWERED],
        held=found.inbox[InboxStatus.ESCALATED] + found.outbox[OutboxStatus.DRAFT],
        sent=sum(len(scene.replies()) for scene in world.scenes),
    )


def show_rows(console: Console, rows: list[Row]) -> int:
    """The one table at the end. 0 if nothing was lost, and nothing came twice, else 1."""
    table = Table(
        title="What happened, channel by channel", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0)
    )
    for title in ("Account", "Channel"):
        table.add_column(title, no_wrap=True)
    for title in ("Heard", "Answered", "Held", "Sent", "Lost", "Twice"):
        table.add_column(title, justify="right")
    for row in rows:
        hears = row.world.hears
        told = [row.heard, row.answered, row.held] if hears else ["–", "–", "–"]
        table.add_row(row.world.account, row.world.about, *map(str, [*told, row.sent, row.lost, row.twice]))
    console.print(table)
    console.print("Messages heard, questions answered, and held for a person: by the program's own database.")
    console.print(
        "Replies sent, lost and twice: by the log of each world, which shares no code with the program."
    )
    for row in rows:
        for scene in row.world.scenes:
            if scene.lost or scene.twice:
                console.print(f"WRONG in {row.world.account}, {scene.story}: {list(scene.replies())}")
    if all(row.ok for row in rows):
        sent = sum(row.sent for row in rows)
        console.print(f"All {sent} expected replies are where their people read them, each once.")
        return ExitCode.STOPPED
    console.print("[bold red]Not as expected.[/bold red]")
    return 1


def _say_what_this_is(console: Console, settings: Settings, worlds: list[World], *, once: bool) -> None:
    console.print(
        "[bold]Nightporter demo, all channels[/bold]: one program, one dashboard, one built-in assistant "
        "on a scripted model"
    )
    for world in worlds:
        console.print(f"  {world.account:12} {world.about}")
    if once:
        console.print("  plays the same people on each of them; takes about a minute")
        return
    console.print(f"  dashboard    http://127.0.0.1:{settings.api_port}/")
    console.print(f"  logs         {settings.log_dir}/app.log · stop with Ctrl-C")
    logger.debug("Demo in {}", settings.log_dir.parent)
