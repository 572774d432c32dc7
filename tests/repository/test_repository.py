"""The repository as a whole: nothing private or foreign in it, and its parts agree with each other."""

from __future__ import annotations

import importlib.util
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from src.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9.-]*)(\[[a-z,]+\])?==(?P<version>[\w.]+)$")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def looker() -> ModuleType:
    return load(ROOT / "scripts" / "check_tracked_files.py")


# --- nothing private or foreign --------------------------------------------------------------------------------


def test_nothing_private_or_foreign_is_in_the_repository(looker: ModuleType) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    assert list(looker.findings(looker.files_of_the_repository())) == []


def test_no_database_is_in_the_repository_whatever_its_name(looker: ModuleType) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in looker.files_of_the_repository()]
    assert [file for file in files if file.is_file() and file.read_bytes().startswith(b"SQLite format")] == []


# Put together from pieces, so that this file passes its own test.
FORBIDDEN_TEXTS = {
    "a package server": "see https://py" + "pi.org/simple",
    "a package server of Debian's": "deb http://deb." + "debian.org/debian bookworm main",
    "an option of pip": "pip install --extra-ind" + "ex-url=somewhere x",
    "a path of the workplace": "cd /wo" + "rk/main",
    "a home folder": "open('/ho" + "me/ann/secret')",
    "a login cookie": "_airbed_session" + "_id=0123456789abcdef0123456789abcdef",
    "a saved login": '{"name": "x", "httpOnly": true, "secure": true, "same' + 'Site": "Lax"}',
    "a private key": "-----BEGIN RSA PRIVATE" + " KEY-----",
    "a signing secret": "WEBHOOK_SECRET=whsec" + "_" + "A" * 32,
    "a key of an AI service": "sk" + "-" + "a1B2c3D4" * 4,
    "somebody's mail address": "camille.durand" + "@gmail.com",
}


@pytest.mark.parametrize("what", FORBIDDEN_TEXTS)
def test_a_file_is_refused_that_holds(what: str, looker: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text(f"first line\n{FORBIDDEN_TEXTS[what]}\n", encoding="utf-8")

    found = list(looker.findings(["notes.md"], tmp_path))

    assert [line.split(": ")[0] for line in found] == ["notes.md:2"]
    assert FORBIDDEN_TEXTS[what] not in found[0]


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        ".env.production",
        "session/storage_state.json",
        "data/inbox.db",
        "logs/app.log",
        "tests/cookies.json",
        "inbox.sqlite3",
        "uv.lock",
        "trace.har",
    ],
)
def test_a_file_is_refused_by_its_name(name: str, looker: ModuleType, tmp_path: Path) -> None:
    assert list(looker.findings([name], tmp_path))


def test_a_database_is_refused_whatever_its_name(looker: ModuleType, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "None").executescript("CREATE TABLE kept (words)").connection.close()

    assert list(looker.findings(["None"], tmp_path)) == ["None: a database"]


@pytest.mark.parametrize(
    "text",
    [
        "camille@example.com and porter@host.invalid",
        "the cookies _aat and _airbed_session_id are needed",
        "http://localhost:8000/wo" + "rk/mainly",  # it only begins like a refused path
        "WEBHOOK_SECRET=whsec_…",
    ],
)
def test_a_harmless_text_is_let_through(text: str, looker: ModuleType, tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text(text, encoding="utf-8")

    assert list(looker.findings([".env.example"], tmp_path)) == []


# --- packages --------------------------------------------------------------------------------------------------


def pins(name: str) -> dict[str, str]:
    """Package to version; every line of the file that is not a comment or an option must be a pin."""
    found: dict[str, str] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith(("#", "-r ", "-c ")):
            pin = PIN.match(line)
            assert pin, f"{name}: {line!r} is not a pinned package"
            found[pin["name"]] = pin["version"]
    return found


def test_every_package_is_pinned_once() -> None:
    runtime, dev, rest = pins("requirements.txt"), pins("requirements-dev.txt"), pins("constraints.txt")

    assert not set(runtime) & set(dev)
    for name in (set(runtime) | set(dev)) & set(rest):
        assert rest[name] == {**runtime, **dev}[name]


# What is imported under another name than the package's.
PACKAGES = {
    "concurrent_log_handler": "concurrent-log-handler",
    "dotenv": "python-dotenv",
    "markdown_it": "markdown-it-py",
    "yaml": "pyyaml",
}


# Only who changes the labelled messages runs it (requirements-dev.txt).
FOR_DEVELOPERS = {"learn_vote.py"}


def imported_by(folder: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for name in re.findall(
            r"^ *(?:from|import) ([a-z_0-9]+)", path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            if name not in sys.stdlib_module_names and name not in {"src", "sandbox", "tests", "__future__"}:
                yield name, path


def test_what_the_product_imports_is_a_pinned_requirement() -> None:
    runtime, developers = pins("requirements.txt"), pins("requirements-dev.txt")

    missing = {
        f"{name} ({path.relative_to(ROOT)})"
        for folder in ("src", "sandbox", "scripts")
        for name, path in imported_by(folder)
        if PACKAGES.get(name, name.replace("_", "-"))
        not in (developers if path.name in FOR_DEVELOPERS else runtime)
        and PACKAGES.get(name, name)
        not in {"starlette", "check_tracked_files", "benchmarks"}  # FastAPI's own foundation, and ours
    }

    assert not missing


# --- pm2.json and the scripts ----------------------------------------------------------------------------------


def test_pm2_starts_what_exists_and_leaves_every_halt_alone() -> None:
    apps = {app["name"]: app for app in json.loads((ROOT / "pm2.json").read_text(encoding="utf-8"))["apps"]}

    assert set(apps) == {"api", "workers"}
    for app in apps.values():
        assert app["stop_exit_codes"] == [
            ExitCode.SETTINGS,
            ExitCode.HALTED_PERSON_NEEDED,
            ExitCode.HALTED_PAGE_CHANGED,
        ]
        assert app["treekill"] is False
        assert app["script"] == "src/main.py"
        assert app["interpreter"] == ".venv/bin/python"
        # Any delay makes PM2 show "waiting restart" for ever where nothing will be restarted.
        assert not {"restart_delay", "exp_backoff_restart_delay"} & set(app)
    assert apps["workers"]["kill_timeout"] == 60_000
    assert apps["api"]["kill_timeout"] == 15_000


def test_the_layers_that_import_linter_checks_are_all_there_are() -> None:
    rules = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    modules = {
        f"src.{path.stem}"
        for path in (ROOT / "src").iterdir()
        if path.name != "__init__.py" and (path.suffix == ".py" or (path / "__init__.py").exists())
    }

    assert {name for name in modules if name not in rules} == set()


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "scripts").glob("*.sh")))
def test_a_script_is_correct_for_any_posix_shell(script: str) -> None:
    subprocess.run(["sh", "-n", str(ROOT / "scripts" / script)], check=True)
