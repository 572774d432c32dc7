"""No command that serves starts on a database connection that cannot do what it trusts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pooler import LEND, transaction_pooler

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
