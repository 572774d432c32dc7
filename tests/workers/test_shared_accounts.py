"""Two processes on one PostgreSQL database share the accounts of a file: each is served by one of them."""

import asyncio
from collections import Counter

import pytest

from src.account import Account, AccountSettings
from src.commands.assembly import make_process
from src.db import accounts, connections, conversations, outbox_queue
from src.db.serving import PATIENCE, Serving
from src.db.wakeup import Wakeup
from src.errors import ExitCode, TransientError
from src.model.values import utc_now
from src.settings import Settings
from src.workers.crew import Work
from src.workers.halts import halted
from src.workers.parts import Parts
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


def reply_in(db, name, where, text):
    wakeup = Wakeup(db)
    with db.write() as conn:
        home = conversations.ensure_named(conn, name, where.external_id, utc_now())
        outbox_queue.enqueue(conn, name, home.id, text, request_id=None, idempotency_key=text, now=utc_now())
        wakeup.notify_in(conn, "outbox")
    wakeup.close()


def count_looks(serving, monkeypatch):
    """How often each account is asked for from now on."""
    take = serving.try_take
    asked: Counter[str] = Counter()

    def counted(name):
        asked[name] += 1
        return take(name)

    monkeypatch.setattr(serving, "try_take", counted)
    return asked


def taken_by(serving, names=NAMES):
    return {name for name in names if serving.try_take(name)}


def test_a_process_that_joins_is_given_its_share_and_no_more(db):
    first, second, third = (Serving(db, NAMES) for _ in range(3))
    assert taken_by(first) == set(NAMES)
    assert not any(first.should_give(name) for name in NAMES), "nobody asks for any"
    assert taken_by(second) == set()
    given = {name for name in NAMES if first.should_give(name)}
    assert len(given) == 5
    for name in given:
        first.release(name)
    assert taken_by(first) == set(NAMES) - given, "what was given is not taken again"
    assert taken_by(second) == given
    assert taken_by(third) == set()
    offers = [(one, name) for one in (first, second) for name in NAMES if one.should_give(name)]
    for one, name in offers:
        one.release(name)
    taken_by(third)
    numbers = [len(taken_by(one)) for one in (first, second, third)]
    assert sorted(numbers) == [3, 3, 4]
    assert not any(one.should_give(name) for one in (first, second, third) for name in NAMES)
    for one in (first, second, third):
        one.close()


def test_a_free_account_is_left_to_a_process_that_has_fewer_but_not_for_ever(db):
    first, second = (Serving(db, NAMES[:2]) for _ in range(2))
    assert second.try_take("elsewhere"), "it counts as a process, and takes none of ours"
    assert first.try_take(NAMES[0])
    looks = [first.try_take(NAMES[1]) for _ in range(PATIENCE + 1)]
    assert looks == [False] * PATIENCE + [True]
    first.close()
    second.close()


def test_a_halted_account_is_nobodys_share(db):
    first, second = (Serving(db, NAMES[:3]) for _ in range(2))
    assert len(taken_by(first, NAMES[:3])) == 3
    for one in (first, second):
        one.release(NAMES[2], halted=True)
    taken_by(second, NAMES[:2])
    assert [first.should_give(name) for name in NAMES[:2]].count(True) == 1
    first.close()
    second.close()


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


async def test_a_process_that_joins_later_served_nothing(machines):
    first, second = machines
    running = [asyncio.create_task(first.process.run(stop=first.stop))]
    await until(lambda: first.serves == set(NAMES))
    running.append(asyncio.create_task(second.process.run(stop=second.stop)))
    await until(lambda: len(first.serves) == len(second.serves) == 5)
    assert set(served(machines).values()) == {1}
    for one in machines:
        one.stop.set()
    assert await asyncio.gather(*running) == [ExitCode.STOPPED] * 2


async def test_an_account_is_never_given_away_in_the_middle_of_a_job(db, machines, monkeypatch):
    first, second = machines
    at_work, go = [], asyncio.Event()

    def make_slow(channel):
        write = channel.write

        async def write_slowly(*what):
            at_work.append(what)
            await go.wait()
            await write(*what)

        channel.write = write_slowly

    for folder in first.folders.values():
        folder.spoil = make_slow
    homes = {name: folder.site.conversation("Is there a cot?") for name, folder in first.folders.items()}
    running = [asyncio.create_task(first.process.run(stop=first.stop))]
    await until(lambda: first.serves == set(NAMES))
    for name in NAMES[:8]:
        reply_in(db, name, homes[name], "Yes, in the wardrobe")
    await until(lambda: len(at_work) == 8)
    asked = count_looks(second.process._serving, monkeypatch)
    running.append(asyncio.create_task(second.process.run(stop=second.stop)))
    await until(lambda: second.serves == set(NAMES[8:]))
    asked.clear()
    await until(lambda: all(asked[name] >= 10 for name in NAMES[:8]))
    assert first.serves == set(NAMES[:8]), "only what is idle has moved"
    assert len(at_work) == 8, "nothing was begun again"
    go.set()
    await until(lambda: len(first.serves) == len(second.serves) == 5)
    await until(lambda: all(len(first.folders[name].site.presses) == 1 for name in NAMES[:8]))
    for one in machines:
        one.stop.set()
    assert await asyncio.gather(*running) == [ExitCode.STOPPED] * 2
    assert [len(first.folders[name].site.presses) for name in NAMES] == [1] * 8 + [0] * 2


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
