"""Commands and scripts where there are several accounts: ``--account NAME``, and what an unknown name says."""

import json

import pytest

from src.commands import reconnect
from src.commands.doctor import run_doctor
from src.commands.edge import to_the_end
from src.commands.look import run_look
from src.commands.status import run_status
from src.db import accounts
from src.db.engine import Database
from src.model.values import utc_now

UNKNOWN = {
    "doctor": lambda: run_doctor("barn"),
    "status": lambda: run_status("barn", as_json=True),
    "check_new_messages": lambda: run_look("barn"),
    "reconnect": lambda: reconnect.main(["--check", "--account", "barn"]),
}


@pytest.fixture
def db(tmp_path, monkeypatch):
    """Two halted accounts of a file: no browser is opened for them."""
    file = tmp_path / "accounts.toml"
    file.write_text(
        "".join(
            f'[[account]]\nname = "{name}"\nchannel = "airbnb"\nsession_dir = "{tmp_path / name}"\n'
            for name in ("chalet", "loft")
        )
    )
    for name, value in {
        "ACCOUNTS_FILE": file,
        "DATABASE_URL": f"sqlite:///{tmp_path}/inbox.db",
        "LOG_DIR": tmp_path / "logs",
        "AI_WEBHOOK_URL": "http://127.0.0.1:9/ai",
        "AIRBNB_BASE_URL": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, str(value))
    tmp_path.chmod(0o700)
    made = Database.open(f"sqlite:///{tmp_path}/inbox.db")
    with made.write() as conn:
        for name in ("chalet", "loft"):
            accounts.ensure(conn, name, utc_now())
        accounts.halt(conn, "chalet", "captcha", "a challenge is shown", 10, None, utc_now())
        accounts.halt(conn, "loft", "page_changed", "expected the list", 11, None, utc_now())
    yield made
    made.close()


@pytest.mark.parametrize("command", UNKNOWN)
def test_an_unknown_name_is_exit_2_and_the_names_are_said(db, capsys, command):
    assert to_the_end(UNKNOWN[command]) == 2
    said = capsys.readouterr()
    assert "--account: 'barn' is no account; there are chalet, loft" in said.out + said.err


def test_status_of_one_account_counts_that_one_alone(db, capsys):
    assert run_status("loft", as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["account"], told["halt"]["kind"], list(told["accounts"])) == (
        "loft",
        "page_changed",
        ["loft"],
    )
    assert run_status(as_json=True) == 0
    assert list(json.loads(capsys.readouterr().out)["accounts"]) == ["chalet", "loft"]


def test_check_new_messages_looks_at_each_account_and_ends_with_the_highest_code(db, capsys):
    assert run_look() == 11
    said = capsys.readouterr().out
    assert said.index("chalet") < said.index("captcha") < said.index("page_changed")
    assert "--account chalet" in said
    assert "--account loft" in said
    assert run_look("chalet") == 10
    assert "loft" not in capsys.readouterr().out


def test_reconnect_needs_the_name_where_there_are_several(db, capsys):
    assert to_the_end(lambda: reconnect.main(["--check"])) == 2
    assert "name one of chalet, loft" in "".join(capsys.readouterr())
