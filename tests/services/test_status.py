"""One verdict on how an account stands, whoever asks."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

from src.commands import status
from src.db import accounts
from src.errors import ExitCode
from src.services.alerts import find
from src.services.status import Intervals, judge, read_verdict
from src.settings import Settings
from tests.support.api import client  # noqa: F401 (a fixture)

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

INTERVALS = Intervals(sync_sec=10, send_sec=10)
ACCOUNT = "default"


def begin(db, clock, *names):
    with db.write() as conn:
        accounts.ensure(conn, ACCOUNT, clock())
        for name in names:
            accounts.beat(conn, ACCOUNT, name, process_id=1, hostname="here", now=clock(), started=True)


def cycle(db, clock, name="sync", *, ok=True):
    with db.write() as conn:
        accounts.cycle_done(conn, ACCOUNT, name, outcome="x", duration_ms=1, ok=ok, now=clock())


def verdict(db, clock):
    with db.read() as conn:
        return read_verdict(conn, ACCOUNT, INTERVALS, clock())


def test_what_never_ran_says_so(db, clock):
    found = verdict(db, clock)
    assert (found.state, found.short, found.reads, found.sends) == ("never_ran", "stopped", False, False)


def test_a_worker_that_was_killed_is_never_running(db, clock):
    begin(db, clock, "sync", "send")
    cycle(db, clock)
    assert (verdict(db, clock).state, verdict(db, clock).sends) == ("running", True)
    clock.advance(31)
    found = verdict(db, clock)
    assert (found.state, found.sync.state, found.send.state) == ("silent", "silent", "silent")
    assert (found.short, found.reads, found.sends, found.read_lately) == ("stopped", False, False, False)


def test_one_that_failed_last_is_failing_and_lives_through_its_longest_pause(db, clock):
    begin(db, clock, "sync", "send")
    cycle(db, clock)
    clock.advance(5)
    cycle(db, clock, ok=False)
    found = verdict(db, clock)
    assert (found.state, found.short, found.reads, found.read_lately) == ("failing", "working", False, True)
    clock.advance(timedelta(minutes=19).total_seconds())
    assert verdict(db, clock).state == "failing"
    clock.advance(timedelta(minutes=2).total_seconds())
    assert verdict(db, clock).state == "silent"


def test_alive_without_a_good_look_is_blind(db, clock):
    begin(db, clock, "sync", "send")
    assert (verdict(db, clock).state, verdict(db, clock).reads) == ("blind", False)


def test_a_pause_stops_sending_and_not_reading(db, clock):
    begin(db, clock, "sync", "send")
    cycle(db, clock)
    with db.write() as conn:
        accounts.pause(conn, ACCOUNT, clock())
    found = verdict(db, clock)
    assert (found.state, found.reads, found.sends, found.short) == ("paused", True, False, "working")


def test_a_halt_is_above_everything(db, clock):
    begin(db, clock, "sync", "send")
    cycle(db, clock)
    with db.write() as conn:
        accounts.halt(conn, ACCOUNT, "challenge", "x", ExitCode.HALTED_PERSON_NEEDED, None, clock())
    found = verdict(db, clock)
    assert (found.state, found.short, found.reads, found.sends, found.read_lately) == (
        "halted",
        "halted",
        False,
        False,
        False,
    )


def test_nobody_sends_where_only_sync_runs(db, clock):
    begin(db, clock, "sync")
    cycle(db, clock)
    found = verdict(db, clock)
    assert (found.state, found.short, found.sends, found.send.state) == (
        "running",
        "working",
        False,
        "never_ran",
    )


def test_the_verdict_from_rows_is_the_verdict_from_the_database(db, clock):
    begin(db, clock, "sync", "send")
    cycle(db, clock)
    with db.read() as conn:
        rows = accounts.find(conn, ACCOUNT), accounts.workers(conn, ACCOUNT)
    assert judge(*rows, INTERVALS, clock()) == verdict(db, clock)


async def test_status_health_metrics_and_alerts_agree_about_a_killed_worker(
    client, db, clock, capsys, monkeypatch
):
    begin(db, clock, "sync", "send")  # no process ends this in order
    cycle(db, clock)
    clock.advance(timedelta(hours=1).total_seconds())
    one = client(ai_webhook_url="http://127.0.0.1:9/x")

    health = (await one.get("/health")).json()
    assert health["problems"] == ["sync_silent", "send_silent"]
    assert 'nightporter_worker_running{worker="sync"} 0.0' in (await one.get("/metrics")).text
    assert "No sign of life" in (await one.get("/")).text
    with db.read() as conn:
        found = find(conn, Settings().accounts[0], clock())
    assert [(one.kind, one.detail) for one in found] == [("nothing_read", "silent")]

    monkeypatch.setattr(status, "datetime", SimpleNamespace(now=lambda _: clock()))
    facts = status._facts(db, Settings().accounts)
    assert facts["state"] == "silent"
    assert {w["worker"]: (w["state"], w["running"]) for w in facts["workers"]} == {
        "sync": ("silent", False),
        "send": ("silent", False),
    }
    status._print(facts)
    assert "SYNC  silent since" in capsys.readouterr().out
