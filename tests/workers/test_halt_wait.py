"""A process that waits a halt out, and one that ends at it and has told of it before; on a made-up site."""

import asyncio
import json
import os
import signal
from datetime import timedelta
from typing import Any

import pytest

from src.commands import opening
from src.commands import run as run_command
from src.db import accounts
from src.errors import ExitCode, WallHit
from src.model.tables import utc_now
from src.services.after_halt import end_halt
from src.settings import Settings
from src.workers import halt_wait, lifecycle
from src.workers.halt_wait import run_through_halts
from src.workers.lifecycle import Crew
from tests.support.channel import FakeChannel
from tests.support.house import ACCOUNT
from tests.support.site import FakeSite
from tests.support.waiting import until

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def channels(monkeypatch):
    """Every channel that was made; the first one meets a wall."""
    site = FakeSite(utc_now)
    made: list[FakeChannel] = []

    def make_channel(_settings, **_fields):
        channel = FakeChannel(site)
        channel.is_open = False
        if not made:
            channel.fail("glance", WallHit("challenge", "the page shows #arkose"))
        made.append(channel)
        return channel

    monkeypatch.setattr(lifecycle, "make_channel", make_channel)
    monkeypatch.setattr(halt_wait, "LOOK_EVERY_SEC", 0.02)
    return made


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


async def test_through_a_halt_the_api_runs_on_and_the_workers_come_back(db, make_settings, channels):
    lifecycle.halted(db, ACCOUNT)
    waited: list[Any] = []
    beside: list[str] = []

    async def api(stop):
        beside.append("began")
        await stop.wait()
        beside.append("ended")

    crew = Crew(sync=True, send=True, beside=[api])
    running = asyncio.create_task(run_through_halts(make_settings(halt_wait=True), db, crew, waited.append))
    await until(lambda: waited)
    assert waited[0].halt_kind == "challenge"
    assert len(channels) == 1
    assert channels[0].calls[-1] == "close"
    assert beside == ["began"]
    end_halt(db, ACCOUNT, max_age=timedelta(hours=24), now=utc_now())
    await until(lambda: len(channels) == 2 and "glance" in channels[1].calls)
    assert len(waited) == 1
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running is ExitCode.STOPPED
    assert beside == ["began", "ended"]


async def test_a_process_that_starts_halted_waits_and_a_signal_ends_the_wait(db, make_settings, channels):
    with db.write() as conn:
        accounts.halt(conn, ACCOUNT, "challenge", "x", int(ExitCode.HALTED_PERSON_NEEDED), None, utc_now())
    waited: list[Any] = []
    crew = Crew(sync=True)
    running = asyncio.create_task(run_through_halts(make_settings(halt_wait=True), db, crew, waited.append))
    await until(lambda: waited)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running is ExitCode.STOPPED
    assert channels == []


def test_a_process_that_ends_at_a_halt_has_told_of_it_before(
    db, make_settings, channels, monkeypatch, httpserver
):
    httpserver.expect_request("/alert").respond_with_data("ok")
    settings = make_settings(
        alert_webhook_url=httpserver.url_for("/alert"), ai_webhook_url="http://127.0.0.1:9/ai"
    )
    monkeypatch.setattr(opening, "load_settings", lambda **_: settings)
    monkeypatch.setattr(opening, "set_up_logs", lambda *_, **__: None)
    for _ in range(3):
        assert run_command.run_workers(sync=True, send=False, api=False) == ExitCode.HALTED_PERSON_NEEDED
    told = [json.loads(request.get_data()) for request, _ in httpserver.log]
    assert [(one["event"], one["kind"]) for one in told] == [("alert", "halted")]
    assert len(channels) == 1
