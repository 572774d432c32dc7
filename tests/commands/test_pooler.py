"""No command that serves starts on a database connection that cannot do what it trusts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.pgnotify.app import MAPPING, App
from tests.support.pooler import LEND, transaction_pooler
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pooled(postgres_server):
    for url in postgres_server.emptied_database():
        with transaction_pooler(url, LEND["the one given back last"]) as address:
            yield address


@pytest.mark.parametrize(
    "command",
    [
        *(["src/main.py", name] for name in ("syncsend", "sync", "send", "api", "doctor")),
        ["scripts/reconnect_airbnb.py", "--check"],
    ],
    ids=" ".join,
)
def test_behind_a_pooler_in_transaction_mode_nothing_starts(pooled, tmp_path, command):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "DATABASE_URL": pooled,
        "AI_WEBHOOK_URL": "http://127.0.0.1:9/webhook",
        "AIRBNB_BASE_URL": "http://127.0.0.1:9",
        "PLAYWRIGHT_SESSION_DIR": str(tmp_path / "session"),
        "LOG_DIR": str(tmp_path / "logs"),
    }
    done = subprocess.run(
        [sys.executable, *command],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 2, done.stderr
    lines = [line for line in f"{done.stdout}{done.stderr}".splitlines() if "DATABASE_URL:" in line]
    assert len(lines) == 1
    assert "session mode" in lines[0]
    if command[-1] != "doctor":
        assert lines[0].startswith("DATABASE_URL: ")


@pytest.fixture
def apps(empty_postgres_url):
    """The address of an app's database, and the same through a pooler in transaction mode."""
    App(empty_postgres_url).close()
    with transaction_pooler(empty_postgres_url, LEND["the one given back last"]) as address:
        yield empty_postgres_url, address


def run_with(apps, tmp_path, *command):
    direct, through_pooler = apps
    mapping, accounts_file = tmp_path / "app.toml", tmp_path / "accounts.toml"
    mapping.write_text(MAPPING)
    accounts_file.write_text(
        "".join(
            f'[[account]]\nname = "{name}"\nchannel = "pgnotify"\nurl = "env:{name.upper()}_URL"\n'
            f'mapping = "{mapping}"\nsession_dir = "{tmp_path / name}"\n'
            for name in ("bea", "camille")
        )
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "ACCOUNTS_FILE": str(accounts_file),
        "BEA_URL": direct,
        "CAMILLE_URL": through_pooler,
        "DATABASE_URL": f"sqlite:///{tmp_path}/inbox.db",
        "AI_WEBHOOK_URL": "http://127.0.0.1:9/webhook",
        "API_PORT": str(free_port()),
        "LOG_DIR": str(tmp_path / "logs"),
    }
    done = subprocess.run(
        [sys.executable, "src/main.py", *command],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return done.returncode, f"{done.stdout}{done.stderr}"


def test_doctor_proves_the_address_of_each_accounts_own_database(apps, tmp_path):
    code, said = run_with(apps, tmp_path, "doctor")
    (wrong,) = [line for line in said.splitlines() if "PGNOTIFY_URL:" in line]
    assert code == 2, said
    assert "camille: PGNOTIFY_URL" in wrong
    assert "session mode" in wrong
    assert "bea: it opens, and is understood" in said


def test_doctor_looks_at_the_named_account_alone(apps, tmp_path):
    code, said = run_with(apps, tmp_path, "doctor", "--account", "bea")
    assert code == 1, said
    assert "bea: it opens" in said
    assert "camille: " not in said
    code, said = run_with(apps, tmp_path, "doctor", "--account", "anna")
    assert code == 2
    assert "--account: 'anna' is no account; there are bea, camille" in said


def test_an_account_behind_a_pooler_does_not_start(apps, tmp_path):
    code, said = run_with(apps, tmp_path, "sync")
    assert code == 2, said
    (wrong,) = {line for line in said.splitlines() if line.startswith("PGNOTIFY_URL:")}
    assert "session mode" in wrong
