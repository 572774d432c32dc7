"""What the short commands load: by count, because a time says more about the machine.

A module that is loaded is some of the half second that a short command may take.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from src.db.engine import Database

ROOT = Path(__file__).resolve().parents[2]
ONE_LINER = (
    "from src.services.message_queue import MessageQueue; print(len(MessageQueue.dequeue_send(limit=10)))"
)
AT_EXIT = """
import atexit, json, sys
atexit.register(lambda: open({path!r}, "w").write(json.dumps(sorted(sys.modules))))
"""
# SQLModel brings the ORM; each of the others is for a command that does more, or for another kind of database.
TOO_HEAVY = {
    "alembic",
    "apscheduler",
    "asyncpg",
    "babel",
    "fastapi",
    "httpx",
    "jinja2",
    "loguru",
    "playwright",
    "psycopg",
    "pydantic_settings",
    "rich",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.orm",
    "sqlmodel",
    "starlette",
    "uvicorn",
}


def loaded_by(tmp_path: Path, *command: str) -> set[str]:
    """The modules at the end of the command, which has found a database with nothing in it."""
    url = f"sqlite:///{tmp_path}/inbox.db"
    Database.open(url).close()
    # Python runs this file first in a process that finds it.
    (tmp_path / "sitecustomize.py").write_text(
        AT_EXIT.format(path=str(tmp_path / "modules.json")), encoding="utf-8"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), "DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads((tmp_path / "modules.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "command",
    [["src/main.py", "status"], ["-c", ONE_LINER]],
    ids=["status", "one-liner"],
)
def test_a_look_at_the_queues_loads_neither_the_orm_nor_what_others_need(tmp_path, command):
    loaded = loaded_by(tmp_path, *command)
    assert "sqlalchemy" in loaded
    assert loaded & TOO_HEAVY == set()


@pytest.mark.parametrize("command", [["--help"], ["doctor", "--help"]], ids=" ".join)
def test_help_loads_no_database_either(tmp_path, command):
    loaded = loaded_by(tmp_path, "src/main.py", *command)
    assert loaded & (TOO_HEAVY | {"sqlalchemy", "src.settings"}) - {"rich"} == set()
