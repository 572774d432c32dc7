"""``pgnotify check|sql``: is an app's database ready for an account, and what would make it so."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rich.console import Console

from src.account import Account
from src.channels.pgnotify.checks import Check, checks
from src.channels.pgnotify.mapping import load_mapping
from src.channels.pgnotify.settings import PgnotifySettings
from src.channels.pgnotify.setup_sql import setup_sql
from src.commands.choice import choose
from src.commands.opening import opened
from src.db import accounts
from src.db.connection_proof import prove_connection
from src.db.engine import Database
from src.errors import ExitCode, Halt, NightporterError, SettingsError
from src.logs import safe_error
from src.model.values import utc_now
from src.settings import Settings, load_settings

FINDINGS = 1


def run_sql(account: str | None) -> int:
    """Print what the database's owner may run; connects to nothing. 0 · 2 configuration."""
    own = _own(load_settings(), account)
    print(setup_sql(load_mapping(_mapping_of(own))), end="")
    return ExitCode.STOPPED


def run_check(account: str | None, *, confirm_disclosure: bool = False) -> int:
    """A line for each thing. 0 good · 1 findings · 2 configuration. Leaves nothing in the app's database."""
    console = Console(highlight=False, soft_wrap=True)
    with opened("worker") as (settings, db):
        own, name = _own(settings, account), _name_of(settings, account)
        lacking = asyncio.run(_check(console, own))
        _say_disclosure(console, db, name, confirm=confirm_disclosure)
    console.print(f"{lacking} finding(s)." if lacking else "Everything is as it should be.")
    return FINDINGS if lacking else ExitCode.STOPPED


async def _check(console: Console, own: PgnotifySettings) -> int:
    mapping = load_mapping(_mapping_of(own))
    if own.url is None:
        raise SettingsError(["PGNOTIFY_URL: is not set; write the address of the app's database"])
    lacking = 0
    try:
        async for check in checks(mapping, own.conninfo):
            lacking += not check.ok
            _say(console, check)
        await asyncio.to_thread(prove_connection, own.conninfo, "PGNOTIFY_URL")
    except Halt as halt:
        raise SettingsError([f"PGNOTIFY_URL: {halt.detail}"]) from None
    except SettingsError:
        raise
    except NightporterError as error:
        raise SettingsError([f"PGNOTIFY_URL: {safe_error(error)}"]) from None
    return lacking


def _say(console: Console, check: Check) -> None:
    mark = "ok" if check.ok else "!!"
    console.print(f"{mark}  {check.what}: {check.words}", markup=False)
    if check.help:
        console.print(f"    {check.help}", markup=False)


def _say_disclosure(console: Console, db: Database, account: str, *, confirm: bool) -> None:
    with db.write() as conn:
        state = accounts.ensure(conn, account, utc_now())
        if confirm and state.disclosed_at is None:
            accounts.set_disclosed(conn, account, utc_now())
            state = accounts.get(conn, account)
    if state.disclosed_at is not None:
        console.print(
            f"ok  disclosure: confirmed on {state.disclosed_at:%Y-%m-%d}: people see that an AI answers"
        )
        return
    console.print("--  disclosure: not confirmed")
    console.print(
        "    If your app shows on the profile that an AI answers, confirm it: pgnotify check --confirm-disclosure"
    )


def _own(settings: Settings, account: str | None) -> PgnotifySettings:
    """The channel's settings of the account. SettingsError if there is no such account."""
    found = choose(_accounts(settings), account)
    return found.own if isinstance(found.own, PgnotifySettings) else settings.of(PgnotifySettings)


def _name_of(settings: Settings, account: str | None) -> str:
    return choose(_accounts(settings), account).name


def _accounts(settings: Settings) -> list[Account]:
    """Those of this channel; without one, before there is an accounts' file, the one of the variables."""
    every = list(settings.accounts)
    return [one for one in every if isinstance(one.own, PgnotifySettings)] or every[:1]


def _mapping_of(own: PgnotifySettings) -> Path:
    if own.mapping is None:
        raise SettingsError(["PGNOTIFY_MAPPING: is not set; write the path of the mapping, a TOML file"])
    return own.mapping
