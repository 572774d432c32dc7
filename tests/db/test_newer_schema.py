"""In a rolling restart the new version has migrated already: this one goes on, and starts, on the newer schema."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from src.db import migrate
from src.db.engine import Database
from src.errors import SettingsError

REPOSITORY = Path(__file__).parents[2]

_EXPANDS = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9000", "{head}", None, None


def upgrade() -> None:
    op.add_column("messages", sa.Column("mood", sa.String()))
    op.add_column("queue_outbox", sa.Column("weight", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("queue_inbox", sa.Column("weight", sa.Integer(), nullable=False, server_default="1"))
    op.create_index("ix_messages_mood", "messages", ["mood"])
    op.create_table("moods", sa.Column("name", sa.String(), primary_key=True))
"""

_CONTRACTS = """
from alembic import op

revision, down_revision, branch_labels, depends_on = "9001", "9000", None, None
oldest_code = "9000"


def upgrade() -> None:
    op.drop_table("moods")
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    return request.getfixturevalue("empty_postgres_url")


def next_version(folder: Path, *revisions: str) -> Path:
    """The code with further revisions: what runs of the next version before this one has ended."""
    folder.mkdir()
    shutil.copytree(REPOSITORY / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    versions = folder / "src" / "db" / "migrations" / "versions"
    for number, text in enumerate(revisions):
        (versions / f"{9000 + number}_next.py").write_text(
            text.replace("{head}", migrate.known_revisions()[-1])
        )
    return folder


def open_with(version: Path, url: str) -> None:
    program = "import sys; from src.db.engine import Database; Database.open(sys.argv[1]).close()"
    subprocess.run([sys.executable, "-c", program, url], check=True, cwd=version)


def test_this_version_starts_on_a_schema_that_was_only_expanded(empty_url: str, tmp_path: Path):
    open_with(next_version(tmp_path / "next", _EXPANDS), empty_url)
    db = Database.open(empty_url)
    with db.read() as conn:
        assert migrate.applied_revision(conn) == "9000"
    db.close()


def test_a_schema_that_takes_something_away_refuses_older_code(empty_url: str, tmp_path: Path):
    open_with(next_version(tmp_path / "next", _EXPANDS, _CONTRACTS), empty_url)
    with pytest.raises(SettingsError, match=r"schema 9001, which is newer than this code"):
        Database.open(empty_url)


def test_the_newer_version_finds_its_schema_untouched(empty_url: str, tmp_path: Path):
    newer = next_version(tmp_path / "next", _EXPANDS)
    open_with(newer, empty_url)
    Database.open(empty_url).close()
    open_with(newer, empty_url)
    db = Database.open(empty_url)
    with db.read() as conn:
        assert migrate.applied_revision(conn) == "9000"
    db.close()


@pytest.mark.parametrize(
    "tests", ["tests/db/test_outbox_queue.py", "tests/db/test_inbox_queue.py", "tests/services/test_send.py"]
)
def test_this_versions_own_tests_pass_on_an_expanded_schema(tests: str, tmp_path: Path):
    newer = next_version(tmp_path / "next", _EXPANDS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-m",
        "not postgres",
        "-p",
        "no:cacheprovider",
        tests,
    ]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**inherited, "TEST_NEWER_VERSION": str(newer)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert re.search(r"\b[1-9]\d+ passed", done.stdout)


_TAKES_AWAY = re.compile(r"\b(drop_column|drop_table|drop_constraint|rename_table|alter_column)\b|\bRENAME\b")
_BEFORE_THE_RULE = {f"{number:04}" for number in range(1, 13)}


@pytest.mark.parametrize(
    "file", sorted((migrate.FOLDER / "versions").glob("[0-9]*.py")), ids=lambda file: file.stem
)
def test_a_revision_that_takes_something_away_says_which_code_still_works(file: Path):
    text = file.read_text()
    if file.stem[:4] not in _BEFORE_THE_RULE and _TAKES_AWAY.search(text):
        assert re.search(r'^oldest_code = "\d{4}"$', text, re.MULTILINE)
