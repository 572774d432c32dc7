"""``scripts/check_new_messages.py``: who waits for an answer, by one look at the list."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from textwrap import indent

from rich.console import Console

from src.account import Account
from src.channels.base import Watches
from src.commands.choice import chosen, named
from src.commands.interruption import run_briefly
from src.commands.opening import opened
from src.db.engine import Database
from src.errors import ExitCode, Halt, NightporterError
from src.logs import safe_error
from src.model.gate import newest_refusal
from src.model.inbox import InboxGlance, SeenConversation
from src.workers.halts import halted, what_to_do
from src.workers.parts import Machine, Parts

WAIT_FOR_BROWSER_SEC = 180.0


def run_look(name: str | None = None) -> int:
    """0 · 2 configuration · 10 or 11 when an inbox cannot be read (nothing is stored) · 1 any other trouble.

    Without ``name`` all accounts that have a list are looked at, one after the other; the highest code.
    """
    console = Console(highlight=False)
    with opened("worker", check=lambda settings: _check_name(settings.accounts, name)) as (settings, db):
        code = 0
        for account in chosen(settings.accounts, name):
            if name is None and not Parts().find_channel(account.channel).CAPABILITIES.watches:
                continue
            called = named(settings.accounts, account)
            if called:
                console.print(f"[bold]{called}[/bold]")
            code = max(code, _look(console, account, Machine.of(settings), db, called))
        return code


def _check_name(accounts: Sequence[Account], name: str | None) -> None:
    chosen(accounts, name)


def _look(console: Console, account: Account, machine: Machine, db: Database, called: str | None) -> int:
    try:
        state = halted(db, account.name)
        if state is not None:
            code = int(state.halt_exit_code or ExitCode.HALTED_PERSON_NEEDED)
            advice = what_to_do(code, state.halt_kind, called)
            console.print(f"Halted ({state.halt_kind}); the site is not touched. {advice}")
            return code
        with console.status("looking at the inbox (up to a minute)"):
            glance = run_briefly(_glance(account, machine, db))
        _show(console, account, glance)
    except Halt as halt:
        advice = what_to_do(halt.exit_code, halt.kind, called)
        console.print(f"The inbox cannot be read ({halt.kind}: {halt.detail}). {advice}")
        return int(halt.exit_code)
    except NightporterError as error:
        console.print(f"The inbox cannot be read this time: {safe_error(error)}")
        return 1
    return 0


async def _glance(account: Account, machine: Machine, db: Database) -> InboxGlance:
    turns = Parts().make_turns(account, machine, db)
    since = datetime.now(UTC) - timedelta(hours=account.settings.max_message_age_hours)
    try:
        async with asyncio.timeout(WAIT_FOR_BROWSER_SEC), turns.turn("look") as channel:
            if not isinstance(channel, Watches):
                raise NightporterError("This account has no list to look at.")
            return await channel.glance(since, thorough=True)
    except TimeoutError:
        raise NightporterError("Another process has the browser, or the page does not answer.") from None
    finally:
        await turns.close()


def _show(console: Console, account: Account, glance: InboxGlance) -> None:
    now, max_age = datetime.now(UTC), timedelta(hours=account.settings.max_message_age_hours)
    waiting = [c for c in glance.conversations if newest_refusal(c, now=now, max_age=max_age) is None]
    if not waiting:
        console.print(
            f"No unanswered guest message in the last {account.settings.max_message_age_hours:g} h."
        )
        return
    console.print(f"{len(waiting)} unanswered:")
    for conversation in waiting:
        guest, since, text = _words(conversation, now)
        console.print(f"\n{guest}, {since} ago ({conversation.external_id})", markup=False, soft_wrap=True)
        console.print(indent(text, "    "), markup=False, soft_wrap=True)


def _words(conversation: SeenConversation, now: datetime) -> tuple[str, str, str]:
    """Who wrote, how long ago, what."""
    newest = conversation.newest
    if newest is None:
        return "", "", ""
    minutes = int((now - newest.sent_at).total_seconds() // 60)
    since = f"{minutes} min" if minutes < 90 else f"{minutes // 60} h"
    return conversation.guest_name or "?", since, newest.text or ""
