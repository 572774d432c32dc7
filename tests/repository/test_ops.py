"""The systemd unit and the container files say what the program needs; checked as far as the tools here allow."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from src.api.server import FINISH_SEC as API_FINISH_SEC
from src.commands.run import NOTICE_SEC
from src.errors import ExitCode
from src.settings import ROOT, load_settings
from src.workers.crew import CLOSING_SEC
from src.workers.parts import FINISH_SEC

OPS = ROOT / "ops"
UNIT = OPS / "nightporter.service"
MUST_NOT_RESTART = {ExitCode.SETTINGS, ExitCode.HALTED_PERSON_NEEDED, ExitCode.HALTED_PAGE_CHANGED}


@pytest.fixture
def unit() -> configparser.ConfigParser:
    read = configparser.ConfigParser(strict=True, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(UNIT, encoding="utf-8")
    return read


@pytest.fixture
def container() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    (service,) = yaml.safe_load((OPS / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    return dict(service)


def dockerfile(instruction: str) -> list[str]:
    text = (OPS / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.partition(" ")[2] for line in text.splitlines() if line.startswith(f"{instruction} ")]


# --- systemd ---------------------------------------------------------------------------------------------------


def test_systemd_leaves_a_halt_alone_and_restarts_the_rest(unit):
    service = unit["Service"]
    assert service["Restart"] == "on-failure"
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == MUST_NOT_RESTART
    assert "StartLimitBurst" in unit["Unit"]


def test_systemd_signals_python_alone_and_gives_it_time(unit):
    service = unit["Service"]
    assert (service["KillMode"], service["KillSignal"]) == ("mixed", "SIGTERM")
    assert int(service["TimeoutStopSec"]) > FINISH_SEC + CLOSING_SEC


def test_systemd_may_write_where_the_defaults_write_and_nowhere_else(unit, tmp_path):
    service, home = unit["Service"], Path(unit["Service"]["WorkingDirectory"])
    settings = load_settings(tmp_path, {})
    written = [settings.playwright_session_dir, settings.log_dir]
    written.append(Path(settings.database_url.get_secret_value().removeprefix("sqlite:///")).parent)
    expected = {str(home / folder.relative_to(tmp_path)) for folder in written}
    assert set(service["ReadWritePaths"].split()) == expected
    assert (service["ProtectSystem"], service["UMask"]) == ("strict", "0077")
    assert "RestrictNamespaces" not in service, "the browser's sandbox is made of them"


def test_systemd_itself_finds_nothing_wrong(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    text = UNIT.read_text(encoding="utf-8")
    here = text.replace("/opt/nightporter/.venv/bin/python", sys.executable).replace(
        "/opt/nightporter", str(ROOT)
    )
    copy = tmp_path / UNIT.name
    copy.write_text(here.replace("User=nightporter", "User=root"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


# --- container -------------------------------------------------------------------------------------------------


def test_the_container_runs_the_main_job_and_not_as_root():
    (command,) = dockerfile("CMD")
    (user,) = dockerfile("USER")
    assert json.loads(command) == ["python", "src/main.py", "syncsend"]
    assert user not in {"root", "0"}
    assert dockerfile("STOPSIGNAL") == ["SIGTERM"]


def test_what_the_container_copies_is_there_and_let_through():
    let_through = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line[:1] == "!"
    }
    for line in dockerfile("COPY"):
        *sources, _ = [word for word in shlex.split(line) if not word.startswith("--")]
        assert set(sources) <= let_through
        assert all((ROOT / source).exists() for source in sources)
    assert not let_through & {"session", "data", "logs", ".env", ".git"}
    assert "*" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_the_container_gets_time_to_end_and_a_child_reaper(container):
    seconds = int(re.fullmatch(r"(\d+)s", container["stop_grace_period"]).group(1))  # type: ignore[union-attr]
    assert seconds > FINISH_SEC + CLOSING_SEC
    assert container["init"] is True
    assert container["hostname"]


def test_the_containers_settings_are_settings_and_ask_for_a_key(container, tmp_path):
    environ = {**container["environment"], "AI_WEBHOOK_URL": "http://ai.internal/hook", "API_KEY": "k" * 20}
    environ.pop("BROWSER_EXECUTABLE_PATH")
    settings = load_settings(tmp_path, environ, need_ai=True)
    assert settings.halt_wait, "the engine would restart a halt"
    assert [port.rpartition(":")[0] for port in container["ports"]] == [f"127.0.0.1:{settings.api_port}"]


def test_the_container_may_do_less_than_the_engine_allows_and_the_browser_keeps_its_sandbox(container):
    assert container["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in container["security_opt"]
    (profile,) = [one.partition("=")[2] for one in container["security_opt"] if one.startswith("seccomp=")]
    denied = {
        name
        for rule in json.loads((OPS / profile).read_text(encoding="utf-8"))["syscalls"]
        for name in rule["names"]
    }
    assert {"mount", "bpf", "kexec_load", "init_module", "reboot", "keyctl"} <= denied
    assert not denied & {"clone", "clone3", "unshare", "chroot", "setns", "seccomp", "prctl"}


# --- several parts on PostgreSQL -------------------------------------------------------------------------------

# Keys of a service, of a health check and of the file by the Compose Specification (compose-spec/compose-spec, 05-services).
_OF_THE_FILE = {"name", "services", "networks", "volumes"}
_OF_A_SERVICE = {
    "build", "cap_drop", "command", "depends_on", "env_file", "environment", "healthcheck", "hostname", "image", "init",
    "mem_limit", "networks", "ports", "restart", "security_opt", "shm_size", "stop_grace_period", "volumes",
}  # fmt: skip
_OF_A_HEALTH_CHECK = {"test", "interval", "timeout", "retries", "start_period"}
# Keys of `build` and `deploy` by docs.railway.com/config-as-code/reference; seconds are numbers there, not strings.
_OF_RAILWAY = {
    "build": {"builder": str, "dockerfilePath": str},
    "deploy": {
        "preDeployCommand": list,
        "startCommand": str,
        "healthcheckPath": str,
        "healthcheckTimeout": int,
        "overlapSeconds": int,
        "drainingSeconds": int,
        "restartPolicyType": str,
        "restartPolicyMaxRetries": int,
    },
}


@pytest.fixture
def parts() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    return dict(yaml.safe_load((OPS / "compose.postgres.yaml").read_text(encoding="utf-8")))


def test_the_parts_have_only_keys_that_compose_knows(parts):
    assert {key for key in parts if not key.startswith("x-")} == _OF_THE_FILE
    for service in parts["services"].values():
        assert set(service) <= _OF_A_SERVICE
        assert set(service.get("healthcheck", {})) <= _OF_A_HEALTH_CHECK


def test_the_parts_images_are_pinned_and_only_nginx_is_reached_from_outside(parts):
    services = parts["services"]
    for name in ("postgres", "nginx"):
        assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?", services[name]["image"])
    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]
    assert services["nginx"]["ports"] == ["127.0.0.1:8080:8080"]


def test_the_migration_comes_before_every_other_part(parts):
    services = parts["services"]
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("api-1", "api-2", "workers"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["command"][-1] == "migrate"
    assert services["workers"]["command"][-2:] == ["syncsend", "--no-api"]


def test_nginx_and_the_apis_name_the_same_addresses(parts):
    def address(name: str) -> str:
        return str(parts["services"][name]["networks"]["default"]["ipv4_address"])

    conf = (OPS / "nginx.conf").read_text(encoding="utf-8")
    assert re.findall(r"^    server ([\d.]+):8000", conf, re.MULTILINE) == [
        address("api-1"),
        address("api-2"),
    ]
    assert parts["services"]["api-1"]["environment"]["TRUSTED_PROXIES"] == address("nginx")


def test_every_part_gets_time_to_end(parts):
    def seconds(name: str) -> int:
        return int(parts["services"][name]["stop_grace_period"].removesuffix("s"))

    assert seconds("workers") > FINISH_SEC + CLOSING_SEC
    assert seconds("api-1") > API_FINISH_SEC + NOTICE_SEC


def test_the_parts_settings_are_settings(parts, tmp_path):
    given = {
        name: re.sub(
            r"\$\{\w+(:-|:\?)?([^}]*)\}", lambda found: found[2] if found[1] == ":-" else "words", value
        )
        for name, value in parts["services"]["workers"]["environment"].items()
    }
    given.pop("BROWSER_EXECUTABLE_PATH")
    settings = load_settings(tmp_path, {**given, "API_KEY": "k" * 20})
    assert settings.halt_wait
    assert settings.database_url.get_secret_value().startswith(
        "postgresql+psycopg://nightporter:words@postgres"
    )


# --- hosting platforms -----------------------------------------------------------------------------------------


def test_the_procfile_names_commands_that_there_are():
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines())
    assert lines == {
        "release": "python src/main.py migrate",
        "web": "python src/main.py api",
        "worker": "python src/main.py syncsend --no-api",
    }
    for line in lines.values():
        _, *command = line.split()
        done = subprocess.run(
            [sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0


def test_the_file_for_railway_has_only_keys_that_it_knows_and_of_their_kind():
    said = json.loads((ROOT / "railway.json").read_text(encoding="utf-8"))
    assert said.pop("$schema") == "https://railway.com/railway.schema.json"
    assert set(said) == set(_OF_RAILWAY)
    for part, kinds in _OF_RAILWAY.items():
        assert {key: type(value) for key, value in said[part].items()} == kinds
    assert said["deploy"]["drainingSeconds"] > API_FINISH_SEC + NOTICE_SEC
    assert (ROOT / said["build"]["dockerfilePath"]).exists()
