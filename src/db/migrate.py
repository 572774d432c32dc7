"""Brings the schema up to date at every start, safely when several processes start at once.

Revisions are numbered (``0001``, ``0002`` …) in ``migrations/versions``. How to make the next one is said there.

In a rolling restart the new version migrates first, and processes of the version before go on, and may even start,
on the new schema. Each revision says which code can still do that (``oldest_code``); the database keeps the newest
of these words in ``meta``, since older code cannot read newer revisions.
"""

from __future__ import annotations

import fcntl
import os
import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from src.db import connections, database_urls
from src.db.db_errors import passing
from src.errors import TransientError

FOLDER = Path(__file__).with_name("migrations")
_ADVISORY_LOCK = 7_235_180_449_021_187
"""Any number, the same in every process of this product."""
_OLDEST_CODE = "oldest_code"
"""Key in ``meta`` and name in a revision: the oldest revision whose code still works on this schema."""


def bring_up_to_date(engine: Engine, path: Path | None) -> None:
    """Apply what is missing. Repeatable, and quick when nothing is.

    SettingsError if the database cannot be reached, is not ours, or is too new for this code.
    """
    try:
        if path is None:
            _bring_up_to_date(engine)
            return
        with _file_lock(path):
            _bring_up_to_date(engine)
    except DBAPIError as error:
        trouble = passing(error)
        where = engine.url.render_as_string(hide_password=True)
        said = str(error.orig).strip().splitlines()[0]
        if path is None:
            raise database_urls.refused(f"{where} cannot be used: {said}") from error
        if trouble is not None:
            raise TransientError(trouble) from error
        raise database_urls.refused(f"{path} cannot be used: {said}") from error


def known_revisions() -> list[str]:
    """The revisions that this code knows, oldest first."""
    return sorted(file.name.partition("_")[0] for file in (FOLDER / "versions").glob("[0-9]*.py"))


def _bring_up_to_date(engine: Engine) -> None:
    known = known_revisions()
    with connections.reading(engine).connect() as conn:
        applied = applied_revision(conn)
        if applied == known[-1]:
            return
        newer = applied is not None and applied not in known
        works = newer and _works_with(conn, str(applied), known[-1])
    if works:
        from loguru import logger  # noqa: PLC0415 - `status` need not load it

        logger.info("The database has schema {}, of a newer version; this one still works on it", applied)
        return
    if newer:
        raise database_urls.refused(
            f"this database has schema {applied}, which is newer than this code (schema {known[-1]});"
            " run the newer version again, a database cannot be taken back"
        )
    _upgrade(engine)


def applied_revision(conn: Connection) -> str | None:
    """The schema that the database has now; None if it has none of ours."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    return conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _works_with(conn: Connection, applied: str, ours: str) -> bool:
    """Whether the newer version that made this schema said that code of our revision works on it."""
    found = conn.execute(text("SELECT value FROM meta WHERE key = :key"), {"key": _OLDEST_CODE})
    schema, _, oldest = str(found.scalar_one_or_none()).partition(" ")
    return schema == applied and bool(oldest) and oldest <= ours


def _note_oldest_code(conn: Connection) -> None:
    known = known_revisions()
    files = (FOLDER / "versions").glob("[0-9]*.py")
    oldest = max(runpy.run_path(str(file)).get(_OLDEST_CODE, known[0]) for file in files)
    conn.execute(text("DELETE FROM meta WHERE key = :key"), {"key": _OLDEST_CODE})
    noted = {"key": _OLDEST_CODE, "value": f"{known[-1]} {oldest}"}
    conn.execute(text("INSERT INTO meta VALUES (:key, :value)"), noted)


def _upgrade(engine: Engine) -> None:
    # Imported here: a start that finds nothing to do, which is nearly every one, need not load Alembic.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    migrations = connections.make_migration_engine(engine.url)
    try:
        with migrations.begin() as conn:
            if conn.dialect.name == "postgresql":
                # Held until the commit; who comes second finds the work done.
                conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            config.attributes["connection"] = conn
            command.upgrade(config, "head")
            _note_oldest_code(conn)
            if conn.dialect.name == "sqlite" and conn.exec_driver_sql("PRAGMA foreign_key_check").first():
                raise database_urls.refused(
                    "a migration would break the links between its tables; nothing was changed"
                )
    finally:
        migrations.dispose()


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    # Beside the database and not on it: closing a second handle of a SQLite file drops SQLite's own locks.
    descriptor = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
