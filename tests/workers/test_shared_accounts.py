"""Two processes on one PostgreSQL database share the accounts of a file: each is served by one of them."""

import asyncio
from collections import Counter

import pytest

from src.account import Account, AccountSettings
from src.db import accounts, connections
from src.db.serving import Serving
from src.errors import ExitCode, TransientError
from src.model.values import utc_now
from src.settings import Settings
from src.workers.crew import Work
from src.workers.halts import halted
from src.workers.parts import Parts
from src.workers.process import make_process
from tests.support.folder import FakeFolder
from tests.support.site import FakeSite
from tests.support.waiting import came, until

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]
NAMES = [f"house-{number}" for number in range(10)]


def test_an_account_is_served_by_one_process_and_free_when_its_connection_ends(db):
    one, other = Serving(db), Serving(db)
    assert one.try_take("a")
    assert one.try_take("a")
    assert not other.try_take("a")
    assert other.try_take("b")
    end_connection_of(db, one)
    assert came(lambda: other.try_take("a"), 20)
    assert other.still_held("a")
    assert not one.still_held("a")
    other.release("a")
    assert one.try_take("a")
    one.close()
    other.close()


def test_without_a_server_it_is_a_passing_trouble(db, monkeypatch):
    monkeypatch.setattr(db, "url", db.url.set(port=1))
    with pytest.raises(TransientError):
        Serving(db).try_take("a")


def end_connection_of(db, serving):
    """As the server sees a process that was killed."""
    with connections.connect_raw(db.url, {}) as conn:
        conn.execute("SELECT pg_terminate_backend(%s)", (serving._conn.info.backend_pid,))


class Machine:
    """A process with logins of its own, on sites that all machines see."""

    def __init__(self, db, folder, sites):
        self.folders = {name: FakeFolder(site) for name, site in sites.items()}
        quick = AccountSettings(scrape_interval_sec=0.05)
        listed = tuple(Account(name, "airbnb", folder / name, quick, FakeFolder.SETTINGS()) for name in NAMES)
        settings = Settings(log_dir=folder / "logs", listed=listed)
        self.stop = asyncio.Event()
        parts = Parts(find_channel=self.find, stand_by_sec=0.1, share_sec=0.05)
        self.process = make_process(settings, db, Work(sync=True, send=True), parts)

    SETTINGS = FakeFolder.SETTINGS
    CAPABILITIES = FakeFolder.CAPABILITIES

    def find(self, _channel):
        return self

    def build(self, settings, place):
        return self.folders[place.account].build(settings, place)

    def is_conversation_id(self, external_id):
        return external_id.startswith("thread-")

    @property
    def serves(self):
        """The accounts whose inbox it has open."""
        return {name for name, made in self.folders.items() if made.channels and made.channels[-1].is_open}


@pytest.fixture
def machines(db, tmp_path):
    for name in NAMES:
        halted(db, name)
    sites = {name: FakeSite(utc_now) for name in NAMES}
    return [Machine(db, tmp_path / name, sites) for name in "ab"]


def served(machines):
    return Counter(name for machine in machines for name in machine.serves)


async def test_each_account_is_served_once_and_by_the_other_process_when_one_ends(machines):
    first, second = machines
    running = [asyncio.create_task(one.process.run(stop=one.stop)) for one in machines]
    await until(lambda: set(served(machines)) == set(NAMES))
    assert set(served(machines).values()) == {1}
    assert first.serves, "processes that start together share"
    assert second.serves
    first.stop.set()
    assert await running[0] is ExitCode.STOPPED
    await until(lambda: second.serves == set(NAMES))
    second.stop.set()
    assert await running[1] is ExitCode.STOPPED


async def test_a_halt_that_another_process_met_is_a_halt_for_who_stands_by(db, machines):
    first, second = machines
    running = asyncio.create_task(first.process.run(stop=first.stop))
    await until(lambda: first.serves == set(NAMES))
    standing_by = asyncio.create_task(second.process.run(stop=second.stop))
    with db.write() as conn:
        for name in NAMES:
            accounts.halt(conn, name, "captcha", "a challenge is shown", 10, None, utc_now())
    assert await standing_by is ExitCode.HALTED_PERSON_NEEDED
    assert second.serves == set()
    first.stop.set()
    assert await running in {ExitCode.STOPPED, ExitCode.HALTED_PERSON_NEEDED}
