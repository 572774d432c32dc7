"""``migrate``: bring the database's schema up to date, before anything else of a new version is started."""

from __future__ import annotations

from rich.console import Console

from src.commands.opening import opened
from src.db import migrate
from src.errors import ExitCode


def run_migrate() -> int:
    """Apply what is missing and say which schema it is. Exit code 0. Repeatable, also on several machines at once.

    SettingsError (exit 2) if the database cannot be reached, is not ours, or is too new for this code.
    """
    with opened("api") as (_, db), db.read() as conn:
        now = migrate.applied_revision(conn)
    wanted = migrate.known_revisions()[-1]
    print_line = Console(highlight=False).print
    if now == wanted:
        print_line(f"The database has schema {now}, which this version needs.")
    else:
        print_line(
            f"The database has schema {now}, of a newer version. This one ({wanted}) still works on it."
        )
    return ExitCode.STOPPED
