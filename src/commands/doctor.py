"""``doctor``: everything that ``syncsend`` needs, a line each, with the way to get what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from rich.console import Console

from src.account import Account
from src.api.port import probe
from src.channels.base import Examination, Examines, Watches
from src.channels.browser import STATE_FILE, find_usable_browsers
from src.commands.choice import chosen, named
from src.commands.doctor_assistant import look_at_assistant
from src.commands.findings import Finding, missing
from src.commands.folders import make_folders
from src.commands.interruption import run_briefly
from src.commands.opening import begin_logs
from src.commands.privacy import refuse_open_files
from src.db import conversations
from src.db.connection_proof import prove_connection
from src.db.engine import Database
from src.errors import ChannelGone, ExitCode, Halt, NightporterError, SettingsError, TransientError
from src.logs import close_logs, safe_error
from src.services import notify
from src.services.http_asker import look_for_ai
from src.settings import AlertSettings, Settings, load_settings
from src.workers.halts import halted, what_to_do
from src.workers.parts import Machine, Parts

MOST_ON_SQLITE = 10
"""SQLite has one writer; a guess that leaves room."""


def run_doctor(name: str | None = None) -> int:
    """Check all of it, for all accounts or the named one, and print as it goes. Sends nothing.

    SettingsError if there is no account of this name.
    0 only if all that syncsend needs is there; 2 if a setting is wrong, as every command; else 1.
    """
    console = Console(highlight=False)
    findings: list[Finding] = []

    def say(finding: Finding) -> None:
        findings.append(finding)
        mark = "[green]ok[/green]" if finding.ok else "[red]NO[/red]"
        console.print(f"{mark} {finding.what:<14} {finding.words}", soft_wrap=True)
        if not finding.ok and finding.help:
            console.print(f"     {'':<14} → {finding.help}", soft_wrap=True)

    settings = _configuration(say)
    if settings is None:
        return ExitCode.SETTINGS
    accounts = chosen(settings.accounts, name)
    begin_logs(settings, "worker")
    with ExitStack() as stack:
        stack.callback(close_logs)
        db = _database(settings, say)
        if db is not None:
            stack.callback(db.close)
        driven = any(account.drives_browser for account in accounts)
        browser = _browser(settings, say) if driven else True
        for account in accounts:
            called = named(settings.accounts, account)
            tell = _telling(say, called)
            if db is not None and (browser or not account.drives_browser):
                with console.status(f"opening the inbox{f' of {called}' if called else ''} (up to a minute)"):
                    _inbox(account, Machine.of(settings), db, called, tell)
            tell(_ai(account))
        asked = [account.name for account in accounts if account.ai == "assistant"]
        if asked:
            for finding in look_at_assistant(settings.assistant, _listings(db, asked)):
                say(finding)
        say(_alerts(settings))
        if db is not None:
            say(_callback(settings, db))
    lacking = sum(not finding.ok for finding in findings)
    console.print(f"{lacking} thing(s) missing." if lacking else "Everything that syncsend needs is there.")
    return max(finding.code for finding in findings)


def _listings(db: Database | None, accounts: Iterable[str]) -> set[str]:
    """The listings that guests wrote about in the last 90 days; none where the database cannot say."""
    if db is None:
        return set()
    since = datetime.now(UTC) - timedelta(days=90)
    with db.read() as conn:
        return {one for account in accounts for one in conversations.listing_ids(conn, account, since)}


def _configuration(say: Callable[[Finding], None]) -> Settings | None:
    try:
        settings = load_settings(need_ai=True)
        refuse_open_files(settings.accounts)
        make_folders(settings)
    except SettingsError as error:
        for problem in error.problems:
            say(missing("configuration", problem, "edit .env (copy it from .env.example)"))
        return None
    several = [f"{one.name} ({one.channel}, {one.settings.reply_mode})" for one in settings.accounts]
    one = f"account {settings.accounts[0].name}, REPLY_MODE={settings.accounts[0].settings.reply_mode}"
    say(Finding("configuration", f"accounts {', '.join(several)}" if len(several) > 1 else one))
    return settings


def _telling(say: Callable[[Finding], None], called: str | None) -> Callable[[Finding], None]:
    """The same, with the account's name before the words where there are several."""
    return lambda one: say(replace(one, words=f"{called}: {one.words}") if called else one)


def _alerts(settings: AlertSettings) -> Finding:
    """Whether the addresses can be used; nothing is sent."""
    try:
        notify.check(settings)
    except SettingsError as error:
        return missing("alerts", error.problems[0], "correct it in .env", ExitCode.SETTINGS)
    if not notify.anybody(settings):
        return Finding("alerts", "nobody is told (NOTIFY_URLS, ALERT_WEBHOOK_URL)")
    number = len(settings.alert_addresses) + (settings.alert_webhook_url is not None)
    return Finding("alerts", f"{number} told; try it: POST /api/alerts/test")


def _database(settings: Settings, say: Callable[[Finding], None]) -> Database | None:
    try:
        prove_connection(settings.database_url.get_secret_value(), "DATABASE_URL")
        db = Database.open(settings.database_url.get_secret_value())
        with db.write():
            pass
    except SettingsError as error:
        say(missing("database", error.problems[0], "check DATABASE_URL", ExitCode.SETTINGS))
        return None
    except NightporterError as error:
        say(missing("database", safe_error(error), "check that the disk has room and the server runs"))
        return None
    words = f"{db.dialect}{f' in {db.path}' if db.path else ''}, schema up to date"
    if db.path is not None and len(settings.accounts) > MOST_ON_SQLITE:
        words += f"; for more than {MOST_ON_SQLITE} accounts PostgreSQL is better (DATABASE_URL)"
    say(Finding("database", words))
    return db


