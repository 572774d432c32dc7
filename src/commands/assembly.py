"""What a process is put together from: the parts (``workers/parts.py``) and what each needs of the settings.

Only the commands know the settings as a whole. What they start is given its account, its rules, or a small value.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from src.account import Account
from src.db.engine import Database
from src.db.serving import Serving
from src.errors import Halt
from src.services.transcribing import VoiceNotes
from src.settings import Settings
from src.workers.asking import AskAi, Asking
from src.workers.breaker import Breaker
from src.workers.crew import Crew, Work
from src.workers.parts import Machine, Parts
from src.workers.process import Process


def make_process(
    settings: Settings,
    db: Database,
    work: Work,
    parts: Parts,
    on_wait: Callable[[Account, Halt], None] = lambda _account, _halt: None,
) -> Process:
    """A process with a crew for each account. An account whose mode is off is only read.

    Where several accounts stand in a file and the database is a server, further processes may do the same: each
    account is served by one of them, and they share evenly. Their order is another one in each process, so that
    processes that start together need not move many.
    """
    machine, watchdog = Machine.of(settings), parts.make_watchdog()
    shares = bool(settings.listed) and db.path is None and work.sync and work.send
    served = [account for account in settings.asked.values() if work.of(account).names]
    serving = Serving(db, (account.name for account in served)) if shares else None
    crews = [
        Crew(
            account,
            db,
            mine,
            machine,
            mark=watchdog.mark,
            breaker=Breaker(db, account.name, settings.crash_loop_starts),
            serving=serving,
            first_try_after=position * parts.share_sec,
            parts=parts,
        )
        for position, account in enumerate(random.sample(served, len(served)))
        for mine in [work.of(account)]
    ]
    wait = settings.halt_wait
    return Process(
        db, crews, wait_at_halts=wait, on_wait=on_wait, watchdog=watchdog, serving=serving, parts=parts
    )


def make_asking(settings: Settings, db: Database, is_at_work: Callable[[str], bool], parts: Parts) -> AskAi:
    """The AI's clock for every account whose requests go to an AI."""
    accounts, machine = settings.asked, Machine.of(settings)

    def make_voice(owner: str) -> VoiceNotes:
        return parts.make_voice(settings, accounts, machine, db, owner)

    asking = Asking(
        accounts,
        callback_base_url=settings.callback_base_url,
        secret=settings.webhook_secret,
        at_once=settings.ai_concurrency,
        secrets=machine.secrets,
        listings=machine.listings,
        voice=make_voice,
    )
    askers = partial(parts.make_askers, accounts.values(), settings.assistant, db)
    return AskAi(asking, db, is_at_work, parts, askers)
