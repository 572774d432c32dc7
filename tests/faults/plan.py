"""How a level is run: what it is told, and the databases that it gets."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.postgres import postgres_programs
from tests.support.databases import PostgresServer, make_sqlite, running_postgres

FreshDatabase = Callable[[], str]
"""Gives the address of an empty database with all tables; who was connected to the last one is thrown out."""


class NoServer(Exception):
    """PostgreSQL is wanted, and not installed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a level shall do: so many trials, the first with this seed, each later one with the next."""

    trials: int
    seed: int
    database: str
    """``sqlite`` or ``postgresql``."""
    folder: Path
    """For its files, removed afterwards."""
    fresh: FreshDatabase
    server: PostgresServer | None = None
    """The one that ``fresh`` uses, None with SQLite."""

    @property
    def seeds(self) -> range:
        return range(self.seed, self.seed + self.trials)


def memory_folder() -> str | None:
    """A folder in memory, if the system has one: a disk that syncs would make up most of the time."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@contextmanager
def prepared(trials: int, seed: int, database: str) -> Iterator[Plan]:
    """A plan with a folder and databases of its own, which are gone afterwards. NoServer without one."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="levels-", dir=memory_folder())))
        if database == "postgresql":
            server = stack.enter_context(_postgres(folder))
            yield Plan(trials, seed, database, folder, lambda: next(server.emptied_database()), server)
        else:
            yield Plan(trials, seed, database, folder, stack.enter_context(_sqlite(folder)))


@contextmanager
def _sqlite(folder: Path) -> Iterator[FreshDatabase]:
    template, current = make_sqlite(folder / "template.db"), folder / "data" / "inbox.db"
    current.parent.mkdir(mode=0o700)

    def fresh() -> str:
        for left in current.parent.glob("inbox.db*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        shutil.copy(template, current)
        return f"sqlite:///{current}"

    yield fresh


@contextmanager
def _postgres(folder: Path) -> Iterator[PostgresServer]:
    programs = postgres_programs()
    if programs is None:
        raise NoServer("no PostgreSQL server here: install it (apt install postgresql)")
    folder.chmod(0o755)  # the server runs under a user of its own
    home = folder / "postgres"
    home.mkdir()
    with running_postgres(programs, home) as server:
        yield server
