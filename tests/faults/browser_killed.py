"""Level C: a real Chromium on the simulated site; kill -9 of Python, of the whole tree, of Chromium or of the driver.

Each trial has five kills, one after the other, on the same database and profile, each while a reply is on its way.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from sandbox.ai import Plan as AiPlan
from sandbox.ai import SandboxAI
from sandbox.airbnb.site import SimulatedSite
from src.db.engine import Database
from src.model.statuses import OutboxStatus
from tests.faults import forks, people
from tests.faults.invariants import broken_promises
from tests.faults.plan import Plan
from tests.faults.site_server import SiteServer, kill
from tests.faults.story import replay_line
from tests.faults.tally import Tally
from tests.faults.truth import Case, as_known_to_itself
from tests.support.waiting import came

VICTIMS = ("python", "tree", "chromium", "driver")
KILLS = 5
AFTER = {"before read": 6, "before write": 8, "before press_send": 6}
"""A kill comes at the n-th point after such a one."""
PATIENCE_SEC = 120.0
STOP_SEC = 15.0
"""Three times what a stop may take while nothing is at stake: the machine is busy."""
GONE_WITHIN_SEC = 15.0
"""What was left of a tree whose Python was killed ends by itself within this (the promise is about orderly ends)."""


def trials(plan: Plan, kills: int = KILLS) -> Iterator[Tally]:
    """So many kills for each seed; the victims go round."""
    texts = people.Texts()
    with SandboxAI(AiPlan("body"), brain=lambda *_: texts()) as ai:
        for seed in plan.seeds:
            with SimulatedSite() as site:
                yield _Trial(plan, ai, site, seed).play(kills)


class _Trial:
    def __init__(self, plan: Plan, ai: SandboxAI, site: SimulatedSite, seed: int) -> None:
        self.site = site
        self.seed = seed
        self.rng = random.Random(seed)
        self.tally = Tally()
        self.text = people.Texts(1_000)
        self.replay = replay_line("C", seed, plan.database)
        folder = plan.folder / str(seed)
        folder.mkdir()
        url = plan.fresh()
        told = {
            "AI_WEBHOOK_URL": ai.webhook_url,
            "DATABASE_URL": url,
            "AIRBNB_BASE_URL": site.url,
            "SCRAPE_INTERVAL_SEC": "1",
        }
        self.server = SiteServer(folder)
        self.db = Database.open(url)
        self.case = Case(self.db, lambda: as_known_to_itself(site))
        environment = forks.environment(folder, **told)
        self.start: Callable[[], BaseProcess] = partial(
            forks.start, ["syncsend", "--no-api"], environment, self.server.address, folder, browser=True
        )
        self.process: BaseProcess | None = None
        self.output = folder / "output"

    def play(self, kills: int) -> Tally:
        try:
            for number in range(kills):
                self._kill(VICTIMS[(self.seed + number) % len(VICTIMS)])
            self._settle()
        finally:
            self.db.close()
            self.server.close()
            if self.process is not None and self.process.is_alive():
                for one in _family(self.process.pid):
                    with suppress(psutil.NoSuchProcess):
                        one.kill()
        return self.tally

    def _running(self) -> BaseProcess:
        if self.process is None or not self.process.is_alive():
            self.server.points.clear()
            self.process = self.start()
        return self.process

    def _kill(self, victim: str) -> None:
        anchor = self.rng.choice(list(AFTER))
        left = [self.rng.randint(1, AFTER[anchor])]
        first = left[0]
        met: list[str] = []
        gone: list[psutil.Process] = []

        def at_point(name: str, _number: int) -> None:
            if left[0] < first or name == anchor:
                left[0] -= 1
            if left[0] == 0 and not met:
                met.append(name)
                family = _family(self._running().pid)
                gone.extend(family)
                _kill(victim, family)

        def struck() -> bool:
            with self.server.turn:  # where at_point kills
                if not met:
                    self._running()
            return bool(met)

        with self.server.turn:
            self.server.set_anew(at_point)
            self._running()
        self.site.inbox.add_thread(guest="Ines", says=f"{self.text()} ?")
        came(struck, PATIENCE_SEC)
        self.server.at_point = lambda _name, _number: None
        if not met:
            self.tally.judge([f"I5 in {PATIENCE_SEC:g} s no reply came to {anchor}"], self.replay)
            return
        self.tally.count("kills")
        self.tally.count(f"victim {victim}")
        self.tally.count(f"killed {met[0]}")
        if victim in ("python", "tree"):
            assert self.process is not None
            self.process.join()
            self._wait_for_the_end_of(gone)

    def _wait_for_the_end_of(self, family: list[psutil.Process]) -> None:
        """Python is dead: what it had started ends by itself."""
        began = time.monotonic()
        _, alive = psutil.wait_procs(family[1:], timeout=GONE_WITHIN_SEC)
        self.tally.took("life of a browser after its Python", time.monotonic() - began)
        alive = [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        if alive:
            self.tally.judge([f"I10 {len(alive)} processes live on without Python"], self.replay)

    def _settle(self) -> None:
        def well() -> bool:
            self._running()  # 70 and crashes are what a supervisor restarts
            return not broken_promises(self.case) and not self.case.anything_open() and bool(self.case.jobs())

        began = time.monotonic()
        came(well, PATIENCE_SEC, every_sec=0.1)
        self.tally.took("settled after the last kill", time.monotonic() - began)
        wrong = broken_promises(self.case)
        if self.case.anything_open():
            wrong.append("I5 something is still under way")
        self._stop(wrong)
        self.tally.judge([*wrong, *broken_promises(self.case)], self.replay)
        jobs = self.case.jobs()
        self.tally.count("replies", len(jobs))
        self.tally.count("presses", len(self.site.log.presses()))
        for job in jobs:
            self.tally.count(f"ended {job.status}")

    def _stop(self, wrong: list[str]) -> None:
        process = self._running()
        # Before that it has no ear for signals yet, and ends at once.
        came(lambda: self.server.points, PATIENCE_SEC)
        family = _family(process.pid)
        at_stake = any(job.armed and job.status is OutboxStatus.PROCESSING for job in self.case.jobs())
        began = time.monotonic()
        process.terminate()
        process.join(70)
        seconds = time.monotonic() - began
        if seconds > STOP_SEC and not at_stake:
            wrong.append(f"I10 nothing was pressed, and the end took {seconds:.0f} s")
        if process.exitcode != 0:
            wrong.append(f"I10 the worker ended with {process.exitcode} when it was asked to stop")
        _, alive = psutil.wait_procs(family[1:], timeout=5)
        if alive:
            wrong.append(f"I10 {len(alive)} processes are left five seconds after the end")


def _family(process_id: int | None) -> list[psutil.Process]:
    """A process and all below it, itself first."""
    try:
        head = psutil.Process(process_id)
        return [head, *head.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _kill(victim: str, family: list[psutil.Process]) -> None:
    if victim == "python":
        kill(family[0].pid)
        return
    below = [one for one in family[1:] if victim == "tree" or _is(one, victim)]
    for one in family[:1] * (victim == "tree") + below:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def _is(process: psutil.Process, victim: str) -> bool:
    try:
        name = Path(process.exe()).name
    except psutil.Error:
        return False
    return name == "node" if victim == "driver" else "chrom" in name
