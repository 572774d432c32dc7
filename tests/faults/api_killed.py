"""Level D: the API as a real process; killed at each transaction of a callback, and asked by a hundred at once."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess

import httpx

from src.db import outbox_views
from src.db.engine import Database
from tests.acceptance.api import health
from tests.faults import forks
from tests.faults.plan import Plan
from tests.faults.site_server import SiteServer, kill
from tests.faults.story import replay_line
from tests.faults.tally import Tally
from tests.support.ports import free_port
from tests.support.waiting import came

AT_ONCE = 100
PATIENCE_SEC = 60.0
CALLBACK = "/api/ai/webhook-simple"
THREAD = "thread-1"


def trials(plan: Plan) -> Iterator[Tally]:
    """Odd seeds: killed before or after a commit, asked again. Even seeds: a hundred copies at once, and a restart."""
    for seed in plan.seeds:
        yield _Trial(plan, seed).play()


class _Trial:
    def __init__(self, plan: Plan, seed: int) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.tally = Tally()
        self.replay = replay_line("D", seed, plan.database)
        url = plan.fresh()
        self.db = Database.open(url)
        self.server = SiteServer(plan.folder)
        self.port = free_port()
        self.told = forks.environment(
            plan.folder, DATABASE_URL=url, AIRBNB_BASE_URL="http://127.0.0.1:9", API_PORT=str(self.port)
        )
        self.folder = plan.folder

    def play(self) -> Tally:
        process = None
        try:
            process = self._kill_it() if self.seed % 2 else self._crowd()
            self._judge()
            self._stop(process)
        finally:
            if process is not None and process.is_alive():
                process.kill()
            self.db.close()
            self.server.close()
        return self.tally

    def _started(self) -> BaseProcess:
        process = forks.start(["api"], self.told, self.server.address, self.folder)
        if not came(lambda: health(self.port), PATIENCE_SEC):
            raise TimeoutError("the API does not answer")
        return process

    def _post(self) -> tuple[int, str | None]:
        body = {"conversation_id": THREAD, "message": "Yes, there is one.", "sender": "Gerda"}
        try:
            answer = httpx.post(
                f"http://127.0.0.1:{self.port}{CALLBACK}", json=body, timeout=30, trust_env=False
            )
        except httpx.TransportError:
            return 0, None
        return answer.status_code, answer.json().get("outbox_id")

    def _kill_it(self) -> BaseProcess:
        """The connection breaks, as the AI sees it; it asks again, and once more."""
        process = self._started()
        name, number = self.rng.choice(("before commit", "after commit")), self.rng.randint(1, 2)
        left = [number]

        def at_point(point: str, _number: int) -> None:
            left[0] -= point == name
            if left[0] == 0:
                kill(process.pid)

        self.server.set_anew(at_point)
        for _ in range(number):  # the first callback stores; what repeats it only looks
            self._post()
        process.join(2.0)
        self.tally.count(f"killed {name}" if not process.is_alive() else "not killed")
        self.tally.count("kills", not process.is_alive())
        self.server.set_anew(lambda _name, _number: None)
        if not process.is_alive():
            process = self._started()
        said = {self._post() for _ in range(3)}
        if len(said) != 1 or {status for status, _ in said} != {200}:
            self.tally.judge(
                [f"I9 repeated callbacks were answered {sorted(s for s, _ in said)}"], self.replay
            )
        return process

    def _crowd(self) -> BaseProcess:
        process = self._started()
        with ThreadPoolExecutor(AT_ONCE) as crowd:
            said = set(crowd.map(lambda _: self._post(), range(AT_ONCE)))
        self.tally.count("copies at once", AT_ONCE)
        ids = {outbox_id for status, outbox_id in said if status == 200}
        refused = {status for status, _ in said} - {200, 429, 503}
        if len(ids) != 1 or refused:
            self.tally.judge([f"I9 copies at once: {len(ids)} ids, statuses {sorted(refused)}"], self.replay)
        return process

    def _judge(self) -> None:
        with self.db.read() as conn:
            jobs = outbox_views.list_jobs(conn, "default", None, 1_000)
        self.tally.count("rows", len(jobs))
        if len(jobs) != 1:
            self.tally.judge([f"I9 {len(jobs)} rows for one answer"], self.replay)

    def _stop(self, process: BaseProcess) -> None:
        began = time.monotonic()
        assert process.pid
        process.terminate()
        process.join(PATIENCE_SEC)
        self.tally.took("stop of the API", time.monotonic() - began)
        if process.exitcode != 0:
            self.tally.judge(
                [f"I10 the API ended with {process.exitcode} at {signal.SIGTERM.name}"], self.replay
            )
