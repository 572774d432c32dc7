"""What cannot wait: danger and closed doors, inquiries half way through their day, a budget that is used up."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from src.db import inbox_queue, runs
from src.db.waiting import waiting
from src.model.statuses import InboxStatus
from tests.services.test_alerts import HOUR, hook, in_short, make_worker, receiver, told, worker  # noqa: F401
from tests.support.api import ACCOUNT, inbox, thread_id  # noqa: F401

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
INQUIRY = {"reservation_status": "INQUIRY"}
BOOKED = {"reservation_status": "ACCEPTED"}


@pytest.fixture
def escalate(db, clock, inbox):
    def escalate(number=1, hard_class=None, text="Is there a crane?", stay=INQUIRY):
        request = inbox.waiting(thread_id(number), text, reply_in=24 * HOUR, stay=stay)
        with db.write() as conn:
            why = hard_class or "missing_fact"
            inbox_queue.finish(
                conn,
                request.id,
                [InboxStatus.WAITING],
                InboxStatus.ESCALATED,
                why,
                clock(),
                hard_class=hard_class,
            )
        return request

    return escalate


@pytest.fixture
def note_run(db, clock):
    def note(reason, account=ACCOUNT):
        with db.write() as conn:
            run = runs.begin(conn, account, kind="live", request_id=None, conversation_id=None, now=clock())
            runs.finish(conn, run.id, {"state": "done", "reason": reason})

    return note


@pytest.mark.parametrize("hard_class", ["safety", "medical", "access"])
def test_danger_an_injury_and_a_closed_door_are_told_of_as_urgent(worker, told, escalate, hard_class):
    escalate(hard_class=hard_class)
    worker.run_once()
    (one,) = told()
    assert (one["kind"], one["urgent"], one["count"]) == ("urgent", True, 1)
    assert one["title"] == "Urgent: 1 guest needs you now"


@pytest.mark.parametrize("hard_class", ["refund", "complaint", None])
def test_what_can_wait_for_the_morning_is_not_urgent(worker, told, escalate, hard_class):
    escalate(hard_class=hard_class)
    worker.run_once()
    (one,) = told()
    assert (one["kind"], one["urgent"]) == ("unanswered", False)


def test_an_inquiry_is_told_of_after_12_hours_and_as_urgent_after_20(worker, told, clock, escalate):
    escalate()
    worker.run_once()
    assert in_short(told()) == [("alert", "unanswered", 1)]
    clock.advance(12 * HOUR - 60)
    worker.run_once()
    assert "inquiry_waits" not in [one["kind"] for one in told()]
    clock.advance(120)
    worker.run_once()
    (half,) = [one for one in told() if one["kind"] == "inquiry_waits"]
    assert (half["event"], half["urgent"]) == ("alert", False)
    assert half["title"] == "1 new inquiry has waited for 12 hours"
    clock.advance(8 * HOUR)
    worker.run_once()
    (late,) = [one for one in told() if one["kind"] in {"inquiry", "inquiry_waits"}]
    assert (late["event"], late["kind"], late["urgent"]) == ("alert", "inquiry", True)


def test_an_inquiry_that_the_ai_still_has_in_hand_is_on_the_list_after_12_hours(db, clock, inbox):
    inbox.waiting(thread_id(1), "Is there a crane?", reply_in=24 * HOUR, stay=INQUIRY)
    inbox.waiting(thread_id(2), "Is there a tower?", reply_in=24 * HOUR, stay=BOOKED)
    clock.advance(13 * HOUR)
    with db.read() as conn:
        (one,) = waiting(conn, ACCOUNT, clock())
    assert (one.what, one.asked, one.opens_inquiry) == ("late", "Is there a crane?", True)


def test_a_guest_who_has_booked_is_not_told_of_after_12_hours(worker, told, clock, escalate):
    escalate(stay=BOOKED)
    clock.advance(13 * HOUR)
    worker.run_once()
    assert [one["kind"] for one in told()] == ["unanswered"]


def test_a_budget_that_is_used_up_is_told_of_once_a_day(worker, told, clock, note_run):
    clock.advance(HOUR)
    for _ in range(3):
        note_run("over_budget")
        worker.run_once()
        clock.advance(HOUR / 2)
    note_run("low_confidence")
    (one,) = told()
    assert (one["kind"], one["urgent"]) == ("over_budget", False)
    clock.advance(7 * HOUR)
    worker.run_once()
    assert told() == [], "nobody is reminded of it"
    clock.advance(24 * HOUR)
    note_run("over_budget")
    worker.run_once()
    assert in_short(told()) == [("alert", "over_budget", 1)]


def test_of_several_accounts_one_tells_of_the_budget(worker, told, db, clock, note_run):
    note_run("over_budget", account="second")
    clock.advance(60)
    note_run("over_budget")
    worker.run_once()
    assert told() == []
