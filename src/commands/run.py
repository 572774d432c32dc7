"""``syncsend``, ``sync``, ``send`` and ``api``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from functools import partial

from loguru import logger
from rich.console import Console

from src.account import CHAT, Account
from src.api.port import check_host, listen, probe
from src.channels.registry import ids_are_personal
from src.commands.assembly import make_asking, make_process
from src.commands.choice import named
from src.commands.opening import opened
from src.db import accounts
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import ExitCode, Halt, SettingsError
from src.logs import Part
from src.model.rows import AccountState
from src.model.values import utc_now
from src.services import notify
from src.settings import Settings
from src.workers import waits
from src.workers.alert_worker import AlertWorker, tell_of_the_end
from src.workers.crew import Work
from src.workers.halts import halted, what_to_do
from src.workers.housekeeping import start_housekeeping
from src.workers.parts import Machine, Parts
from src.workers.process import Beside, Process

NOTICE_SEC = 1.0
"""How long an API by itself says 503 at /health/ready before it stops listening: what balances between several APIs
hears of the end at the same time as this one, and needs a moment."""
LOOK_FOR_API_SEC = 5.0
"""How often a waiting process looks whether another one still serves the API."""


def run_workers(*, sync: bool, send: bool, api: bool, parts: Parts | None = None) -> int:
    """Run the workers (and the API, unless one is there already) until a signal or a halt. Exit code."""
    parts = parts or Parts()

    def work(settings: Settings, db: Database) -> int:
        return _work(settings, db, Work(sync=sync, send=send), api=api, parts=parts)

    return _to_the_end("both" if api else "worker", work, need_ai=sync, parts=parts)


def run_api(parts: Parts | None = None) -> int:
    """Serve the API until a signal. Exit code."""
    parts = parts or Parts()

    def work(settings: Settings, db: Database) -> int:
        return _work_as_api(settings, db, parts)

    return _to_the_end("api", work, need_ai=False, parts=parts)


def _to_the_end(part: Part, work: Callable[[Settings, Database], int], *, need_ai: bool, parts: Parts) -> int:
    """Do the work of a long-running command. What nobody expected is said as one line and may be restarted.

    The line is on the terminal; the places in our code are in the log; the value of a variable is in neither.
    """
    with opened(part, terminal=True, need_ai=need_ai, check=notify.check, parts=parts) as (settings, db):
        try:
            return work(settings, db)
        except SettingsError:
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the program
            words = "Ended by something that was not expected; logs/app.log says where"
            logger.opt(exception=error).critical(words)
            return ExitCode.WATCHDOG


def _work(settings: Settings, db: Database, work: Work, *, api: bool, parts: Parts) -> int:
    halts = _halts(settings, db)
    if _nobody_may_work(settings, halts):
        return _end_halted(settings, db, halts)
    quiet = [account.name for account in settings.accounts if account.settings.reply_mode == "off"]
    if quiet and work.send:
        logger.info("REPLY_MODE=off ({}): nothing is sent, only read", ", ".join(quiet))
    if not any(work.of(account).names or account.channel == CHAT for account in settings.accounts):
        return ExitCode.STOPPED
    serve_api = api and _api_is_ours(settings, db)
    _say_what_comes(settings, work, api=api, serve_api=serve_api)
    process = make_process(settings, db, work, parts, partial(_say_waiting, settings))
    beside: list[Beside] = [AlertWorker(settings, list(settings.asked.values()), db, heartbeat=work.sync).run]
    if work.sync:
        beside.append(make_asking(settings, db, process.is_at_work, parts).run)
        beside.append(partial(_keep_house, settings, db, parts))
    if serve_api:
        beside.append(lambda stop: _serve(settings, db, stop, parts))
    elif api and process.shares:
        beside.append(lambda stop: _serve_when_free(settings, db, stop, parts))
    code = asyncio.run(process.run(beside))
    if code in (ExitCode.HALTED_PERSON_NEEDED, ExitCode.HALTED_PAGE_CHANGED):
        tell_of_the_end(settings, settings.accounts, db)
    logger.info("Stopped ({})", int(code))
    return int(code)


def _work_as_api(settings: Settings, db: Database, parts: Parts) -> int:
    if not _api_is_ours(settings, db):
        return ExitCode.STOPPED
    _halts(settings, db)  # makes the accounts' rows
    alerting = AlertWorker(settings, list(settings.asked.values()), db, heartbeat=False)
    process = Process(db, [], parts=parts)

    async def serve(stop: asyncio.Event) -> None:
        await _serve(settings, db, stop, parts, notice_sec=NOTICE_SEC)

    return int(asyncio.run(process.run([alerting.run, serve])))


async def _keep_house(settings: Settings, db: Database, parts: Parts, stop: asyncio.Event) -> None:
    names = list(settings.asked)
    keep = timedelta(days=settings.retention_days)
    wakeup = Wakeup(db)
    inquiry_clock = await asyncio.to_thread(
        parts.make_inquiry_clock, settings.accounts, settings.assistant, db, wakeup
    )
    scheduler = start_housekeeping(
        Machine.of(settings).evidence_dir,
        db,
        names,
        keep=keep,
        every_minute=inquiry_clock,
        called_for=[account.name for account in settings.asked.values() if account.is_called_for],
        personal=[one.name for one in settings.asked.values() if ids_are_personal(one.channel)],
    )
    try:
        await stop.wait()
    finally:
        scheduler.shutdown(wait=False)
        wakeup.close()


def _check_channels(settings: Settings, db: Database) -> None:
    """SettingsError if an account has conversations of another channel: its name stands for those.

    Stores the channel of an account that is new.
    """
    problems = []
    with db.write() as conn:
        for account in settings.asked.values():
            stored = accounts.take_channel(conn, account.name, account.channel, utc_now())
            if stored != account.channel:
                problems.append(
                    f"account {account.name}: channel: is {account.channel}, but its rows are of {stored}; "
                    "give the new one another name"
                )
    if problems:
        raise SettingsError(problems)


def _halts(settings: Settings, db: Database) -> dict[str, AccountState]:
    """The accounts that are halted, by name. Makes the rows of all."""
    _check_channels(settings, db)
    found = {name: halted(db, name) for name in settings.asked}
    return {name: state for name, state in found.items() if state is not None}


def _nobody_may_work(settings: Settings, halts: dict[str, AccountState]) -> bool:
    counted = [account for account in settings.accounts if account.counts] or settings.accounts
    return not settings.halt_wait and all(account.name in halts for account in counted)


async def _serve(
    settings: Settings, db: Database, stop: asyncio.Event, parts: Parts, *, notice_sec: float = 0.0
) -> None:
    def load() -> Callable[..., Awaitable[None]]:
        from src.commands.serving import serve_all

        return serve_all

    # The browser is starting meanwhile: loading the API takes as long as half of that.
    serve_all = await asyncio.to_thread(load)
    await serve_all(settings, db, stop, parts, notice_sec=notice_sec)


async def _serve_when_free(settings: Settings, db: Database, stop: asyncio.Event, parts: Parts) -> None:
    """The process that serves the API may end before this one, which takes over its accounts, too."""
    while not stop.is_set():
        await waits.sleep(stop, LOOK_FOR_API_SEC)
        if stop.is_set() or await asyncio.to_thread(probe, _own_url(settings), db.database_id) != "none":
            continue
        try:
            await _serve(settings, db, stop, parts)
        except SettingsError:
            logger.debug("Another process was quicker to serve the API")


def _own_url(settings: Settings) -> str:
    host = settings.api_host
    here = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 (compared, not bound)
    return f"http://{f'[{here}]' if ':' in here else here}:{settings.api_port}"


def _api_is_ours(settings: Settings, db: Database) -> bool:
    """Whether this process shall serve the API: not if this product does so already, with the same database.

    Raises SettingsError naming API_PORT if another program has the port, API_HOST if it is not this machine's.
    """
    host = settings.api_host
    check_host(host)  # else another machine would be asked, and its silence taken for a port in use
    url = _own_url(settings)
    neighbour = probe(url, db.database_id)
    if neighbour == "same":
        logger.info("The API is served already by a running Nightporter at {}; using that one", url)
        return False
    if neighbour == "other":
        taken = f"API_PORT: {settings.api_port} is used by another program, or with another database"
        raise SettingsError([f"{taken}; choose another port"])
    listen(host, settings.api_port).close()
    return True


def _end_halted(settings: Settings, db: Database, halts: dict[str, AccountState]) -> int:
    """Say it here, and to whom alerts go unless they know it already. The highest code."""
    code = 0
    for account in settings.accounts:
        if account.name in halts:
            code = max(code, _say_halted(halts[account.name], named(settings.accounts, account)))
    tell_of_the_end(settings, settings.accounts, db)
    return code


def _say_halted(state: AccountState, called: str | None) -> int:
    code = int(state.halt_exit_code or ExitCode.HALTED_PERSON_NEEDED)
    since = state.halted_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if state.halted_at else "?"
    logger.critical(
        "{}Still HALTED since {} ({}: {}); nothing is touched. {}",
        f"Account {called}: " if called else "",
        since,
        state.halt_kind,
        state.halt_detail,
        what_to_do(code, state.halt_kind, called),
    )
    return code


def _say_waiting(settings: Settings, account: Account, halt: Halt) -> None:
    called = named(settings.accounts, account)
    logger.critical(
        "{}HALTED ({}: {}); waiting, nothing is touched ({}). Open {}/reconnect, or run: "
        "python3 scripts/reconnect_airbnb.py{}",
        f"Account {called}: " if called else "",
        halt.kind,
        halt.detail,
        "HALT_WAIT=true" if settings.halt_wait else "the other accounts go on",
        settings.dashboard_url,
        f" --account {called}" if called else "",
    )


def _say_what_comes(settings: Settings, work: Work, *, api: bool, serve_api: bool) -> None:
    """The start of every run: what will be done, for whom, how fast, and where to look."""
    console = Console(stderr=True, highlight=False)
    several = len(settings.accounts) > 1
    if several:
        console.print(f"[bold]Nightporter[/bold] · {len(settings.accounts)} accounts")
    for account in settings.accounts:
        about = f"account {account.name} · {getattr(account.own, 'base_url', account.channel)}"
        console.print(
            f"[bold]{account.name}[/bold] · {account.channel}"
            if several
            else f"[bold]Nightporter[/bold] · {about}"
        )
        _say_of_account(console, account, work.of(account), has_model=settings.assistant.configured)
    if api:
        where = f"http://{settings.api_host}:{settings.api_port}"
        console.print(f"  API      {where}{'' if serve_api else ' (another process)'}")
    console.print(f"  logs     {settings.log_dir}/app.log · stop with Ctrl-C")


def _say_of_account(console: Console, account: Account, work: Work, *, has_model: bool) -> None:
    settings = account.settings
    if work.sync:
        console.print(
            f"  reads    the inbox every {settings.scrape_interval_sec:g} s and at once when it shows news; "
            f"messages up to {settings.max_message_age_hours:g} h old"
        )
        who = "the built-in assistant" if account.ai == "assistant" else "your AI"
        if account.ai == "webhook" and has_model:
            who += " (a webhook is set, so the built-in assistant is not asked)"
        console.print(
            f"  asks     {who} after {settings.grouping_delay_sec:g} s without a further message "
            f"(at most {settings.grouping_max_sec:g} s)"
        )
    if work.send:
        what = {"auto": "replies at once", "draft": "only replies that you approved"}[settings.reply_mode]
        console.print(
            f"  sends    {what}; quiet for {settings.human_pause_min:g} min where you wrote yourself"
        )
