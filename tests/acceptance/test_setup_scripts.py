"""What the set-up scripts do on machines that we do not have: without a browser, without internet, without root.

The scripts are the real ones, in a folder of their own. The programs that they call are stand-ins that write down how
they were called and change a small pretended machine; each thing that is there on it is a file in ``machine/``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).resolve().parents[2]

PYTHON = """#!/bin/sh
echo "python $*" >>"$STAGE/calls"
there() { [ -e "$STAGE/machine/$1" ]; }
case "$*" in
    *"sys.version_info < (3, 11)"*) there python3.11 ;;
    --version) echo "Python 3.11.9" ;;
    *"import ensurepip"*) there python3-venv ;;
    "-m pip --version") there pip ;;
    *"-m venv"*)
        if [ -d .venv ]; then find .venv/ -mindepth 1 -delete; fi
        mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip install"*) there "package server" ;;
    *browser_smoke.py) there driver && there browser && echo "    works: a browser" ;;
    "-m playwright --version") there driver ;;
    "-m playwright install "*) there internet && touch "$STAGE/machine/browser" ;;
esac
"""
APT = """#!/bin/sh
case "$*" in *update*) call="apt update" ;; *) call="apt install ${*##*--no-install-recommends }" ;; esac
echo "$call" >>"$STAGE/calls"
if [ -e "$STAGE/machine/flaky apt" ]; then rm "$STAGE/machine/flaky apt"; exit 100; fi
case "$call" in
    *chromium*) touch "$STAGE/machine/browser" ;;
    *libatomic1*) touch "$STAGE/machine/driver" ;;
    *python3-venv*) touch "$STAGE/machine/python3-venv" ;;
