"""Level E: everything at once, as it is started by a person. The real command with its API, a browser, an AI that
calls back, guests who write while all of it runs, a site that fails in every way of sending, and kill -9 in between.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx

from sandbox.ai import SandboxAI
from sandbox.airbnb.site import SimulatedSite
from src.db.engine import Database
from tests.acceptance.api import health
from tests.acceptance.house import House
from tests.faults import people
from tests.faults.invariants import broken_promises
from tests.faults.plan import Plan
from tests.faults.story import replay_line
from tests.faults.tally import Tally
from tests.faults.truth import Case, as_known_to_itself
from tests.support.waiting import came

PATIENCE_SEC = 420.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """How much is going on in a trial."""

    guests: int
    messages: int
    kill_every: int
    """After so many messages the process group is killed and started anew."""


SMALL = Crowd(guests=10, messages=30, kill_every=10)
LARGE = Crowd(guests=60, messages=300, kill_every=50)
CAPS = (
    "REPLY_CAP_CONVERSATION_HOUR",
    "REPLY_CAP_CONVERSATION_DAY",
    "REPLY_CAP_ACCOUNT_HOUR",
    "REPLY_CAP_ROUNDS",
    "REPLY_CAP_SAME_REPLY",
)
FAULTS = ("none", "none", "accept_then_drop", "vanish", "alter_text", "accept_late", "server_error")


def large_trials(plan: Plan) -> Iterator[Tally]:
    """For each seed sixty guests, who write three hundred messages."""
    return trials(plan, LARGE)


def trials(plan: Plan, crowd: Crowd = SMALL) -> Iterator[Tally]:
    """For each seed ten guests, who write thirty messages."""
    for seed in plan.seeds:
        texts = people.Texts()
        folder = plan.folder / str(seed)
        folder.mkdir()
        changes = {"DATABASE_URL": plan.fresh(), "GROUPING_DELAY_SEC": "1", "CRASH_LOOP_STARTS": "1000"}
        changes |= dict.fromkeys(CAPS, "1000")
        with SimulatedSite() as site, SandboxAI(brain=_brain(texts)) as ai:
            house = House(folder, site, ai, changes)
            try:
                level = "E" if crowd is SMALL else "E-large"
                yield _trial(house, crowd, random.Random(seed), replay_line(level, seed, plan.database))
            finally:
                house.kill_all()


def _brain(texts: people.Texts) -> Callable[[str, str], str]:
    return lambda _sender, _message: texts()


def _trial(house: House, crowd: Crowd, rng: random.Random, replay: str) -> Tally:
    tally = Tally()
    text = people.Texts(10_000)
    db = Database.open(house.changes["DATABASE_URL"])
    process = house.start("syncsend")
    try:
        threads = [house.site.inbox.add_thread(guest=f"Guest {number}") for number in range(crowd.guests)]
        for number in range(1, crowd.messages + 1):
            house.site.inbox.guest_writes(rng.choice(threads), f"{text()} ?")
            _fault(house, rng, tally)
            _wait_for_a_press(house, rng.uniform(0.5, 6.0))
            if number % crowd.kill_every == 0:
                process.kill()
                process.wait()
                tally.count("kills")
                process = house.start("syncsend")
        tally.count("messages", crowd.messages)
        _settle(house, db, process, tally, replay)
    finally:
        db.close()
    return tally


def _wait_for_a_press(house: House, seconds: float) -> None:
    before = house.presses()
    came(lambda: house.presses() > before, seconds)


def _fault(house: House, rng: random.Random, tally: Tally) -> None:
    name, faults = rng.choice(FAULTS), house.site.faults
    if name == "accept_late":
        faults.accept_late(2.0)
    elif name == "server_error":
        faults.status(rng.choice(("list", "thread")), 500)
    elif name != "none":
        getattr(faults, name)(times=1)
    tally.count(f"fault {name}", name != "none")


def _settle(house: House, db: Database, process: subprocess.Popen[str], tally: Tally, replay: str) -> None:
    case = Case(db, lambda: as_known_to_itself(house.site))
    came(lambda: health(house.port), PATIENCE_SEC)
    for lost in [callback for callback in house.ai.callbacks if callback.status == 0]:
        # Nobody was there: an AI tries again, as the specification of its webhooks asks.
        httpx.post(lost.request.payload["callback_url"], json=lost.body, timeout=30, trust_env=False)
        tally.count("callbacks repeated by the AI")
    began = time.monotonic()
    came(lambda: not case.anything_open() and not broken_promises(case), PATIENCE_SEC, every_sec=0.1)
    tally.took("settled after the last message", time.monotonic() - began)
    code, _ = house.stop(process, signal.SIGTERM)
    wrong = broken_promises(case)
    if case.anything_open():
        wrong.append("I5 something is still under way")
    if code != 0:
        wrong.append(f"I10 syncsend ended with {code}")
    tally.judge([*wrong, *(f"I11 {leak}" for leak in house.leaks())], replay)
    jobs = case.jobs()
    tally.count("replies", len(jobs))
    tally.count("presses", house.presses())
    for job in jobs:
        tally.count(f"ended {job.status}")
