"""A process that waits a halt out, and one that ends at it and has told of it before; on a made-up site."""

import asyncio
import json
import os
import signal
from datetime import timedelta
from typing import Any

import pytest

from src.commands import run as run_command
from src.commands.assembly import make_process
from src.db import accounts
from src.errors import ExitCode, WallHit
from src.model.values import utc_now
from src.services.after_halt import end_halt
from src.settings import Settings
from src.workers.crew import Work
from src.workers.halts import halted
from src.workers.parts import Parts
from tests.support.folder import FakeFolder
from tests.support.house import ACCOUNT
from tests.support.site import FakeSite
from tests.support.waiting import until

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def folder():
    """The first channel that is made meets a wall."""
    found = FakeFolder(FakeSite(utc_now))

    def spoil(channel):
        if not found.channels:
            channel.fail("glance", WallHit("challenge", "the page shows #arkose"))

    found.spoil = spoil
    return found


@pytest.fixture
def run(db, make_settings, folder):
    """``run(work, waited, …)``: a process that waits halts out; ``waited`` gets each of them."""

    def start(work, waited, *beside):
        parts = Parts(find_channel=folder.find, halt_look_sec=0.02)
        settings = make_settings(halt_wait=True)
        process = make_process(settings, db, work, parts, lambda _, halt: waited.append(halt))
        return process.run(beside)

    return start


@pytest.fixture
def make_settings(tmp_path, database_url):
    def make(**more):
        return Settings(
            playwright_session_dir=tmp_path / "session",
            log_dir=tmp_path / "logs",
            database_url=database_url,
            scrape_interval_sec=0.05,
            **more,
        )

    return make


async def test_through_a_halt_the_api_runs_on_and_the_workers_come_back(db, run, folder):
    halted(db, ACCOUNT)
    waited: list[Any] = []
    beside: list[str] = []

    async def api(stop):
        beside.append("began")
        await stop.wait()
        beside.append("ended")

    running = asyncio.create_task(run(Work(sync=True, send=True), waited, api))
    await until(lambda: waited)
    assert waited[0].kind == "challenge"
    assert len(folder.channels) == 1
    assert folder.channels[0].calls[-1] == "close"
    assert beside == ["began"]
    end_halt(db, ACCOUNT, max_age=timedelta(hours=24), now=utc_now())
    await until(lambda: len(folder.channels) == 2 and "glance" in folder.channels[1].calls)
    assert len(waited) == 1
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running is ExitCode.STOPPED
    assert beside == ["began", "ended"]


async def test_a_process_that_starts_halted_waits_and_a_signal_ends_the_wait(db, run, folder):
    with db.write() as conn:
        accounts.halt(conn, ACCOUNT, "challenge", "x", int(ExitCode.HALTED_PERSON_NEEDED), None, utc_now())
    waited: list[Any] = []
    running = asyncio.create_task(run(Work(sync=True), waited))
    await until(lambda: waited)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running is ExitCode.STOPPED
    assert folder.channels == []


def test_a_process_that_ends_at_a_halt_has_told_of_it_before(db, make_settings, folder, httpserver):
    httpserver.expect_request("/alert").respond_with_data("ok")
    settings = make_settings(
        alert_webhook_url=httpserver.url_for("/alert"), ai_webhook_url="http://127.0.0.1:9/ai"
    )
    parts = Parts(load_settings=lambda **_: settings, find_channel=folder.find)
    for _ in range(3):
        assert (
            run_command.run_workers(sync=True, send=False, api=False, parts=parts)
            == ExitCode.HALTED_PERSON_NEEDED
        )
    told = [json.loads(request.get_data()) for request, _ in httpserver.log]
    assert [(one["event"], one["kind"]) for one in told] == [("alert", "halted")]
    assert len(folder.channels) == 1
