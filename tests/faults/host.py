"""Level M: the machine in trouble, while the real commands answer guests with a real browser.

    disk       the folder of database, logs and login is full for a while
    database   PostgreSQL is stopped and started again
    frozen     SIGSTOP of everything, of Python, or of the browser; then SIGCONT
    clock      an hour back, an hour or a day forward, and after a while the right time again

Even seeds play ``syncsend``, odd ones ``api``, ``sync`` and ``send`` as three processes. What ends is started again
as a supervisor would, unless its exit code forbids it. The AI repeats a callback that was answered with an error.
"""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from sqlalchemy import select

from sandbox.ai import SandboxAI
from sandbox.airbnb.site import SimulatedSite
from src.db.engine import Database
from src.db.statements import MESSAGES
from tests.acceptance.house import ROOT, House
from tests.faults import host_troubles as troubles
from tests.faults import people
from tests.faults.invariants import broken_promises
from tests.faults.plan import Plan
from tests.faults.story import replay_line
from tests.faults.tally import Tally
from tests.faults.truth import Case, as_known_to_itself
from tests.support.databases import PostgresServer
from tests.support.waiting import came

PATIENCE_SEC = 420.0
BUSY = 0.6
"""A process that can do nothing may take this share of a processor."""
LINES_A_SECOND = 4.0
"""So many lines each process may print on average meanwhile."""
MOMENTS = ("press", "pressed", "asked", "any")
"""The trouble begins when Send is being pressed, was pressed, the AI was asked, or any time."""
RIGHT_CODES = (0, 70)
"""Nothing of this is a person's to clear: a halt or a wrong setting would keep the program off for good."""
LONG_ENOUGH_SEC = 5.0
"""Over less than this neither load nor lines say anything."""
VICTIMS = ("all", "python", "one", "browser")
"""Who is frozen: all, every Python, the first worker's Python (others go on), or the browser with its driver."""
JUMPS = (-3600, 3600, 86_400)
MODES = ("fast", "immediate")
CREWS = (("syncsend",), ("api", "sync", "send"))
TRACE = re.compile(r"Traceback|^  File ", re.MULTILINE)


@dataclass
class Crew:
    """The commands of a house, kept running as a supervisor does; what they print goes to files."""

    house: House
    commands: tuple[str, ...]
    outputs: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    codes: list[tuple[str, int]] = field(default_factory=list)
    """Of those that ended by themselves."""

    def keep(self) -> None:
        """Start what does not run and may."""
        for name in self.commands:
            process = self.running.get(name)
            if process is not None and process.poll() is None:
                continue
            if process is not None:
                self.codes.append((name, process.returncode))
                del self.running[name]
            if not any(one == name and code in (0, 2, 10, 11) for one, code in self.codes):
                self.running[name] = self._start(name)

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        with (self.outputs / f"{name}.txt").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "src/main.py", name],
                cwd=ROOT,
                env=self.house.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def pythons(self) -> list[psutil.Process]:
        found = []
        for process in self.running.values():
            with suppress(psutil.Error):
                found.append(psutil.Process(process.pid))
        return found

    def browsers(self) -> list[psutil.Process]:
        """The browsers with their drivers: all that lives below ours."""
        found = []
        for python in self.pythons():
            with suppress(psutil.Error):
                found += python.children(recursive=True)
        return found

    def printed(self) -> str:
        """Everything, of all of them."""
        return "".join(file.read_text("utf-8", "replace") for file in sorted(self.outputs.glob("*.txt")))

    def stop(self) -> list[tuple[str, int]]:
        """As Ctrl-C would; the exit codes."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for name, process in self.running.items():
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=70)
            self.codes.append((name, process.returncode if process.returncode is not None else -99))
        return self.codes

    def kill(self) -> None:
        for process in [*self.browsers(), *self.pythons()]:
            with suppress(psutil.Error):
                process.kill()
        for started in self.running.values():
            started.wait()


@dataclass
class Trial:
    """One house, one trouble."""

    crew: Crew
    case: Case
    rng: random.Random
    tally: Tally
    replay: str
    text: people.Texts = field(default_factory=lambda: people.Texts(10_000))
    callbacks: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By request: how its last callback was answered, and when."""

    @property
    def house(self) -> House:
        return self.crew.house

    def write(self) -> None:
        inbox = self.house.site.inbox
        inbox.guest_writes(self.rng.choice(inbox.threads), f"{self.text()} ?")
        self.tally.count("messages")

    def until_at_work(self, moment: str) -> None:
        """Until that moment of a reply's way is there, if it comes at all."""
        seen: list[object] = []
        asked = len(self.house.ai.received)
        if moment == "press":
            self.house.site.faults.on_event("before_send", seen.append)
        elif moment == "pressed":
            self.house.site.faults.on_event("after_send", seen.append)
        self.write()
        if moment == "any":
            time.sleep(self.rng.uniform(0.0, 3.0))  # any moment, whatever happens then
            return
        came(
            lambda: seen or (moment == "asked" and len(self.house.ai.received) > asked), 60.0, every_sec=0.002
        )

    def keep_going(self, seconds: float, keep: bool = True) -> None:
        """Guests write, the AI repeats what failed, and what ended is started again."""
        ends_at = time.monotonic() + seconds
        writes = sorted(self.rng.uniform(0.0, seconds * 0.8) for _ in range(2))
        began = time.monotonic()
        while time.monotonic() < ends_at:
            if writes and time.monotonic() - began >= writes[0]:
                writes.pop(0)
                self.write()
            if keep:
                self.crew.keep()
            self.call_again()
            time.sleep(0.2)  # that time passes is the trial

    def call_again(self) -> None:
        """Each callback that failed is repeated every two seconds."""
        known = {c.request.payload["request_id"]: c for c in self.house.ai.callbacks}
        for request_id, callback in known.items():
            status, at = self.callbacks.setdefault(request_id, (callback.status, 0.0))
            if (status and status < 500) or time.monotonic() - at < 2.0:
                continue
            self.tally.count(f"callbacks answered with {status or 'nothing'}")
            status = 0
            with suppress(httpx.HTTPError):
                url = callback.request.payload["callback_url"]
                status = httpx.post(url, json=callback.body, timeout=2, trust_env=False).status_code
            self.callbacks[request_id] = (status, time.monotonic())

    def broken(self) -> list[str]:
        """The broken promises. By a clock that jumped, when a reply was made does not say which was first."""
        lines = broken_promises(self.case)
        if self.tally.counts["trouble clock"]:
            with self.case.db.read() as conn:
                skipped = conn.execute(select(MESSAGES.c.id).where(MESSAGES.c.skip_reason == "too_old"))
                lines += ["I1 a message is called too old, but only by the wrong clock" for _ in skipped]
            lines = [line for line in lines if not line.endswith("was pressed after a later reply")]
        return lines

    def settled(self) -> bool:
        self.crew.keep()
        self.call_again()
        return not self.case.anything_open() and not self.broken()