def _browser(settings: Settings, say: Callable[[Finding], None]) -> bool:
    help_text = "run: sh scripts/setup.sh"
    explicit = str(settings.browser_executable_path) if settings.browser_executable_path else None
    try:
        found = run_briefly(find_usable_browsers(explicit))
    except SettingsError as error:
        say(missing("browser", error.problems[0], help_text))
        return False
    except ChannelGone as error:
        say(missing("browser", str(error), help_text))
        return False
    if not found:
        say(missing("browser", "no Chrome or Chromium found", help_text))
        return False
    say(Finding("browser", found[0]))
    return True


def _inbox(
    account: Account, machine: Machine, db: Database, called: str | None, say: Callable[[Finding], None]
) -> None:
    """Saved login and page structure, by one look at the list; no conversation is opened."""
    driven = account.drives_browser
    state = halted(db, account.name)
    if state is not None:
        words = (
            f"halted since {state.halted_at:%Y-%m-%d %H:%M} UTC ({state.halt_kind}); the site is not touched"
        )
        advice = what_to_do(int(state.halt_exit_code or 10), state.halt_kind, called)
        say(missing("saved login" if driven else "inbox", words, advice))
        return
    saved = (account.session_dir / STATE_FILE).exists() or not driven
    try:
        number, examined = run_briefly(_look(account, machine, db))
    except SettingsError as error:
        for problem in error.problems:
            say(missing("inbox", problem, _where_to_correct(called), ExitCode.SETTINGS))
        return
    except Halt as halt:
        what = "page structure" if halt.kind == "page_changed" else "saved login"
        what = what if driven else "inbox"
        say(missing(what, f"{halt.kind}: {halt.detail}", what_to_do(int(halt.exit_code), halt.kind, called)))
        return
    except NightporterError as error:
        address = "AIRBNB_BASE_URL" if driven else "the account's address"
        say(missing("inbox", safe_error(error), f"check the network and {address}, then try again"))
        return
    if not driven:
        seen = "" if number is None else f", and is understood ({number} conversations in the last days)"
        say(Finding("inbox", f"it opens{seen}"))
        for one in examined:
            say(missing("service", one.words, one.advice) if one.advice else Finding("service", one.words))
        return
    say(Finding("saved login", "the inbox opens" + ("" if saved else " (no backup of the login yet)")))
    say(Finding("page structure", f"the list is understood ({number} conversations in the last days)"))


def _where_to_correct(called: str | None) -> str:
    return f"correct it in accounts.toml, account {called}, or in .env" if called else "correct it in .env"


async def _look(
    account: Account, machine: Machine, db: Database
) -> tuple[int | None, tuple[Examination, ...]]:
    """How many conversations the list shows, None where there is none; and what the service says of the account."""
    turns = Parts().make_turns(account, machine, db)
    try:
        async with asyncio.timeout(120), turns.turn("doctor") as channel:
            if not isinstance(channel, Watches):
                return None, await channel.examine() if isinstance(channel, Examines) else ()
            since = datetime.now(UTC) - timedelta(hours=account.settings.max_message_age_hours)
            glance = await channel.glance(since)
            return len(glance.conversations), ()
    except TimeoutError:
        raise NightporterError("The browser is in use by another process, or does not answer.") from None
    finally:
        await turns.close()


def _ai(account: Account) -> Finding:
    """Whether somebody is at the webhook. Nothing is posted: a real AI might answer it."""
    secret = account.settings.ai_webhook_url
    if secret is None or account.ai != "webhook":
        return Finding("AI webhook", "none: the built-in assistant answers")
    address = secret.get_secret_value()
    parts = urlsplit(address)
    try:
        status = asyncio.run(look_for_ai(address))
    except TransientError as error:
        where = f"{parts.hostname}:{parts.port or parts.scheme}"
        return missing("AI webhook", f"{where} {error}", "start your AI, check AI_WEBHOOK_URL")
    how = "takes connections, but does not answer HEAD" if status is None else f"answers (HEAD {status})"
    return Finding("AI webhook", f"{parts.hostname} {how}; try it: POST /api/ai/verify")


def _callback(settings: Settings, db: Database) -> Finding:
    """Whether the AI's way back leads to this product: by a running API, or one started for a moment."""
    if probe(settings.callback_base_url, db.database_id) == "same":
        return Finding("callback", f"{settings.callback_base_url} reaches the running API")
    return run_briefly(_callback_for_a_moment(settings, db))


async def _callback_for_a_moment(settings: Settings, db: Database) -> Finding:
    from src.api.server import serve
    from src.commands.serving import make_app
    from src.db.wakeup import Wakeup

    help_text = (
        "CALLBACK_BASE_URL must lead to API_HOST:API_PORT of this machine (a tunnel or proxy must be up)"
    )
    wakeup = Wakeup(db)
    app = make_app(settings, db, wakeup)
    stop, started = asyncio.Event(), asyncio.Event()
    server = asyncio.create_task(
        serve(app, settings.api_host, settings.api_port, stop=stop, on_started=lambda _: started.set())
    )
    begun = asyncio.create_task(started.wait())
    try:
        await asyncio.wait({server, begun}, return_when=asyncio.FIRST_COMPLETED)
        if server.done():
            server.result()
        found = await asyncio.to_thread(probe, settings.callback_base_url, db.database_id)
    except SettingsError as error:
        return missing("callback", error.problems[0], "correct it in .env, or stop the other program")
    finally:
        stop.set()
        begun.cancel()
        await asyncio.gather(server, return_exceptions=True)
        wakeup.close()
    if found == "same":
        return Finding("callback", f"{settings.callback_base_url} leads here")
    return missing("callback", f"{settings.callback_base_url} does not lead here", help_text)
