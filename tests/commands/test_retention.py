"""``purge`` and ``forget`` as a person runs them: what is printed, the exit code, what is left."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from __future__ import annotations

import os
import sys

import pytest

from src.commands import edge, opening
from src.commands import retention as commands
from src.commands.edge import run_script, to_the_end
from src.db.engine import Database
from src.errors import SettingsError, TransientError
from src.settings import Settings
from src.workers.parts import Parts
from tests.support.api import inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401

CANARY = "Kanarienvogel"


@pytest.fixture
def settings(tmp_path, db, monkeypatch):
    assert db.path is not None, "on PostgreSQL the address would be that of a file called None"
    made = Settings(
        database_url=f"sqlite:///{db.path}",
        log_dir=tmp_path / "logs",
        playwright_session_dir=tmp_path / "session",
    )
    monkeypatch.setattr(opening, "Parts", lambda: Parts(load_settings=lambda **_: made))
    monkeypatch.setattr(opening, "refuse_open_files", lambda _: None)
    return made


def left_in_the_folder(db) -> list[str]:
    files = [file for file in db.path.parent.iterdir() if file.is_file()]
    return [file.name for file in files if CANARY.encode() in file.read_bytes()]


def test_purge_says_what_it_did_and_leaves_nothing_in_the_file(settings, db, inbox, capsys):
    inbox.request("", f"{CANARY}, is there a cot?")
    assert left_in_the_folder(db)
    assert commands.run_purge(None) == 0  # the message is of last year's clock, but younger than 90 days
    assert commands.run_purge(0) == 0
    assert "1 messages" in capsys.readouterr().out
    assert left_in_the_folder(db) == []


def test_forget_takes_out_one_conversation_and_names_an_unknown_one(settings, db, inbox, capsys):
    inbox.request(thread_id(1), f"{CANARY}, is there a cot?")
    inbox.request(thread_id(2), "Is there a lift?")
    pictures = settings.log_dir / "evidence"
    pictures.mkdir(parents=True)
    (pictures / "a.png").touch()
    assert commands.run_forget([thread_id(1), thread_id(9)]) == 1
    said = capsys.readouterr()
    assert f"{thread_id(1)}: forgotten" in said.out
    assert "1 screenshots deleted" in said.out
    assert f"{thread_id(9)}: there is no conversation with this id" in said.err
    assert left_in_the_folder(db) == []
    with db.read() as conn:
        texts = conn.exec_driver_sql("SELECT text FROM messages ORDER BY text").scalars().all()
    assert texts == [None, "Is there a lift?"]
    assert commands.run_forget([thread_id(1)]) == 0


def test_a_database_in_trouble_is_said_and_repeating_helps(settings, inbox, monkeypatch, capsys):
    def busy(_self):
        raise TransientError("the database is locked")

    monkeypatch.setattr(Database, "compact", busy)
    inbox.request("", "Hello")
    assert commands.run_purge(0) == 1
    assert commands.run_forget([thread_id()]) == 1
    assert capsys.readouterr().err.count("run it again") == 2


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            SettingsError(["API_PORT: is taken", "API_KEY: is not set"]),
            2,
            "API_PORT: is taken\nAPI_KEY: is not set\n",
        ),
        (TransientError("the database is locked"), 70, "TransientError: the database is locked; try again\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
    ],
)
def test_however_a_command_ends_there_are_plain_lines_and_a_known_code(error, code, line, capsys):
    def ends():
        raise error

    assert to_the_end(ends) == code
    assert capsys.readouterr().err == line


def test_what_nobody_expected_shows_where_and_no_value(capsys):
    def ends():
        raise ValueError("password=hunter2-canary is wrong\nand hunter2-canary again")

    assert to_the_end(ends) == 70
    said = capsys.readouterr().err
    assert said.startswith("ValueError: password=[hidden] is wrong (at test_retention.py:")
    assert "canary" not in said
    assert "Traceback" not in said
    assert to_the_end(lambda: 11) == 11


@pytest.mark.parametrize("missing", [ModuleNotFoundError("no rich"), ImportError("no UTC in datetime")])
def test_a_script_under_the_systems_python_goes_on_with_the_projects_own(missing, tmp_path, monkeypatch):
    own = tmp_path / ".venv" / "bin" / "python"
    went_on: list[object] = []
    monkeypatch.setattr(edge, "_OWN_PYTHON", own)
    monkeypatch.setattr(os, "execv", lambda *asked: went_on.append(asked))
    monkeypatch.setattr(sys, "argv", ["scripts/reconnect_airbnb.py", "--check"])

    def load():
        raise missing

    with pytest.raises(ImportError):  # no other Python: the reason is shown
        run_script(load)
    assert went_on == []
    own.parent.mkdir(parents=True)
    own.touch()
    with pytest.raises(ImportError):
        run_script(load)
    assert went_on == [(own, [str(own), "scripts/reconnect_airbnb.py", "--check"])]
    assert run_script(lambda: lambda: 10) == 10
