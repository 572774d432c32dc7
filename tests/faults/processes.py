"""Level B: the real worker process, really killed, at every step; a real database, a site without a browser.

Each process is forked from one that has loaded the program already (``forkserver``), which makes a start quick; it
runs the same command as ``python src/main.py syncsend``. Kill -9 is kill -9. One time in eight it is
frozen (SIGSTOP) for longer than an arm is good for, in place of being killed.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess

from sandbox.ai import Plan as AiPlan
from sandbox.ai import SandboxAI
from src.db.engine import Database
from tests.faults import forks, people
from tests.faults.invariants import broken_promises
from tests.faults.plan import Plan
from tests.faults.site_server import SiteServer, kill
from tests.faults.story import replay_line
from tests.faults.tally import Tally
from tests.faults.truth import Case
from tests.faults.worker_process import PRESS_WITHIN_SEC
from tests.support.site import Acceptance
from tests.support.waiting import came

PATIENCE_SEC = 180.0
FROZEN = 0.125
KILLED_AT = 40
"""A process is killed at its n-th point, n up to this, counted from its start, or …"""
AFTER = {"before read": 20, "before write": 14, "before press_send": 8}
"""… counted from the first of these points: most kills shall hit a reply that is on its way."""
ACCEPTANCES = (Acceptance(), Acceptance(), Acceptance(hidden_for=4), Acceptance(taken=False))


def trials(plan: Plan, kills: int = 3) -> Iterator[Tally]:
    """One to three replies and one to three (or so many) kills in a row for each seed."""
    texts = people.Texts()
    with SandboxAI(AiPlan("body"), brain=lambda *_: texts()) as ai:
        for seed in plan.seeds:
            yield _trial(plan, ai, random.Random(seed), seed, kills)


def _trial(plan: Plan, ai: SandboxAI, rng: random.Random, seed: int, kills: int) -> Tally:
    tally = Tally()
    url = plan.fresh()
    server = SiteServer(plan.folder)
    db = Database.open(url)
    try:
        text = people.Texts()
        for _ in range(rng.randint(1, 3)):
            server.site.conversation(f"{text()} ?")
        start = _starter(plan, url, ai.webhook_url, server.address)
        for _ in range(rng.randint(1, kills)):
            _trouble(rng, server, start, tally, text)
        _until_all_is_well(
            Case(db, lambda: server.site), server, start, tally, replay_line("B", seed, plan.database)
        )
    finally:
        db.close()
        server.close()
    return tally


def _starter(plan: Plan, url: str, webhook: str, address: str) -> Callable[[], BaseProcess]:
    changes = {"AI_WEBHOOK_URL": webhook, "DATABASE_URL": url, "AIRBNB_BASE_URL": "http://127.0.0.1:9"}
    environment = forks.environment(plan.folder, **changes)
    return lambda: forks.start(["syncsend", "--no-api"], environment, address, plan.folder)


def _trouble(
    rng: random.Random, server: SiteServer, start: Callable[[], BaseProcess], tally: Tally, text: people.Texts
) -> None:
    """A process that is killed, or frozen for a while, at one of its points; maybe somebody writes at another."""
    with server.turn:
        server.site.acceptance = rng.choice(ACCEPTANCES)
        if rng.random() < 0.6:  # else there may be nothing left to do
            server.site.guest_writes(rng.choice(list(server.site.conversations.values())), text())
    anchor = rng.choice(["", *AFTER])
    at, freeze = rng.randint(1, AFTER.get(anchor, KILLED_AT)), rng.random() < FROZEN
    acts_at = rng.randint(1, KILLED_AT) if rng.random() < 0.3 else 0
    what, pick, which = rng.choice(people.HAPPENINGS), rng.randint(0, 3), rng.randint(0, 3)
    met: list[str] = []
    process: list[BaseProcess] = []
    frozen_until: list[float] = []
    left = [at]

    def at_point(name: str, number: int) -> None:
        if number == acts_at:
            people.do(server.site, what, pick, which, text)
        if left[0] < at or not anchor or name == anchor:
            left[0] -= 1
        if left[0] == 0 and not met:
            met.append(name)
            if not freeze:
                kill(process[0].pid)
                return
            os.kill(process[0].pid or 0, signal.SIGSTOP)
            frozen_until.append(time.monotonic() + 1.5 * PRESS_WITHIN_SEC)

    server.set_anew(at_point)
    with server.turn:  # so that it reaches no point before its number is known
        process.append(start())
    _wait(lambda: met or _at_rest(server, process[0]))
    if met:
        tally.count(f"{'frozen' if freeze else 'killed'} {met[0]}")
    if frozen_until:
        tally.count("freezes")
        time.sleep(max(0.0, frozen_until[0] - time.monotonic()))  # that time passes is the trouble
        os.kill(process[0].pid or 0, signal.SIGCONT)
        _wait(lambda: _at_rest(server, process[0]))
    if not met or freeze:
        kill(process[0].pid)  # it went through everything, or was frozen: it does not end by itself
    tally.count("kills at a step" if met and not freeze else "kills at rest")
    tally.count("kills")
    process[0].join()


def _at_rest(server: SiteServer, process: BaseProcess) -> bool:
    """Whether it has ended, or has done all there is: it only looks at the list any more."""
    if not process.is_alive():
        return True
    with server.turn:
        last = [point for point in server.points if "commit" not in point][-6:]
    return len(last) == 6 and all("glance" in point for point in last)


def _wait(condition: Callable[[], object]) -> None:
    came(condition, PATIENCE_SEC, every_sec=0.005)


def _until_all_is_well(
    case: Case, server: SiteServer, start: Callable[[], BaseProcess], tally: Tally, replay: str
) -> None:
    """The trouble is over: a last process has all the time it needs, and is stopped as a person stops it."""
    server.site.acceptance = Acceptance()
    server.set_anew(lambda _name, _number: None)
    began = time.monotonic()
    process = start()

    def well() -> bool:
        _show_what_is_late(server)
        kept = not _wrong(case, server) and not case.anything_open()
        return not process.is_alive() or (kept and _at_rest(server, process))

    came(well, PATIENCE_SEC)
    tally.took("settled after the last kill", time.monotonic() - began)
    wrong = _wrong(case, server)
    if not process.is_alive():
        wrong = [f"I5 the worker ended by itself with {process.exitcode}"]
    elif case.anything_open():
        wrong = [*wrong, "I5 something is still under way"]
    process.terminate()
    process.join(PATIENCE_SEC)
    if process.exitcode != 0:
        wrong.append(f"I10 the worker ended with {process.exitcode} when it was asked to stop")
    tally.judge(wrong or _wrong(case, server), replay)
    jobs = case.jobs()
    tally.count("replies", len(jobs))
    tally.count("presses", len(server.site.presses))
    for job in jobs:
        tally.count(f"ended {job.status}")


def _show_what_is_late(server: SiteServer) -> None:
    with server.turn:
        for where in server.site.conversations.values():
            for message in where.messages:
                message.hidden_for = min(message.hidden_for, int(message is where.messages[-1]))


def _wrong(case: Case, server: SiteServer) -> list[str]:
    with server.turn:
        return broken_promises(case)


def long_trials(plan: Plan) -> Iterator[Tally]:
    """Ten kills at most, one after the other, on the same database."""
    return trials(plan, kills=10)
