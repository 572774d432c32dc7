"""``syncsend``, ``sync``, ``send`` and ``api``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC

from loguru import logger
from rich.console import Console

from src.api.port import check_host, listen, probe
from src.channels import registry
from src.commands.opening import opened
from src.db.engine import Database
from src.errors import ExitCode, Halt, SettingsError
from src.logs import Part
from src.model.rows import AccountState
from src.services import notify
from src.settings import Settings
from src.workers.alert_worker import AlertWorker, tell_of_the_end
from src.workers.breaker import Breaker
from src.workers.crew import Crew, Work
from src.workers.halts import halted, what_to_do
from src.workers.parts import Parts
from src.workers.process import Beside, Process


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
    state = halted(db, settings.account)
    if state is not None and not settings.halt_wait:
        return _end_halted(settings, db, state)
    if settings.reply_mode == "off" and work.send:
        logger.info("REPLY_MODE=off: nothing is sent, only read")
        work = Work(sync=work.sync)
        if not work.sync:
            return ExitCode.STOPPED
    serve_api = api and _api_is_ours(settings, db)
    _say_what_comes(settings, work, api=api, serve_api=serve_api)
    beside: list[Beside] = [AlertWorker(settings, db, heartbeat=work.sync).run]
    if serve_api:
        beside.append(lambda stop: _serve(settings, db, stop, parts))
    return _run(settings, db, work, beside, parts)


def _work_as_api(settings: Settings, db: Database, parts: Parts) -> int:
    if not _api_is_ours(settings, db):
        return ExitCode.STOPPED
    alerting = AlertWorker(settings, db, heartbeat=False)
    halted(db, settings.account)  # makes the account's row
    process = Process(db, [], [alerting.run, lambda stop: _serve(settings, db, stop, parts)], parts=parts)
    return int(asyncio.run(process.run()))


def _run(settings: Settings, db: Database, work: Work, beside: list[Beside], parts: Parts) -> int:
    breaker = Breaker(db, settings.account, settings.crash_loop_starts)
    breaker.starting()
    state = halted(db, settings.account)
    if state is not None and not settings.halt_wait:
        return _end_halted(settings, db, state)
    process = Process(
        db,
        [Crew(settings, db, work, parts)],
        beside,
        wait_at_halts=settings.halt_wait,
        on_wait=lambda _, halt: _say_waiting(settings, halt),
        parts=parts,
    )
    try:
        code = asyncio.run(process.run())
        if code in (ExitCode.HALTED_PERSON_NEEDED, ExitCode.HALTED_PAGE_CHANGED):
            tell_of_the_end(settings, db)
    except SettingsError:
        breaker.ended_in_order()
        raise
    except Exception:
        breaker.failed()
        raise
    breaker.ended_in_order()
    logger.info("Stopped ({})", int(code))
    return int(code)


async def _serve(settings: Settings, db: Database, stop: asyncio.Event, parts: Parts) -> None:
    def load() -> Callable[[Settings, Database, asyncio.Event, Parts], Awaitable[None]]:
        from src.commands.serving import serve_all

        return serve_all

    # The browser is starting meanwhile: loading the API takes as long as half of that.
    serve_all = await asyncio.to_thread(load)
    await serve_all(settings, db, stop, parts)


def _api_is_ours(settings: Settings, db: Database) -> bool:
    """Whether this process shall serve the API: not if this product does so already, with the same database.

    Raises SettingsError naming API_PORT if another program has the port, API_HOST if it is not this machine's.
    """
    host = settings.api_host
    check_host(host)  # else another machine would be asked, and its silence taken for a port in use
    here = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 (compared, not bound)
    url = f"http://{f'[{here}]' if ':' in here else here}:{settings.api_port}"
    neighbour = probe(url, db.database_id)
    if neighbour == "same":
        logger.info("The API is served already by a running Nightporter at {}; using that one", url)
        return False
    if neighbour == "other":
        taken = f"API_PORT: {settings.api_port} is used by another program, or with another database"
        raise SettingsError([f"{taken}; choose another port"])
    listen(host, settings.api_port).close()
    return True


def _end_halted(settings: Settings, db: Database, state: AccountState) -> int:
    """Say it here, and to whom alerts go unless they know it already."""
    code = _say_halted(state)
    tell_of_the_end(settings, db)
    return code


def _say_halted(state: AccountState) -> int:
    code = int(state.halt_exit_code or ExitCode.HALTED_PERSON_NEEDED)
    since = state.halted_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if state.halted_at else "?"
    logger.critical(
        "Still HALTED since {} ({}: {}); nothing is touched. {}",
        since,
        state.halt_kind,
        state.halt_detail,
        what_to_do(code, state.halt_kind),
    )
    return code


def _say_waiting(settings: Settings, halt: Halt) -> None:
    logger.critical(
        "HALTED ({}: {}); waiting, nothing is touched (HALT_WAIT=true). Open {}/reconnect, or run: "
        "python3 scripts/reconnect_airbnb.py",
        halt.kind,
        halt.detail,
        settings.dashboard_url,
    )


def _say_what_comes(settings: Settings, work: Work, *, api: bool, serve_api: bool) -> None:
    """The start of every run: what will be done, for whom, how fast, and where to look."""
    site = settings.of(registry.find().SETTINGS)
    console = Console(stderr=True, highlight=False)
    console.print(f"[bold]Nightporter[/bold] · account {settings.account} · {getattr(site, 'base_url', '')}")
    if work.sync:
        console.print(
            f"  reads    the inbox every {settings.scrape_interval_sec:g} s and at once when it shows news; "
            f"messages up to {settings.max_message_age_hours:g} h old"
        )
        who = "the built-in assistant" if settings.ai == "assistant" else "your AI"
        if settings.ai == "webhook" and settings.assistant.configured:
            who += " (AI_WEBHOOK_URL is set, so the built-in assistant is not asked)"
        console.print(
            f"  asks     {who} after {settings.grouping_delay_sec:g} s without a further message "
            f"(at most {settings.grouping_max_sec:g} s)"
        )
    if work.send:
        what = {"auto": "replies at once", "draft": "only replies that you approved"}[settings.reply_mode]
        console.print(
            f"  sends    {what}; quiet for {settings.human_pause_min:g} min where you wrote yourself"
        )
    if api:
        where = f"http://{settings.api_host}:{settings.api_port}"
        console.print(f"  API      {where}{'' if serve_api else ' (another process)'}")
    console.print(f"  logs     {settings.log_dir}/app.log · stop with Ctrl-C")