@dataclass(frozen=True, slots=True)
class Length:
    """How long each trouble lasts, in seconds."""

    full: float = 60.0
    stopped: tuple[float, float] = (30.0, 90.0)
    frozen: float = 200.0
    """Longer than every lease and watchdog."""
    wrong: float = 30.0


FULL = Length()
MOMENT = Length(full=2.0, stopped=(2.0, 2.0), frozen=2.0, wrong=2.0)
DISK_TROUBLES = ("disk", "frozen", "clock")
SERVER_TROUBLES = ("database", "frozen", "clock")


def trials(plan: Plan, only: str | None = None, length: Length = FULL) -> Iterator[Tally]:
    """For each seed one trouble; ``only``: always this one. Each of its kinds comes once with either crew."""
    possible = DISK_TROUBLES if plan.server is None else SERVER_TROUBLES
    for seed in plan.seeds:
        name = only or possible[seed // 2 % len(possible)]
        kind = seed // 2 if only else seed // 2 // len(possible)
        yield _play(plan, seed, name, kind, length)


def _play(plan: Plan, seed: int, name: str, kind: int, length: Length) -> Tally:
    tally, rng = Tally(), random.Random(seed)
    folder, outputs = plan.folder / str(seed), plan.folder / f"{seed}-printed"
    folder.mkdir()
    outputs.mkdir()
    said = people.Texts()
    with ExitStack() as stack:
        if name == "disk":
            stack.enter_context(troubles.small_disk(folder))
        site = stack.enter_context(SimulatedSite())
        ai = stack.enter_context(SandboxAI(brain=lambda _sender, _message: said()))
        url = f"sqlite:///{folder}/inbox.db" if plan.server is None else plan.fresh()
        changes = {"DATABASE_URL": url, "GROUPING_DELAY_SEC": "1", "CRASH_LOOP_STARTS": "1000"}
        changes |= dict.fromkeys(
            ("REPLY_CAP_CONVERSATION_HOUR", "REPLY_CAP_ROUNDS", "REPLY_CAP_SAME_REPLY"), "1000"
        )
        changes |= dict.fromkeys(("SCRAPE_INTERVAL_SEC", "SEND_WORKER_INTERVAL_SEC"), "2")
        clock = troubles.JumpingClock(outputs) if name == "clock" else None
        if clock is not None:
            changes |= clock.environment
        house = House(folder, site, ai, changes)
        db = Database.open(url)
        stack.callback(db.close)
        crew = Crew(house, CREWS[seed % 2], outputs)
        stack.callback(crew.kill)
        case = Case(db, lambda: as_known_to_itself(site))
        trial = Trial(crew, case, rng, tally, replay_line("M", seed, plan.database))
        for number in range(3):
            site.inbox.add_thread(guest=f"Guest {number}")
        crew.keep()
        trial.write()
        came(house.presses, 90.0)
        moment = rng.choice(MOMENTS)
        tally.count(f"trouble {name}")
        if name == "disk":
            _disk(trial, moment, length.full)
        elif clock is not None:
            _clock(trial, moment, length.wrong, clock, JUMPS[kind % len(JUMPS)])
        elif name == "frozen":
            _frozen(trial, moment, length.frozen, VICTIMS[kind % len(VICTIMS)])
        elif plan.server is not None:
            _database(trial, moment, length.stopped, plan.server, MODES[kind % len(MODES)])
        _settle(trial)
    return tally


def _disk(trial: Trial, moment: str, seconds: float) -> None:
    folder = trial.house.folder
    trial.until_at_work(moment)
    troubles.fill(folder)
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        _watched(trial, min(10.0, seconds))
        troubles.fill(folder)  # also what was given back meanwhile
    troubles.free(folder)


def _database(
    trial: Trial, moment: str, seconds: tuple[float, float], server: PostgresServer, mode: str
) -> None:
    trial.tally.count(f"stopped {mode}")
    trial.until_at_work(moment)
    with server.stopped(mode):
        _watched(trial, trial.rng.uniform(*seconds))


def _frozen(trial: Trial, moment: str, seconds: float, victim: str) -> None:
    crew = trial.crew
    trial.tally.count(f"frozen {victim}")
    trial.until_at_work(moment)
    pythons, browsers = crew.pythons(), crew.browsers()
    if victim == "one":
        pythons = [p for name, p in zip(crew.running, pythons, strict=True) if name != "api"][:1]
    frozen = [*(pythons if victim != "browser" else []), *(browsers if victim in ("all", "browser") else [])]
    troubles.signalled(frozen, signal.SIGSTOP)
    try:
        if victim == "browser":
            _watched(trial, seconds)
        else:
            _start_a_second(trial)
            trial.keep_going(seconds)
    finally:
        troubles.signalled(frozen, signal.SIGCONT)


def _start_a_second(trial: Trial) -> None:
    """A frozen worker still holds its locks, maybe the database's, too: another one ends, and touches nothing."""
    name = next(one for one in trial.crew.commands if one != "api")
    code = trial.house.run(name).returncode
    if code not in (2, 70):
        trial.tally.judge([f"I10 a second {name} beside a frozen one ended with {code}"], trial.replay)


def _clock(trial: Trial, moment: str, seconds: float, clock: troubles.JumpingClock, jump: int) -> None:
    trial.tally.count(f"clock {jump / 3600:+.0f} h")
    trial.until_at_work(moment)
    clock.set(jump)
    trial.keep_going(seconds)
    trial.write()
    came(trial.case.anything_open, 30.0)  # what waits now must not wait for the wrong time to come
    clock.set(0)


def _watched(trial: Trial, seconds: float) -> None:
    """``keep_going``, while nothing can be done: then nobody may be busy, nor talk without end."""
    began, lines = time.monotonic(), trial.crew.printed().count("\n")
    load = troubles.Load(trial.crew.pythons())
    trial.keep_going(seconds)
    if seconds < LONG_ENOUGH_SEC:
        return
    most = max(load.shares(), default=0.0)
    trial.tally.took("share of a second in which a process is busy in trouble,", most)
    said = (trial.crew.printed().count("\n") - lines) / (time.monotonic() - began)
    if most > BUSY:
        trial.tally.judge([f"I5 a process was busy with nothing ({most:.0%})"], trial.replay)
    if said > LINES_A_SECOND * len(trial.crew.commands):
        trial.tally.judge([f"I5 {said:.0f} lines a second were printed in trouble"], trial.replay)


def _settle(trial: Trial) -> None:
    """The trouble is over: everything is answered or held, and a last question is answered as ever."""
    tally, house, case = trial.tally, trial.house, trial.case
    began = time.monotonic()
    trial.write()
    presses = house.presses()
    came(lambda: trial.settled() and house.presses() > presses, PATIENCE_SEC, every_sec=0.2)
    tally.took("settled after the trouble", time.monotonic() - began)
    codes = trial.crew.stop()
    wrong = trial.broken()
    if case.anything_open():
        wrong.append("I5 something is still under way")
    if house.presses() == presses:
        wrong.append("I1 nothing is answered after the trouble")
    wrong += [f"I10 {name} ended with {code}" for name, code in codes if code not in RIGHT_CODES]
    house.printed.append(trial.crew.printed())
    wrong += [f"I11 {leak}" for leak in house.leaks()]
    if TRACE.search(house.printed[-1] + house.log()):
        wrong.append("I11 a stack trace was printed")
    tally.judge(wrong, trial.replay)
    tally.count("presses", house.presses())
    for job in case.jobs():
        tally.count(f"ended {job.status}")
    for _name, code in codes:
        tally.count(f"exit {code}", code != 0)