esac
"""
ID = """#!/bin/sh
if [ -e "$STAGE/machine/root" ]; then echo 0; else echo 1000; fi
"""
NOTHING = "#!/bin/sh\nexit 0\n"
REFUSED = "#!/bin/sh\nexit 1\n"


class Machine:
    """A pretended machine with the scripts on it."""

    def __init__(self, folder: Path) -> None:
        self.stage = folder
        self.house = folder / "house"
        (folder / "machine").mkdir()
        (folder / "bin").mkdir()
        self.house.mkdir()
        shutil.copytree(ROOT / "scripts", self.house / "scripts")
        for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt"):
            shutil.copy(ROOT / name, self.house)
        stubs = {"python3": PYTHON, "apt-get": APT, "id": ID, "sudo": REFUSED, "sleep": NOTHING}
        stubs |= dict.fromkeys(("python3.11", "python3.12", "python3.13", "python3.14"), REFUSED)
        for name, text in stubs.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        self.has("python3.11", "python3-venv", "package server", "driver", "root")

    def has(self, *things: str) -> None:
        for thing in things:
            (self.stage / "machine" / thing).touch()

    def lacks(self, *things: str) -> None:
        for thing in things:
            (self.stage / "machine" / thing).unlink(missing_ok=True)

    def run(
        self, script: str = "setup.sh", *options: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        (self.stage / "calls").unlink(missing_ok=True)
        return subprocess.run(
            ["sh", f"house/scripts/{script}", *options],
            cwd=self.house.parent,
            env={"PATH": f"{self.stage / 'bin'}:/usr/bin:/bin", "STAGE": str(self.stage), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def calls(self, of: str = "") -> list[str]:
        """What was called in the last run, without the questions that change nothing."""
        file = self.stage / "calls"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        shown = (
            "apt ",
            "python -m venv",
            "python -m pip install",
            "python -m playwright install",
            "python src/",
        )
        return [line for line in lines if line.startswith(shown) and of in line]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_where_all_is_there_the_first_run_makes_the_environment_and_the_second_only_looks(
    machine: Machine,
) -> None:
    machine.has("browser")

    first = machine.run()

    assert first.returncode == 0, first.stderr
    assert [call.split()[2] for call in machine.calls()] == ["venv", "pip"]
    assert "works: a browser" in first.stdout

    second = machine.run()

    assert second.returncode == 0
    assert machine.calls() == []


def test_changed_requirements_are_installed_into_the_same_environment(machine: Machine) -> None:
    machine.has("browser")
    machine.run()
    with (machine.house / "constraints.txt").open("a") as file:
        file.write("somewhere==1.0\n")

    machine.run()

    assert [call.split()[2] for call in machine.calls()] == ["pip"]


def test_what_the_tests_need_is_installed_once_and_enough_for_the_product_too(machine: Machine) -> None:
    machine.has("browser")
    machine.run("setup.sh", "--dev")
    assert "-r requirements-dev.txt" in machine.calls("pip install")[0]

    machine.run("setup.sh", "--dev")
    assert machine.calls() == []
    machine.run()
    assert machine.calls() == []


def test_an_environment_of_another_folder_is_made_anew(machine: Machine) -> None:
    machine.has("browser")
    machine.run()
    moved = machine.house.rename(machine.stage / "moved")
    machine.house.symlink_to(moved)

    machine.run()

    assert [call.split()[2] for call in machine.calls()] == ["venv", "pip"]


@pytest.mark.parametrize("there", [True, False], ids=["a folder", "nothing"])
def test_a_linked_environment_is_unlinked_and_what_it_points_to_is_left_alone(
    machine: Machine, there: bool
) -> None:
    machine.has("browser")
    elsewhere = machine.stage / "elsewhere"
    if there:
        (elsewhere / "bin").mkdir(parents=True)
        (elsewhere / "bin" / "precious").write_text("somebody's")
    (machine.house / ".venv").symlink_to(elsewhere)

    done = machine.run()

    assert done.returncode == 0, done.stderr
    assert "link" in done.stdout
    assert not (machine.house / ".venv").is_symlink()
    assert [path.name for path in elsewhere.rglob("*")] == (["bin", "precious"] if there else [])
    assert machine.run().returncode == 0
    assert machine.calls() == []


def test_without_a_browser_playwrights_own_comes_first(machine: Machine) -> None:
    machine.has("internet")

    done = machine.run()

    assert done.returncode == 0, done.stderr
    assert machine.calls("playwright") == ["python -m playwright install --no-shell chromium"]
    assert machine.calls("apt") == []


def test_without_internet_the_systems_browser_is_installed(machine: Machine) -> None:
    done = machine.run()

    assert done.returncode == 0, done.stderr
    assert machine.calls("apt") == [
        "apt update",
        "apt install chromium chromium-sandbox fonts-liberation libatomic1",
    ]


def test_a_library_that_the_driver_needs_is_installed_before_a_browser(machine: Machine) -> None:
    machine.lacks("driver")
    machine.has("browser")

    done = machine.run()

    assert done.returncode == 0, done.stderr
    assert machine.calls("apt") == ["apt update", "apt install libatomic1"]


def test_a_missing_venv_module_is_installed(machine: Machine) -> None:
    machine.lacks("python3-venv")
    machine.has("browser")

    done = machine.run()

    assert done.returncode == 0, done.stderr
    assert machine.calls("apt") == ["apt update", "apt install python3-venv"]


def test_without_venv_module_and_without_root_the_systems_pip_does_it(machine: Machine) -> None:
    machine.lacks("python3-venv", "root")
    machine.has("browser", "pip")

    done = machine.run()

    assert done.returncode == 0, done.stderr
    assert machine.calls("venv")[0] == "python -m venv --clear --without-pip .venv"


def test_a_package_server_that_fails_once_is_asked_again(machine: Machine) -> None:
    machine.has("flaky apt")

    done = machine.run()

    assert done.returncode == 0, done.stderr
    assert machine.calls("update") == ["apt update", "apt update"]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("python3.11", "Python 3.11 or newer is needed"),
        ("python3-venv", "apt install python3-venv"),
        ("package server", "could not be installed"),
        ("driver", "apt install libatomic1"),
        ("browser", "apt install chromium chromium-sandbox"),
    ],
)
def test_what_cannot_be_had_is_named_with_the_way_to_get_it(
    machine: Machine, missing: str, said: str
) -> None:
    machine.has("browser")
    machine.lacks(missing, "root")

    done = machine.run()

    assert done.returncode == 1
    assert said in done.stderr
    assert machine.calls("apt") == []


def test_system_packages_can_be_forbidden(machine: Machine) -> None:
    done = machine.run(NIGHTPORTER_NO_SYSTEM_PACKAGES="1")

    assert done.returncode == 1
    assert machine.calls("apt") == []


def test_a_run_that_broke_off_is_repaired_by_the_next(machine: Machine) -> None:
    machine.has("browser")
    machine.lacks("package server")
    assert machine.run().returncode == 1

    machine.has("package server")
    done = machine.run()

    assert done.returncode == 0
    assert [call.split()[2] for call in machine.calls()] == ["pip"]


def test_the_demo_is_played_once_and_gets_the_options(machine: Machine) -> None:
    machine.has("browser")

    done = machine.run("demo.sh", "--speed", "2")

    assert done.returncode == 0, done.stderr
    assert machine.calls("src/main.py") == ["python src/main.py demo --once --speed 2"]


@pytest.mark.parametrize("script", ["setup.sh", "test.sh"])
def test_an_unknown_option_changes_nothing(machine: Machine, script: str) -> None:
    done = machine.run(script, "--fast")

    assert done.returncode == 1
    assert "unknown option: --fast" in done.stderr
    assert machine.calls() == []


@pytest.mark.skipif(
    not (ROOT / ".venv" / "dev.stamp").exists(), reason="this checkout was not set up by the scripts"
)
def test_here_the_real_setup_has_nothing_to_do() -> None:
    started = time.monotonic()
    done = subprocess.run(
        ["sh", "scripts/setup.sh", "--dev"],
        cwd=ROOT,
        env={**os.environ, "NIGHTPORTER_NO_SYSTEM_PACKAGES": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Python packages: there" in done.stdout
    assert "works: " in done.stdout
    assert time.monotonic() - started < 30
