"""What every test may ask for: a database of each kind, a clock that stands still, things a channel saw."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.postgres import postgres_programs
from src.db.engine import Database
from src.model.inbox import AuthorRole, MessageKind, SeenConversation, SeenMessage, SeenPerson
from tests.support.databases import PostgresServer, make_sqlite, running_postgres
from tests.support.house import House


class Clock:
    """A fake "now": a whole second in UTC that moves only when told to."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    __call__ = now

    def advance(self, seconds: float) -> datetime:
        """Let time pass; returns the new now."""
        self._now += timedelta(seconds=seconds)
        return self._now

    def set(self, now: datetime) -> None:
        """Set it to a time, also an earlier one."""
        self._now = now

    def later(self, seconds: float) -> datetime:
        """The time in so many seconds; the clock stays where it is."""
        return self._now + timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """A command keeps its handlers to the end of its process, which here is the tests'."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


# --- what a channel saw ----------------------------------------------------------------------------------


@pytest.fixture
def make_message(clock: Clock) -> Callable[..., SeenMessage]:
    """``make_message("Is it free?", role=AuthorRole.HOST, …)``: each has an id of its own and is a second younger."""
    numbers = itertools.count(1)

    def make(text: str | None = "Hello", **fields: Any) -> SeenMessage:
        number = next(numbers)
        given: dict[str, Any] = {
            "external_id": f"message-{number:04}",
            "author_id": "guest-1",
            "author_name": "Gerda Guest",
            "role": AuthorRole.GUEST,
            "kind": MessageKind.TEXT,
            "detail": "TEXT_CONTENT",
            "sent_at": clock.later(number - 1),
        }
        return SeenMessage(text=text, **{**given, **fields})

    return make


@pytest.fixture
def make_conversation(clock: Clock) -> Callable[..., SeenConversation]:
    """``make_conversation(message, message, external_id="thread-7", …)``: a stay that is hosted, as opened."""
    numbers = itertools.count(1)

    def make(*messages: SeenMessage, **fields: Any) -> SeenConversation:
        given: dict[str, Any] = {
            "external_id": f"thread-{next(numbers)}",
            "kind": "STAY",
            "is_stay": True,
            "is_hosting": True,
            "viewer_id": "host-1",
            "viewer_is_host": True,
            "people": (
                SeenPerson("guest-1", AuthorRole.GUEST, "Gerda Guest"),
                SeenPerson("host-1", AuthorRole.HOST, "Henk Host"),
            ),
            "last_activity_at": messages[-1].sent_at if messages else clock(),
            "listing_id": "listing-1",
            "opened": True,
        }
        return SeenConversation(messages=messages, **{**given, **fields})

    return make


# --- processes -------------------------------------------------------------------------------------------


@pytest.fixture
def in_processes() -> Callable[..., list[Any]]:
    """``in_processes(4, work, url)``: calls ``work(number, url)`` in 4 processes at once and returns what they say.

    The processes are forks: as real as any, and without the second that a start of Python with its imports takes.
    """

    def run(number: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
        forks = multiprocessing.get_context("fork")
        together = forks.Barrier(number)
        ends = [forks.Pipe(duplex=False) for _ in range(number)]
        started = [
            forks.Process(target=_say, args=(theirs, together, work, one, *arguments), daemon=True)
            for one, (_, theirs) in enumerate(ends)
        ]
        try:
            for process in started:
                process.start()
            said = [ours.recv() for ours, _ in ends]
        finally:
            for process in started:
                process.kill()
                process.join()
            for end in itertools.chain(*ends):
                end.close()
        troubles = [trouble for trouble, _ in said if trouble]
        assert not troubles, "\n".join(troubles)
        return [result for _, result in said]

    return run


def _say(end: Any, together: Any, work: Callable[..., Any], *arguments: Any) -> None:
    try:
        together.wait(timeout=60)
        said = ("", work(*arguments))
    except Exception:  # noqa: BLE001 - whatever it is, the parent shows it
        said = (traceback.format_exc(), None)
    end.send(said)


# --- databases -------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database of the test's own, of each kind in turn; its tables are there, and empty."""
    if request.param == "sqlite":
        path = tmp_path / "data" / "inbox.db"
        path.parent.mkdir(mode=0o700)
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue("postgres_server")
    if (
        request.param == "postgresql C"
    ):  # only for who asks for it: a server that knows the case of A to Z alone
        for url in server.new_database(locale="C"):
            Database.open(url).close()
            yield url
        return
    yield from server.emptied_database()


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """An open database of each kind in turn, empty."""
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables and no rows, to be copied: much quicker than to make them."""
    return make_sqlite(tmp_path_factory.mktemp("sqlite") / "template.db")


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a PostgreSQL database without any table."""
    yield from postgres_server.new_database()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A throw-away PostgreSQL server, or the one that TEST_POSTGRES_URL names (its user may create databases)."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        server = PostgresServer(given)
        yield server
        server.close()
        return
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server here: install it (apt install postgresql) or set TEST_POSTGRES_URL")
    with (
        tempfile.TemporaryDirectory(prefix="postgres-") as folder,
        running_postgres(programs, Path(folder)) as server,
    ):
        yield server


@pytest.fixture
def house(db: Database, clock: Clock) -> Iterator[House]:
    """The product's services on a made-up site and the test's database."""
    with House(db, clock) as made:
        yield made
