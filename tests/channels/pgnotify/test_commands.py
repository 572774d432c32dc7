"""``pgnotify check`` and ``pgnotify sql``: what they find, what they print, and that it works as printed."""

from __future__ import annotations

import psycopg
import pytest

from sandbox.pgnotify.app import MAPPING
from src.channels.pgnotify.mapping import load_mapping
from src.channels.pgnotify.setup_sql import setup_sql
from src.commands.edge import to_the_end
from src.commands.pgnotify import run_check, run_sql
from src.db.engine import Database
from src.errors import SettingsError
from src.model.sending import Press

pytestmark = pytest.mark.postgres


@pytest.fixture
def mapping_file(tmp_path):
    path = tmp_path / "app.toml"
    path.write_text(MAPPING)
    return path


@pytest.fixture
def configured(app, mapping_file, tmp_path, monkeypatch):
    """The variables of one account on the app."""
    folder = tmp_path / "own"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("PGNOTIFY_URL", app.url)
    monkeypatch.setenv("PGNOTIFY_MAPPING", str(mapping_file))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{folder}/inbox.db")
    monkeypatch.setenv("LOG_DIR", str(folder / "logs"))
    monkeypatch.setenv("PLAYWRIGHT_SESSION_DIR", str(folder / "session"))
    return folder


def test_a_database_with_all_that_is_needed_has_no_findings(app, configured, capsys):
    app.user_writes(app.match(), "Hello")
    assert run_check(None) == 0
    said = capsys.readouterr().out
    assert "a reply was written in a conversation, as a trial, and taken back" in said
    assert "it rings through this address" in said
    assert "!!" not in said
    (rows,) = app.conn.execute("SELECT count(*) FROM messages").fetchone()
    assert rows == 1, "nothing is left behind"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("DROP TRIGGER tell_bots ON messages", "trigger"),
        ("ALTER TABLE messages DROP CONSTRAINT messages_match_id_fkey", "compares is off"),
        ("DROP INDEX messages_created_at_idx", "created_at: each look reads the whole table"),
        ("ALTER TABLE messages ALTER COLUMN kind DROP DEFAULT", "a reply cannot be written"),
        ("UPDATE profiles SET is_bot = false", "none is ours"),
    ],
)
def test_what_is_lacking_is_a_finding_with_its_cure(app, configured, capsys, change, named):
    app.user_writes(app.match(), "Hello")
    app.conn.execute(change)
    assert run_check(None) == 1
    said = capsys.readouterr().out
    assert named in said
    assert "!!" in said


def test_a_column_that_is_not_there_is_exit_2_and_is_named(app, configured, capsys):
    app.conn.execute("ALTER TABLE messages RENAME COLUMN content TO body")
    assert to_the_end(lambda: run_check(None)) == 2
    assert "messages.content" in capsys.readouterr().err


def test_a_confirmation_of_the_disclosure_is_kept_with_its_date(app, configured, capsys):
    run_check(None)
    assert "not confirmed" in capsys.readouterr().out
    run_check(None, confirm_disclosure=True)
    run_check(None)
    assert "confirmed on 20" in capsys.readouterr().out
    db = Database.open(f"sqlite:///{configured}/inbox.db")
    with db.read() as conn:
        assert conn.exec_driver_sql("SELECT disclosed_at FROM accounts").scalar_one() is not None
    db.close()


def test_an_account_that_is_not_there_is_named(configured, app):
    with pytest.raises(SettingsError, match="--account"):
        run_check("nobody")


def test_the_sql_is_printed_and_nothing_is_run(app, configured, capsys):
    assert run_sql(None) == 0
    said = capsys.readouterr().out
    assert "CREATE ROLE" in said
    assert "To take all of it back" in said
    assert app.conn.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'nightporter'").fetchone() == (0,)


@pytest.fixture
def role(app, mapping_file):
    """The printed SQL, run by the owner; row-level security is on."""
    text = setup_sql(load_mapping(mapping_file)).replace(" CONCURRENTLY", "")
    app.conn.execute(text.encode())
    for table in ("messages", "matches", "profiles"):
        app.conn.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY".encode())
    yield app.url.replace("postgres@", "nightporter@")
    app.conn.execute("DROP OWNED BY nightporter; DROP ROLE nightporter")


async def test_the_printed_role_can_answer_and_nothing_else(app, role, make_channel):
    mine, foreign = app.match(), app.match(bot=app.profile("A user, no bot"))
    for match in (mine, foreign):
        app.user_writes(match, "Hello")
    channel = make_channel(url=role)
    await channel.open()
    await channel.read(mine)
    assert channel.capabilities.compares
    await channel.write(mine, "An answer")
    await channel.reread(mine)
    await channel.press_send(mine, Press("job", None))
    await channel.close()
    assert app.answers(mine) == ["An answer"]
    with psycopg.connect(role, autocommit=True) as conn:
        assert conn.execute("SELECT count(*) FROM matches").fetchone() == (1,)
        for refused in (
            "UPDATE matches SET id = gen_random_uuid()",
            "UPDATE matches SET status = 'x'",
            "DELETE FROM messages",
            "UPDATE messages SET content = 'x'",
            "SELECT note FROM matches",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(refused.encode())
        writes = "INSERT INTO messages (match_id, sender_id, content) VALUES (%s, %s, 'x')"
        for match, sender in ((foreign, app.bot), (mine, app.user_of(mine))):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(writes.encode(), (match, sender))
