"""What the real PM2 does with the apps of `pm2.json`.

A stand-in takes the place of the product where only PM2's own behaviour is asked for; its options are always those
of the real file. PM2 is installed once into a cache outside the repository, and runs in a home of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from src.workers.breaker import VANISHED_FOR_ONE
from tests.acceptance.api import health
from tests.acceptance.house import ROOT, House, wait_until
from tests.support.npm import npm_modules
from tests.support.ports import free_port

pytestmark = [
    pytest.mark.xdist_group("pm2"),
    pytest.mark.pm2,
    pytest.mark.acceptance,
    pytest.mark.timeout(240),
]

STAND_IN = Path(__file__).with_name("pm2_stand_in.py")
PM2_VERSION = "7.0.4"
# PM2's default is 1.6 s: work that takes longer than this is finished only if kill_timeout is really obeyed.
LONGER_THAN_PM2_WAITS_BY_DEFAULT = 2.2


@pytest.fixture(scope="session")
def pm2_program() -> Path:
    return npm_modules("pm2", PM2_VERSION) / ".bin" / "pm2"


class PM2:
    """One PM2 daemon with a home of its own, and the apps that a test gives it."""

    def __init__(self, program: Path, home: Path) -> None:
        self.program = program
        self.folder = home
        # Without PM2's own variables, in case the tests themselves run under a PM2.
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("PM2_")}
        self.environment |= {"PM2_HOME": str(home)}

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.program), *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, folder: Path, *apps: dict[str, Any]) -> None:
        file = folder / "apps.json"
        file.write_text(json.dumps({"apps": apps}), encoding="utf-8")
        self("start", str(file))

    def apps(self) -> list[dict[str, Any]]:
        """The list is the last line; a daemon that has to be started first says so before it."""
        return list(json.loads(self("jlist").strip().splitlines()[-1]))

    def app(self, name: str) -> dict[str, Any]:
        return next(app for app in self.apps() if app["name"] == name)

    def status(self, name: str) -> str:
        return str(self.app(name)["pm2_env"]["status"])

    def restarts(self, name: str) -> int:
        return int(self.app(name)["pm2_env"]["restart_time"])


@pytest.fixture(scope="module")
def pm2_homes() -> Iterator[Callable[[], Path]]:
    # Not tmp_path: the daemon's sockets lie in its home, and the path of a socket must be short.
    homes: list[Path] = []

    def new_home() -> Path:
        homes.append(Path(tempfile.mkdtemp(prefix="pm2-")))
        return homes[-1]

    yield new_home
    for home in homes:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def pm2_daemon(pm2_program: Path, pm2_homes: Callable[[], Path]) -> Iterator[PM2]:
    daemon = PM2(pm2_program, pm2_homes())
    yield daemon
    daemon("kill")


@pytest.fixture
def pm2(pm2_daemon: PM2) -> Iterator[PM2]:
    yield pm2_daemon
    if pm2_daemon.apps():
        pm2_daemon("delete", "all")


def from_pm2_json(name: str, folder: Path) -> dict[str, Any]:
    """The app as `pm2.json` has it, started from the repository but with this Python and logs of its own."""
    apps = json.loads((ROOT / "pm2.json").read_text(encoding="utf-8"))["apps"]
    app = next(app for app in apps if app["name"] == name)
    app |= {"cwd": str(ROOT), "interpreter": sys.executable}
    app |= {"out_file": str(folder / f"{name}.log"), "error_file": str(folder / f"{name}.log")}
    return app


def stand_in(
    name: str, folder: Path, plot: str, work_sec: float = 0.0, alias: str | None = None
) -> dict[str, Any]:
    app = from_pm2_json(name, folder) | {"script": str(STAND_IN), "name": alias or name}
    app["env"] |= {
        "STAND_IN_DIARY": str(folder / f"{alias or name}.diary"),
        "STAND_IN_PLOT": plot,
        "STAND_IN_WORK_SEC": str(work_sec),
    }
    return app


def diary(folder: Path, name: str) -> list[str]:
    file = folder / f"{name}.diary"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


@pytest.mark.parametrize("name", ["api", "workers"])
def test_a_halt_and_a_wrong_configuration_are_not_restarted_and_a_crash_is(
    pm2: PM2, tmp_path: Path, name: str
) -> None:
    halts = {f"{name}-{code}": f"exit={code}" for code in (2, 10, 11)}
    apps = [stand_in(name, tmp_path, plot, alias=alias) for alias, plot in halts.items()]

    pm2.start(tmp_path, *apps, stand_in(name, tmp_path, "exit=70", alias="crasher"))

    # The crasher is the clock: when it has come back twice, a restart of the others would long have happened.
    wait_until(lambda: len(diary(tmp_path, "crasher")) >= 3, "the crashing app has been restarted twice")
    for alias in halts:
        assert pm2.status(alias) == "stopped"
        assert pm2.restarts(alias) == 0
        assert len(diary(tmp_path, alias)) == 1


def test_an_app_that_is_killed_comes_back(pm2: PM2, tmp_path: Path) -> None:
    pm2.start(tmp_path, stand_in("workers", tmp_path, "work"))
    wait_until(lambda: "child started" in diary(tmp_path, "workers"), "the app runs")

    os.kill(pm2.app("workers")["pid"], signal.SIGKILL)

    wait_until(lambda: diary(tmp_path, "workers").count("child started") == 2, "the app runs again")
    assert pm2.status("workers") == "online"


@pytest.mark.parametrize("name", ["api", "workers"])
def test_stopping_lets_the_app_finish_and_leaves_its_browser_alone(
    pm2: PM2, tmp_path: Path, name: str
) -> None:
    pm2.start(tmp_path, stand_in(name, tmp_path, "work", work_sec=LONGER_THAN_PM2_WAITS_BY_DEFAULT))
    wait_until(lambda: "child started" in diary(tmp_path, name), "the app runs")

    pm2("stop", name)

    arguments = " ".join(from_pm2_json(name, tmp_path)["args"])
    assert diary(tmp_path, name) == [
        f"started with {arguments}",
        "child started",
        "got SIGINT",
        "work finished",
    ]
    assert pm2.status(name) == "stopped"
    assert pm2.app(name)["pm2_env"]["exit_code"] == 0


def test_restarting_finishes_the_old_run_before_the_new_one_starts(pm2: PM2, tmp_path: Path) -> None:
    pm2.start(tmp_path, stand_in("workers", tmp_path, "work", work_sec=LONGER_THAN_PM2_WAITS_BY_DEFAULT))
    wait_until(lambda: "child started" in diary(tmp_path, "workers"), "the app runs")

    pm2("restart", "workers")

    wait_until(lambda: diary(tmp_path, "workers").count("child started") == 2, "the app runs again")
    started = "started with syncsend --no-api"
    assert diary(tmp_path, "workers") == [
        started,
        "child started",
        "got SIGINT",
        "work finished",
        started,
        "child started",
    ]


def test_a_halt_stays_stopped_when_pm2_itself_is_started_again(
    pm2_program: Path, tmp_path: Path, pm2_homes: Callable[[], Path]
) -> None:
    pm2 = PM2(pm2_program, pm2_homes())
    try:
        pm2.start(tmp_path, stand_in("workers", tmp_path, "exit=10"))
        wait_until(lambda: pm2.status("workers") == "stopped", "the halt is there")
        pm2("save")
        pm2("kill")
        pm2("resurrect")

        assert pm2.status("workers") == "stopped"
        assert diary(tmp_path, "workers") == ["started with syncsend --no-api"]
    finally:
        pm2("kill")


def test_the_file_as_it_stands_starts_both_apps_from_the_repository_root(
    pm2_program: Path, tmp_path: Path, pm2_homes: Callable[[], Path]
) -> None:
    house = tmp_path / "a house"
    for folder in ("src", "logs", ".venv/bin"):
        (house / folder).mkdir(parents=True)
    shutil.copy(ROOT / "pm2.json", house)
    shutil.copy(STAND_IN, house / "src" / "main.py")
    (house / ".venv" / "bin" / "python").symlink_to(sys.executable)
    pm2 = PM2(pm2_program, pm2_homes())
    pm2.environment |= {"STAND_IN_DIARY": str(tmp_path / "both.diary"), "STAND_IN_PLOT": "work"}
    pm2.folder = house
    try:
        pm2("start", "pm2.json")

        wait_until(lambda: diary(tmp_path, "both").count("child started") == 2, "both apps run")
        assert {"started with api", "started with syncsend --no-api"} < set(diary(tmp_path, "both"))

        pm2.folder = tmp_path
        pm2("restart", "all")

        wait_until(lambda: diary(tmp_path, "both").count("child started") == 4, "both apps run again")
        assert {app["pm2_env"]["pm_cwd"] for app in pm2.apps()} == {str(house)}
        assert sorted(file.name for file in (house / "logs").iterdir()) == ["pm2-api.log", "pm2-workers.log"]
    finally:
        pm2("kill")


def test_the_real_api_starts_answers_and_stops(pm2: PM2, tmp_path: Path) -> None:
    port = free_port()
    api = from_pm2_json("api", tmp_path)
    api["env"] |= {
        "API_PORT": str(port),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'inbox.db'}",
        "LOG_DIR": str(tmp_path / "logs"),
        "PLAYWRIGHT_SESSION_DIR": str(tmp_path / "session"),
    }

    pm2.start(tmp_path, api)

    wait_until(lambda: health(port), "the API answers")
    assert (health(port) or {})["status"] in {"healthy", "degraded"}
    pm2("stop", "api")
    assert pm2.status("api") == "stopped"
    assert pm2.app("api")["pm2_env"]["exit_code"] == 0
    assert health(port) is None


def test_a_restart_in_the_middle_of_a_send_breaks_nothing_and_a_halt_stays_stopped(
    pm2: PM2, house: House, tmp_path: Path
) -> None:
    workers = from_pm2_json("workers", tmp_path)
    workers["env"] |= house.environment
    thread = house.site.inbox.add_thread(guest="Ines", says="Is there a lift?")
    sending = threading.Event()
    house.site.faults.on_event("before_send", lambda _: sending.set())
    with_api = house.start("api")
    pm2.start(tmp_path, workers)
    assert sending.wait(90), "Send was pressed"
    pm2("restart", "workers")

    wait_until(lambda: house.rows("SELECT 1 FROM queue_outbox WHERE status = 'sent'") != [], "sent", 90)
    assert [number for number, _ in house.accepted_texts()] == [thread.number]
    wait_until(lambda: pm2.status("workers") == "online", "the new run")

    house.site.faults.raise_wall("airlock_modal")
    house.site.inbox.guest_writes(thread, "And a garden?")
    wait_until(lambda: pm2.status("workers") == "stopped", "the halt", 120)
    restarts, mark = pm2.restarts("workers"), house.site.log.mark
    assert pm2.app("workers")["pm2_env"]["exit_code"] == 10
    pm2("restart", "workers")
    wait_until(lambda: pm2.status("workers") == "stopped", "the halt again", 60)
    assert pm2.restarts("workers") <= restarts + 1
    assert house.site.log.touched(mark) == []
    assert house.stop(with_api)[0] == 0


def test_a_crash_loop_is_ended_by_the_product_itself(pm2: PM2, house: House, tmp_path: Path) -> None:
    workers = from_pm2_json("workers", tmp_path)
    workers["env"] |= {**house.environment, "CRASH_LOOP_STARTS": "1"}

    def kill(_: object) -> None:
        os.kill(house.one("SELECT process_id FROM workers WHERE worker = 'sync'"), signal.SIGKILL)

    house.site.faults.on_event("list", kill, once=False)
    pm2.start(tmp_path, workers)

    wait_until(lambda: pm2.status("workers") == "stopped", "the product has halted", 120)
    assert pm2.app("workers")["pm2_env"]["exit_code"] == 10
    assert pm2.restarts("workers") == VANISHED_FOR_ONE
    assert house.one("SELECT halt_kind FROM accounts") == "crash_loop"
    assert "reconnect_airbnb.py --check" in house.run("syncsend").stderr
