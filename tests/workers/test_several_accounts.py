"""Several accounts in one process: each with a turn, a halt and a crew of its own; the process ends with the last one."""

import asyncio
import os
import signal
from dataclasses import replace
from datetime import timedelta

import pytest

from src.account import Account, AccountSettings
from src.commands import run as run_command
from src.commands.assembly import make_process
from src.db import accounts, conversations, outbox_queue, outbox_views, starts
from src.db.wakeup import Wakeup
from src.errors import ExitCode, PageChanged, WallHit
from src.model.statuses import OutboxStatus
from src.model.values import utc_now
from src.services.after_halt import end_halt
from src.settings import Settings
from src.workers.breaker import WINDOW
from src.workers.crew import Work
from src.workers.halts import halted
from src.workers.parts import Parts
from tests.support.folder import FakeFolder
from tests.support.site import FakeSite
from tests.support.waiting import until

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WALL = WallHit("captcha", "a challenge is shown")


class Folders:
    """A site for each account; the channels are told apart by the account in their place."""

    def __init__(self, names):
        self.of = {name: FakeFolder(FakeSite(utc_now)) for name in names}

    def find(self, _channel):
        return self

    SETTINGS = FakeFolder.SETTINGS
    CAPABILITIES = FakeFolder.CAPABILITIES

    def build(self, settings, place):
        return self.of[place.account].build(settings, place)

    def is_conversation_id(self, external_id):
        return external_id.startswith("thread-")


@pytest.fixture
def folders():
    return Folders(["chalet", "loft"])


@pytest.fixture
def settings(tmp_path, database_url):
    quick = AccountSettings(scrape_interval_sec=0.05)
    listed = tuple(
        Account(name, "airbnb", tmp_path / name, quick, FakeFolder.SETTINGS()) for name in ("chalet", "loft")
    )
    return Settings(log_dir=tmp_path / "logs", database_url=database_url, listed=listed)


@pytest.fixture
def parts(settings, folders):
    return Parts(load_settings=lambda **_: settings, find_channel=folders.find, halt_look_sec=0.02)


@pytest.fixture
def run(db, settings, parts):
    for account in settings.accounts:
        halted(db, account.name)

    def start(*beside, **more):
        made = replace(parts, **more)
        return make_process(settings, db, Work(sync=True, send=True), made).run(beside)

    return start


def state_of(db, name):
    with db.read() as conn:
        return accounts.get(conn, name)


def reply_in(db, name, where, text):
    wakeup = Wakeup(db)
    with db.write() as conn:
        home = conversations.ensure_named(conn, name, where.external_id, utc_now())
        job, _ = outbox_queue.enqueue(
            conn, name, home.id, text, request_id=None, idempotency_key=text, now=utc_now()
        )
        wakeup.notify_in(conn, "outbox")
    wakeup.close()
    return job


async def test_a_halt_stops_one_account_and_the_other_goes_on(db, folders, run):
    folders.of["chalet"].spoil = lambda channel: channel.fail("glance", WALL, nth=None)
    where = folders.of["loft"].site.conversation("Is there a cot?")
    running = asyncio.create_task(run())
    await until(lambda: state_of(db, "chalet").halted)
    looks = len(folders.of["chalet"].channels)
    await until(lambda: state_of(db, "loft").external_id)
    job = reply_in(db, "loft", where, "Yes, in the wardrobe")
    await until(lambda: folders.of["loft"].site.presses)
    assert not running.done()
    assert len(folders.of["chalet"].channels) == looks, "nothing touches a halted account"
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running is ExitCode.STOPPED
    with db.read() as conn:
        assert outbox_views.get(conn, job.id).status is OutboxStatus.SENT
    assert not state_of(db, "loft").halted
    assert folders.of["chalet"].site.presses == []


async def test_an_account_whose_halt_is_ended_works_again_beside_the_other(db, folders, run):
    chalet = folders.of["chalet"]

    def spoil(channel):
        if not chalet.channels:
            channel.fail("glance", WALL)

    chalet.spoil = spoil
    running = asyncio.create_task(run())
    await until(lambda: state_of(db, "chalet").halted and chalet.channels[0].calls[-1] == "close")
    end_halt(db, "chalet", max_age=timedelta(hours=24), now=utc_now())
    await until(lambda: len(chalet.channels) == 2 and "glance" in chalet.channels[1].calls)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running is ExitCode.STOPPED


@pytest.mark.parametrize("first", ["chalet", "loft"])
async def test_the_process_ends_with_the_highest_code_when_no_account_is_left(db, folders, run, first):
    for name, folder in folders.of.items():
        halt = WALL if name == first else PageChanged("the list", "the inbox")
        folder.spoil = lambda channel, halt=halt: channel.fail("glance", halt, nth=None)
    assert await run() is ExitCode.HALTED_PAGE_CHANGED
    assert all(state_of(db, name).halted for name in folders.of)


def test_a_start_with_all_accounts_halted_ends_with_the_highest_code(db, settings, folders, parts):
    with db.write() as conn:
        accounts.halt(conn, "chalet", "captcha", "a challenge is shown", 10, None, utc_now())
        accounts.halt(conn, "loft", "page_changed", "expected the list", 11, None, utc_now())
    code = run_command.run_workers(sync=True, send=True, api=False, parts=parts)
    assert code == ExitCode.HALTED_PAGE_CHANGED
    assert not any(folder.channels for folder in folders.of.values())


async def test_an_account_that_counts_for_nothing_keeps_no_process_alive(db, settings, folders, run, parts):
    chat = replace(settings.listed[1], channel="chat", listed=False)
    alone = settings.model_copy(update={"listed": (settings.listed[0], chat)})
    folders.of["chalet"].spoil = lambda channel: channel.fail("glance", WALL, nth=None)
    process = make_process(alone, db, Work(sync=True, send=True), parts)
    assert await process.run() is ExitCode.HALTED_PERSON_NEEDED
    assert not state_of(db, "loft").halted


async def test_a_mistake_in_one_account_counts_as_a_failed_start_of_that_one_alone(db, settings, run, parts):
    def broken(_db, *, account, **_):
        if account == "loft":
            raise ZeroDivisionError
        return parts.make_sync(_db, account=account, **_)

    with pytest.raises(ZeroDivisionError):
        await run(make_sync=broken)
    with db.write() as conn:
        counted = {name: starts.note(conn, name, "next", utc_now(), WINDOW) for name in ("chalet", "loft")}
    assert (counted["chalet"].failed, counted["loft"].failed) == (0, 1)
    assert counted["chalet"].vanished == 0


def test_a_name_keeps_its_channel(db, settings, parts):
    with db.write() as conn:
        accounts.ensure(conn, "chalet", utc_now())
        assert accounts.take_channel(conn, "chalet", "pgnotify", utc_now()) == "pgnotify"
    code = run_command.run_workers
    with pytest.raises(Exception, match="account chalet: channel") as caught:
        code(sync=True, send=True, api=False, parts=parts)
    assert "pgnotify" in str(caught.value)
