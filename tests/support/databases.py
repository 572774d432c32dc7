"""Databases for tests: a SQLite file to copy, and a throw-away PostgreSQL server."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from sandbox.postgres import running_server
from src.db import connections, database_urls, migrate
from src.model import tables


def make_sqlite(path: Path) -> Path:
    """A SQLite file with all tables and no rows, to be copied: much quicker than to make them."""
    database_urls.prepare_file(path)
    engine = connections.make_engine(database_urls.parse(f"sqlite:///{path}"))
    migrate.bring_up_to_date(engine, path)
    _expand(f"sqlite:///{path}")
    engine.dispose()  # the last connection folds the write-ahead log into the file
    return path


def _expand(url: str) -> None:
    """With TEST_NEWER_VERSION, the folder of a newer checkout: its migrations, too. These tests then show that this
    version works on the next one's schema, as it must in a rolling restart (scripts/test_previous.sh)."""
    newer = os.environ.get("TEST_NEWER_VERSION")
    if newer:
        program = "import sys; from src.db.engine import Database; Database.open(sys.argv[1]).close()"
        subprocess.run([sys.executable, "-c", program, url], check=True, cwd=newer)


class PostgresServer:
    """Lends databases: an emptied one, which is quick, or a new one without tables."""

    def __init__(self, url: str, control: Callable[[str], None] | None = None) -> None:
        """``control("start")`` starts it, ``control("fast")`` and ``control("immediate")`` stop it, if it is ours."""
        self._url = make_url(url)
        self._control = control
        self._numbers = itertools.count(1)
        self._lent: str | None = None

    @property
    def can_restart(self) -> bool:
        return self._control is not None

    @contextmanager
    def stopped(self, mode: str = "immediate") -> Iterator[None]:
        """The server is stopped meanwhile: every connection breaks, and no new one can be made.

        ``mode``: ``immediate``, as if it crashed, or ``fast``, as at an orderly end.
        """
        assert self._control is not None
        self._control(mode)
        try:
            yield
        finally:
            self._control("start")

    def emptied_database(self) -> Iterator[str]:
        """The same one for each test, with all tables and no rows; who was connected to it before is thrown out."""
        if self._lent is None:
            self._lent = self._create()
            engine = connections.make_engine(make_url(self._url_of(self._lent)))
            migrate.bring_up_to_date(engine, None)
            engine.dispose()
            _expand(self._url_of(self._lent))
        names = [table.name for table in reversed(tables.METADATA.sorted_tables)]
        with connections.connect_raw(self._url.set(database=self._lent)) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            # DELETE and not TRUNCATE: with next to no rows it is many times quicker.
            conn.execute(";".join(f"DELETE FROM {name}" for name in names).encode())
        yield self._url_of(self._lent)

    def new_database(self, locale: str | None = None) -> Iterator[str]:
        """``locale``: of the database, in place of the server's."""
        name = self._create(f"LOCALE '{locale}'" if locale else "")
        yield self._url_of(name)
        self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def close(self) -> None:
        if self._lent is not None:
            self._run(f'DROP DATABASE "{self._lent}" WITH (FORCE)')

    def _create(self, more: str = "") -> str:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        name = f"nightporter_test_{worker}_{os.getpid()}_{next(self._numbers)}"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE template0 {more}')
        return name

    def _url_of(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        with connections.connect_raw(self._url) as conn:
            conn.execute(statement.encode())


@contextmanager
def running_postgres(programs: Path, folder: Path) -> Iterator[PostgresServer]:
    """A throw-away server with its files in this folder."""
    with running_server(programs, folder) as (url, control):
        yield PostgresServer(url, control)
