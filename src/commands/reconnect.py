"""``scripts/reconnect_airbnb.py``: back to work after a halt, by a person's hands and a headless proof."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time

from rich.console import Console

from src.account import Account
from src.channels.base import Attended
from src.commands.choice import choose
from src.commands.interruption import run_briefly
from src.commands.opening import opened
from src.commands.reconnect_remotely import reconnect_remotely
from src.db.engine import Database
from src.errors import ExitCode, Halt, NightporterError, SettingsError
from src.logs import safe_error
from src.workers.halts import halted
from src.workers.parts import Machine, Parts
from src.workers.reconnect import BROWSER_SEC, prove_and_end_halt

PERSON_SEC = 900.0
"""How long the window waits for the person."""


def main(arguments: list[str]) -> int:
    """Entry point of the script; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="reconnect_airbnb.py", description="Log in again, or check whether that is needed."
    )
    parser.add_argument(
        "--check", action="store_true", help="no person, no window: verify headless, clear the halt"
    )
    parser.add_argument(
        "--remote",
        action="store_true",
        help="no screen here: shows the browser on a page that is opened elsewhere, by a link that works once",
    )
    parser.add_argument(
        "--port", type=int, default=None, help="with --remote: where that page is served (default: API_PORT)"
    )
    parser.add_argument(
        "--account", default=None, help="whose login it is; needed where there are several accounts"
    )
    options = parser.parse_args(arguments)
    console = Console(highlight=False)
    with opened("worker") as (settings, db):
        account = choose(settings.accounts, options.account)
        halted(db, account.name)  # makes the account's row
        machine = Machine.of(settings)
        if options.remote:
            return asyncio.run(reconnect_remotely(console, settings, account, machine, db, options.port))
        return run_briefly(_reconnect(console, account, machine, db, check=options.check))


async def _reconnect(
    console: Console, account: Account, machine: Machine, db: Database, *, check: bool
) -> int:
    if not check and account.login == "none":
        console.print("A login does not help here; run it with --check once the cause is mended.")
        return ExitCode.HALTED_PERSON_NEEDED
    if not check and account.login == "code":
        console.print("A phone scans a code here, which is shown on a page. Run it with --remote, or open")
        console.print("/reconnect on the dashboard.")
        return ExitCode.HALTED_PERSON_NEEDED
    if not check:
        if not _has_screen():
            console.print("There is no screen here (DISPLAY is not set). Open the browser on another one:")
            console.print("  python3 scripts/reconnect_airbnb.py --remote")
            return ExitCode.HALTED_PERSON_NEEDED
        if not await _let_person_in(console, account, machine, db):
            return ExitCode.HALTED_PERSON_NEEDED
    return await _prove(console, account, machine, db)


def _has_screen() -> bool:
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


async def _let_person_in(console: Console, account: Account, machine: Machine, db: Database) -> bool:
    """Open the window and wait until it shows the inbox. The page is only looked at; the person acts."""
    parts = Parts()
    channel = parts.make_channel(account, machine, headless=False)
    if not isinstance(channel, Attended):
        console.print("A login does not help here; run it with --check once the cause is mended.")
        return False
    exclusion = parts.make_exclusion(account, db)
    console.print("A browser window opens. Log in or solve what it asks, until you see your inbox.")
    console.print(f"It closes by itself then; it waits {PERSON_SEC / 60:g} minutes. Ctrl-C gives up.")
    try:
        async with asyncio.timeout(BROWSER_SEC + PERSON_SEC):
            await exclusion.take()
            await channel.open_for_person(PERSON_SEC)
            await channel.save_login()
    except TimeoutError:
        console.print("The inbox did not show in time. Nothing was changed.")
        return False
    except NightporterError as error:
        console.print(f"That did not work: {safe_error(error)}")
        return False
    finally:
        await channel.close()
        await exclusion.give()
    console.print("Logged in. Checking once more without a window …")
    return True


async def _prove(console: Console, account: Account, machine: Machine, db: Database) -> int:
    """Open the inbox headless, read the list; only then the halt is cleared and the login saved."""
    began = time.monotonic()
    try:
        with console.status("opening the inbox headless"):
            done = await prove_and_end_halt(account, machine, db)
    except Halt as halt:
        console.print(f"The inbox is not readable: {halt.kind}, {halt.detail}")
        if halt.evidence:
            console.print(f"What the page showed: {halt.evidence}")
        return ExitCode.HALTED_PERSON_NEEDED
    except SettingsError:
        raise
    except (NightporterError, TimeoutError) as error:
        console.print(f"The inbox is not readable: {safe_error(error)}")
        return ExitCode.HALTED_PERSON_NEEDED
    console.print(
        f"The inbox is readable ({time.monotonic() - began:.0f} s). "
        + ("The halt is cleared." if done.cleared else "There was no halt.")
    )
    if done.released or done.stale:
        console.print(f"Of the replies that waited, {len(done.stale)} came too late and are cancelled;")
        console.print(f"{len(done.released)} go out slowly; each is judged again before it is typed.")
    console.print(
        "Start again: python src/main.py syncsend   (under PM2: pm2 restart workers; "
        "with HALT_WAIT=true it goes on by itself)"
    )
    return ExitCode.STOPPED
