"""How a process of workers lives and ends, on a made-up site: signals, halts, exit codes, one copy at a time."""

import asyncio
import os
import signal
from dataclasses import replace

import pytest

from src.commands import run as run_command
from src.commands import serving
from src.commands.assembly import make_process
from src.db import accounts, conversations, outbox_queue, outbox_views, starts
from src.db.wakeup import Wakeup
from src.errors import ExitCode, NotUnderstood, PageChanged, SettingsError, TransientError, WallHit
from src.model.statuses import OutboxStatus
from src.model.values import utc_now
from src.settings import Settings
from src.workers.breaker import WINDOW
from src.workers.crew import Work
from src.workers.halts import halted, what_to_do
from src.workers.locks import FileLock
from src.workers.parts import Parts
from src.workers.process import Process
from src.workers.watchdog import Watchdog
from tests.support.folder import FakeFolder
from tests.support.house import ACCOUNT
from tests.support.site import FakeSite
from tests.support.waiting import until

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(tmp_path, database_url):
    return Settings(
        playwright_session_dir=tmp_path / "session",
        log_dir=tmp_path / "logs",
        database_url=database_url,
        scrape_interval_sec=0.05,
    )


@pytest.fixture
def site():
    return FakeSite(utc_now)


@pytest.fixture
def folder(site):
    return FakeFolder(site)


@pytest.fixture
def run(ready, settings, folder):
    """``await run(sync=True)``: a process with this work, and what is to run beside it; its exit code."""

    def start(*beside, parts=None, **work):
        parts = replace(parts or Parts(), find_channel=folder.find)
        if not work:
            return Process(ready, [], parts=parts).run(beside)
        return make_process(settings, ready, Work(**work), parts).run(beside)

    return start


@pytest.fixture
def ready(db, settings):
    assert halted(db, ACCOUNT) is None
    return db


def state_of(db):
    with db.read() as conn:
        return accounts.get(conn, ACCOUNT)


def beats_of(db):
    with db.read() as conn:
        return {beat.worker: beat for beat in accounts.workers(conn, ACCOUNT)}


