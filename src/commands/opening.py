"""How a command begins and ends that works with the configuration: settings, logs, database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from src.commands.folders import make_folders
from src.commands.privacy import refuse_open_files
from src.db.connection_proof import prove_connection
from src.db.engine import Database
from src.errors import SettingsError
from src.logs import Part, close_logs, set_up_logs
from src.settings import Settings
from src.workers.parts import Parts


@contextmanager
def opened(
    part: Part,
    *,
    terminal: bool = False,
    need_ai: bool = False,
    check: Callable[[Settings], None] = lambda _: None,
    parts: Parts | None = None,
) -> Iterator[tuple[Settings, Database]]:
    """The settings and the database, with the logs open, for as long as the block runs.

    Raises SettingsError if anything is wrong with them, or ``check`` says so; nothing is made before that is asked.
    """
    parts = parts or Parts()
    settings = parts.load_settings(need_ai=need_ai)
    refuse_open_files(settings.accounts)
    check(settings)
    make_folders(settings)
    begin_logs(settings, part, terminal=terminal)
    try:
        prove_connection(settings.database_url.get_secret_value(), "DATABASE_URL")
        db = parts.open_database(settings.database_url.get_secret_value())
        try:
            yield settings, db
        finally:
            db.close()
    finally:
        close_logs()


def begin_logs(settings: Settings, part: Part, *, terminal: bool = False) -> None:
    """Log as the settings say, their secrets kept out. SettingsError if the folder cannot be used."""
    try:
        set_up_logs(
            settings.log_dir,
            part,
            terminal=terminal,
            secrets=settings.secret_values(),
            as_json=settings.logs_as_json,
        )
    except OSError as error:
        problem = f"LOG_DIR: {settings.log_dir} cannot be used ({error.strerror})"
        raise SettingsError([f"{problem}; write the path of a folder of your own"]) from error
