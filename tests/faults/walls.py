"""I7 with a real browser: at a wall everything stops at once, and twenty starts after it touch nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import get_args

from sandbox.ai import Plan as AiPlan
from sandbox.ai import SandboxAI
from sandbox.airbnb.site import SimulatedSite
from sandbox.airbnb.walls import Step, WallKind
from tests.faults import forks, people
from tests.faults.plan import Plan
from tests.faults.story import replay_line
from tests.faults.tally import Tally

RESTARTS = 20
HALTED = 10
HALT_WITHIN_SEC = 10.0
PATIENCE_SEC = 120.0
KINDS: tuple[WallKind, ...] = get_args(WallKind)
STEPS: tuple[Step, ...] = ("always", "thread_open", "send", "after_send")


def trials(plan: Plan) -> Iterator[Tally]:
    """A wall of each kind in turn, at each step in turn."""
    texts = people.Texts()
    with SandboxAI(AiPlan("body"), brain=lambda *_: texts()) as ai:
        for seed in plan.seeds:
            with SimulatedSite() as site:
                yield _trial(plan, ai, site, seed)


def _trial(plan: Plan, ai: SandboxAI, site: SimulatedSite, seed: int) -> Tally:
    tally, replay = Tally(), replay_line("walls", seed, plan.database)
    kind, step = KINDS[seed % len(KINDS)], STEPS[seed // len(KINDS) % len(STEPS)]
    site.faults.raise_wall(kind, at=step)
    site.inbox.add_thread(guest="Ines", says="Is there a lift?")
    told = forks.environment(
        plan.folder,
        AI_WEBHOOK_URL=ai.webhook_url,
        DATABASE_URL=plan.fresh(),
        AIRBNB_BASE_URL=site.url,
        SCRAPE_INTERVAL_SEC="1",
    )
    process = forks.start(["syncsend", "--no-api"], told, None, plan.folder)
    process.join(PATIENCE_SEC)
    ended = time.time()
    met = [entry for entry in site.log.entries if entry.wall]
    if process.exitcode != HALTED or not met:
        tally.judge([f"I7 at {kind} ({step}) the worker ended with {process.exitcode}"], replay)
        process.kill()
        return tally
    tally.count(f"halts at {kind}")
    tally.took("from the wall to the end of the process", ended - met[0].at)
    if ended - met[0].at > HALT_WITHIN_SEC:
        tally.judge([f"I7 {ended - met[0].at:.1f} s from {kind} ({step}) to the end"], replay)
    mark = site.log.mark
    for _ in range(RESTARTS):
        again = forks.start(["syncsend", "--no-api"], told, None, plan.folder)
        again.join(PATIENCE_SEC)
        tally.count("starts under a halt")
        if again.exitcode != HALTED:
            tally.judge([f"I7 a start under a halt ended with {again.exitcode}"], replay)
    tally.count("requests of those starts", len(site.log.find(since=mark)))
    if site.log.find(since=mark):
        tally.judge([f"I7 starts under a halt made {len(site.log.find(since=mark))} requests"], replay)
    return tally