def stop_this_process(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_message_is_read_a_reply_is_sent_and_a_signal_stops_it_all(
    ready, settings, site, folder, run, number
):
    where = site.conversation("Is there a cot?")
    running = asyncio.create_task(run(sync=True, send=True))

    def known():
        with ready.read() as conn:
            return accounts.get(conn, ACCOUNT).external_id

    await until(known)
    wakeup = Wakeup(ready)
    with ready.write() as conn:
        conversation = conversations.ensure_named(conn, ACCOUNT, where.external_id, utc_now())
        job, _ = outbox_queue.enqueue(
            conn,
            ACCOUNT,
            conversation.id,
            "Yes, in the wardrobe",
            request_id=None,
            idempotency_key="unasked",
            now=utc_now(),
        )
        wakeup.notify_in(conn, "outbox")
    await until(lambda: site.presses)
    stop_this_process(number)
    assert await running is ExitCode.STOPPED
    with ready.read() as conn:
        assert outbox_views.get(conn, job.id).status is OutboxStatus.SENT
    assert where.texts == ["Is there a cot?", "Yes, in the wardrobe"]
    assert folder.channels[-1].calls[-1] == "close"
    assert not state_of(ready).halted
    assert all(beats_of(ready)[name].stopped_at for name in ("sync", "send"))
    assert not FileLock(settings.playwright_session_dir / "sync.lock").is_taken()
    assert not FileLock(settings.playwright_session_dir / "browser.lock").is_taken()
    wakeup.close()
    assert list(ready.path.with_name(f"{ready.path.name}.wake").glob("*")) == []


@pytest.mark.parametrize(
    ("halt", "code"),
    [
        (WallHit("captcha", "a challenge is shown", evidence="captcha.png"), ExitCode.HALTED_PERSON_NEEDED),
        (PageChanged("the list", "the inbox"), ExitCode.HALTED_PAGE_CHANGED),
    ],
)
@pytest.mark.parametrize("method", ["open", "glance", "wait_for_news"])
async def test_a_halt_is_written_down_and_ends_the_process_with_its_code(
    ready, site, folder, run, method, halt, code
):
    folder.spoil = lambda channel: channel.fail(method, halt, nth=None)
    site.conversation("Is there a cot?")
    assert await run(sync=True, send=True) is code
    state = state_of(ready)
    assert (state.halted, state.halt_kind, state.halt_detail) == (True, halt.kind, halt.detail)
    assert (state.halt_exit_code, state.halt_evidence) == (code, halt.evidence)
    assert halted(ready, ACCOUNT) == state
    (channel,) = folder.channels
    assert channel.calls[channel.calls.index(method) + 1 :] == ["close"]


async def test_a_halt_of_one_worker_leaves_no_further_step_to_the_other(ready, site, folder, run):
    where = site.conversation("Is there a cot?")
    folder.spoil = lambda channel: channel.fail("write", WallHit("captcha", "shown"), nth=None)
    with ready.write() as conn:
        conversation = conversations.ensure_named(conn, ACCOUNT, where.external_id, utc_now())
        job, _ = outbox_queue.enqueue(
            conn, ACCOUNT, conversation.id, "Yes", request_id=None, idempotency_key="one", now=utc_now()
        )
    code = await run(sync=True, send=True)
    assert code is ExitCode.HALTED_PERSON_NEEDED
    assert site.presses == []
    (channel,) = folder.channels
    assert channel.calls[channel.calls.index("write") + 1 :] == ["close"]
    with ready.read() as conn:
        now = outbox_views.get(conn, job.id)
    assert (now.status, now.attempts) == (OutboxStatus.PENDING, 0)


async def test_a_halt_that_cannot_be_written_down_still_ends_the_process(ready, folder, run, monkeypatch):
    folder.spoil = lambda channel: channel.fail("glance", WallHit("captcha", "shown"))

    def locked(*_):
        raise TransientError("the database is locked")

    monkeypatch.setattr(accounts, "halt", locked)
    code = await run(sync=True)
    assert code is ExitCode.HALTED_PERSON_NEEDED


async def test_a_halt_that_could_not_be_written_down_at_once_is_before_the_process_ends(
    ready, folder, run, monkeypatch
):
    folder.spoil = lambda channel: channel.fail("glance", WallHit("captcha", "shown"))
    really, locked = accounts.halt, [TransientError("the database is locked")]

    def halt(*arguments):
        if locked:
            raise locked.pop()
        return really(*arguments)

    monkeypatch.setattr(accounts, "halt", halt)
    assert await run(sync=True) is ExitCode.HALTED_PERSON_NEEDED
    assert state_of(ready).halt_kind == "captcha"


async def test_a_page_that_is_never_understood_is_a_halt_before_anybody_is_waited_for(ready, folder, run):
    folder.spoil = lambda channel: channel.fail("glance", NotUnderstood("the list is blank"), nth=None)
    found = []

    async def beside(stop):
        await stop.wait()
        found.append(state_of(ready).halt_kind)

    code = await run(beside, sync=True)
    assert code is ExitCode.HALTED_PAGE_CHANGED
    assert found == ["page_changed"]


async def test_what_runs_beside_the_workers_ends_with_them(folder, run):
    ended = asyncio.Event()

    async def beside(stop):
        stop_this_process()
        await stop.wait()
        ended.set()

    assert await run(beside) is ExitCode.STOPPED
    assert ended.is_set()
    assert folder.channels == []


async def test_a_mistake_in_one_part_ends_everything_and_is_not_swallowed(run):
    others = asyncio.Event()

    async def mistaken(_stop):
        raise ZeroDivisionError

    async def other(stop):
        await stop.wait()
        others.set()

    with pytest.raises(ZeroDivisionError):
        await run(other, mistaken)
    assert others.is_set()


async def test_what_does_not_end_in_time_is_given_up(run):
    async def stubborn(_stop):
        stop_this_process()
        await asyncio.Event().wait()

    assert await run(stubborn, parts=Parts(finish_sec=0.01)) is ExitCode.STOPPED


@pytest.mark.parametrize("name", ["sync", "send"])
async def test_a_second_copy_does_not_start(settings, folder, run, name):
    other = FileLock(settings.playwright_session_dir / f"{name}.lock")
    assert other.try_acquire()
    with pytest.raises(SettingsError) as caught:
        await run(parts=Parts(other_copy_sec=0.0), **{name: True})
    assert "PLAYWRIGHT_SESSION_DIR" in str(caught.value)
    assert name.upper() in str(caught.value)
    assert folder.channels == []
    other.release()


@pytest.fixture
def parts(settings, folder):
    """For a command: these settings, this site."""
    return Parts(load_settings=lambda **_: settings, find_channel=folder.find)


def test_a_start_while_halted_touches_nothing_and_ends_with_the_same_code(db, folder, parts):
    with db.write() as conn:
        accounts.halt(conn, ACCOUNT, "captcha", "a challenge is shown", 10, None, utc_now())
    for _ in range(3):
        code = run_command.run_workers(sync=True, send=True, api=False, parts=parts)
        assert code == ExitCode.HALTED_PERSON_NEEDED
    assert folder.channels == []
    assert state_of(db).halted


@pytest.mark.parametrize("command", ["workers", "api"])
def test_what_nobody_expected_is_one_line_without_values_and_exit_70(
    db, settings, parts, monkeypatch, capsys, command
):
    def broken(*_arguments, **_fields):
        password = "canary-in-a-variable"
        raise RuntimeError(f"api_key=canary-in-a-message is wrong\ncanary-on-the-second-line {len(password)}")

    monkeypatch.setattr(run_command, "_api_is_ours", lambda *_: True)
    monkeypatch.setattr(serving, "serve_all", broken)
    parts = replace(parts, make_sync=broken)
    code = (
        run_command.run_workers(sync=True, send=True, api=False, parts=parts)
        if command == "workers"
        else run_command.run_api(parts)
    )
    assert code == ExitCode.WATCHDOG
    printed = "".join(capsys.readouterr())
    logged = (settings.log_dir / "app.log").read_text(encoding="utf-8")
    assert "Ended by something that was not expected" in printed
    assert "RuntimeError" in logged
    with db.write() as conn:
        earlier = starts.note(conn, ACCOUNT, "the next one", utc_now(), WINDOW)
    assert (earlier.failed, earlier.vanished) == ((1, 0) if command == "workers" else (0, 0))
    for text in (printed, logged):
        assert "canary" not in text
        assert "Traceback" not in text


def test_what_to_do_after_a_halt_names_a_command(database_url):
    for code in (ExitCode.HALTED_PERSON_NEEDED, ExitCode.HALTED_PAGE_CHANGED):
        assert "scripts/reconnect_airbnb.py" in what_to_do(code)


async def test_a_watchdog_sees_the_workers_steps(run):
    marks = []

    class Watching(Watchdog):
        def mark(self, what, account=""):
            marks.append(what)
            super().mark(what, account)

    running = asyncio.create_task(run(sync=True, parts=Parts(make_watchdog=Watching)))
    await until(lambda: "SYNC: turn" in marks)
    stop_this_process()
    await running
    assert marks[-1] == ""
