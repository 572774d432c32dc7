"""Quiet hours of alerts: what is urgent crosses them, a halt does once, the rest comes as one in the morning."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from src.db import accounts, incidents
from src.model.statuses import OutboxStatus
from src.services.alerts import quiet_until
from src.settings import Settings
from src.workers.alert_worker import AlertWorker, tell_of_the_end
from tests.services.test_alerts import (  # noqa: F401
    HOUR,
    a_reply,
    cycle,
    halt,
    hook,
    in_short,
    make_worker,
    receiver,
    told,
)
from tests.services.test_urgent_alerts import escalate  # noqa: F401
from tests.support.api import ACCOUNT, inbox  # noqa: F401

NIGHT = {"quiet_hours": "22-7", "time_zone": "Europe/Paris"}
MINUTE = 60


@pytest.fixture
def at(clock):
    """Sets the clock to a time of the day in Paris; the next one there is, never back."""

    def move(hour, minute=0):
        quiet = Settings(quiet_hours=f"{hour}:{minute:02}-{(hour + 1) % 24}", time_zone="Europe/Paris")
        while quiet_until(quiet, clock()) is None:
            clock.advance(MINUTE)

    return move


def a_draft(db, clock, number):
    return a_reply(db, clock, number, OutboxStatus.DRAFT)


def test_what_can_wait_comes_as_one_in_the_morning(make_worker, told, db, clock, at, escalate):
    at(23)
    worker = make_worker(**NIGHT)
    for number in (1, 2):
        a_draft(db, clock, number)
        worker.run_once()
    escalate(3, "refund")
    for _ in range(8):
        worker.run_once()
        clock.advance(HOUR - 10 * MINUTE)
    assert told() == []
    at(7)
    worker.run_once()
    (one,) = told()
    assert (one["event"], one["urgent"], one["count"]) == ("summary", False, 2)
    assert one["title"] == "2 things that could wait"
    assert one["message"].splitlines() == ["• 2 replies wait for you", "• 1 guest's message is left to you"]
    assert [(part["event"], part["kind"], part["count"]) for part in one["alerts"]] == [
        ("alert", "draft", 2),
        ("alert", "unanswered", 1),
    ]
    worker.run_once()
    assert told() == []


def test_danger_crosses_the_quiet_hours_and_waits_for_nothing(make_worker, told, db, clock, at, escalate):
    at(2)
    worker = make_worker(**NIGHT)
    a_draft(db, clock, 1)
    escalate(2, "safety")
    worker.run_once()
    (one,) = told()
    assert (one["kind"], one["urgent"]) == ("urgent", True)
    at(7)
    worker.run_once()
    assert in_short(told()) == [("alert", "draft", 1)]


def test_a_halt_at_night_is_told_at_once_and_not_again_before_the_morning(make_worker, told, db, clock, at):
    at(22)
    worker = make_worker(**NIGHT)
    halt(db, clock)
    worker.run_once()
    assert in_short(told()) == [("alert", "halted", 1)]
    clock.advance(7 * HOUR)
    worker.run_once()
    assert told() == []
    at(7)
    worker.run_once()
    assert in_short(told()) == [("reminder", "halted", 1)]


def test_a_program_that_ends_at_a_halt_at_night_has_told_of_it(db, clock, at, hook, told, make_worker):
    at(3)
    make_worker(**NIGHT)
    halt(db, clock)
    # The real clock runs in a last look: quiet all day but for a minute that is not now.
    here = datetime.now(UTC)
    quiet = f"{here.hour}:{here.minute:02}-{(here.hour + 23) % 24}:{here.minute:02}"
    settings = Settings(alert_webhook_url=hook.url_for("/hook"), quiet_hours=quiet, time_zone="UTC")
    tell_of_the_end(settings, settings.accounts, db)
    assert [one["kind"] for one in told()] == ["halted"]


def test_what_was_over_before_the_morning_is_never_told(make_worker, told, db, clock, at):
    at(1)
    worker = make_worker(**NIGHT)
    cycle(db, clock, "ai_webhook", ok=False, outcome="ConnectError")
    for _ in range(3):
        cycle(db, clock, "ai_webhook", ok=False, outcome="ConnectError")
        worker.run_once()
    with db.read() as conn:
        assert [one.kind for one in incidents.open_ones(conn, ACCOUNT)] == ["ai_unreachable"]
    cycle(db, clock, "ai_webhook")
    for _ in range(4):
        clock.advance(10 * MINUTE)
        worker.run_once()
    at(7)
    worker.run_once()
    assert told() == []


def test_a_restart_in_the_night_loses_no_alert_and_tells_none_twice(make_worker, told, db, clock, at):
    at(23)
    a_draft(db, clock, 1)
    make_worker(**NIGHT).run_once()
    clock.advance(4 * HOUR)
    a_reply(db, clock, 2, OutboxStatus.PENDING)
    make_worker(**NIGHT).run_once()
    at(7)
    first, second = make_worker(**NIGHT), make_worker(**NIGHT)
    first.run_once()
    second.run_once()
    (one,) = told()
    assert "draft" in str(one)


def test_the_one_of_the_morning_is_tried_again_as_one(make_worker, hook, told, db, clock, at, escalate):
    at(23)
    worker = make_worker(**NIGHT)
    a_draft(db, clock, 1)
    escalate(2, "refund")
    worker.run_once()
    at(7)
    hook.clear()
    hook.expect_oneshot_request("/hook").respond_with_data("no", status=503)
    worker.run_once()
    hook.expect_request("/hook").respond_with_data("ok")
    for _ in range(12):
        clock.advance(MINUTE)
        worker.run_once()
    assert [one["event"] for one in told()] == ["summary", "summary"]


def test_the_alerts_of_several_accounts_are_one_in_the_morning(
    db, clock, hook, told, at, make_worker, tmp_path
):
    at(23)
    make_worker()
    settings = Settings(alert_webhook_url=hook.url_for("/hook"), **NIGHT)
    (first,) = settings.accounts
    other = replace(first, name="cottage")
    with db.write() as conn:
        accounts.ensure(conn, "cottage", clock())
    worker = AlertWorker(settings, [first, other], db, heartbeat=False, clock=clock)
    for name in (ACCOUNT, "cottage"):
        cycle_of(db, clock, name)
    worker.run_once()
    assert told() == []
    at(7)
    worker.run_once()
    (one,) = told()
    assert {part["account"] for part in one["alerts"]} == {ACCOUNT, "cottage"}
    assert one["account"] is None
    assert "cottage: " in one["message"]


def cycle_of(db, clock, account):
    """Its AI has failed often enough."""
    with db.write() as conn:
        accounts.beat(conn, account, "ai_webhook", process_id=1, hostname="here", now=clock())
        for _ in range(3):
            accounts.cycle_done(
                conn, account, "ai_webhook", outcome="ConnectError", duration_ms=5, ok=False, now=clock()
            )


def test_without_quiet_hours_each_alert_comes_at_once_by_itself(make_worker, told, db, clock, at, escalate):
    at(2)
    worker = make_worker()
    a_draft(db, clock, 1)
    escalate(2, "refund")
    worker.run_once()
    assert sorted(one["kind"] for one in told()) == ["draft", "unanswered"]
