"""What waits for a person is one list: what is alerted is on the overview, and the other way round."""

from __future__ import annotations

from datetime import timedelta

import pytest

from src.db import accounts, conversations, inbox_queue
from src.db.waiting import UNTOUCHED, waiting
from src.errors import ExitCode
from src.model.gate import Refusal
from src.model.inbox import MessageKind
from src.model.statuses import InboxStatus, OutboxStatus
from src.services.alerts import find
from src.settings import Settings
from tests.services.test_alerts import a_reply
from tests.support.api import ACCOUNT, inbox, thread_id  # noqa: F401 (a fixture)

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

HOUR = 3600


@pytest.fixture
def look(db, clock):
    """The overview's words, and the alerts' kinds, at this moment."""

    def now():
        with db.read() as conn:
            listed = waiting(conn, ACCOUNT, clock())
            alerted = find(conn, Settings().accounts[0], clock())
        shown, told = {one.subject for one in listed}, {one.subject for one in alerted}
        assert shown == told, "somebody is told of what the overview does not show, or the other way round"
        return [one.what for one in listed], sorted({str(one.kind) for one in alerted})

    return now


@pytest.fixture(autouse=True)
def account(db, clock):
    with db.write() as conn:
        accounts.ensure(conn, ACCOUNT, clock())


def aside(db, inbox, message, refusal, number=1):
    """A guest's message that the gate has set aside."""
    conversation = inbox.conversation(thread_id(number), message)
    with db.write() as conn:
        ids = [stored.id for stored in conversations.messages_of(conn, conversation, 10)]
        conversations.set_skip_reason(conn, ids, str(refusal))


def test_what_the_ai_leaves_to_a_person_is_told_of_at_once(db, clock, inbox, look):
    request = inbox.waiting(thread_id(1), "My wallet was stolen")
    with db.write() as conn:
        inbox_queue.finish(conn, request.id, [InboxStatus.WAITING], InboxStatus.ESCALATED, "a theft", clock())
    assert look() == (["unanswered"], ["unanswered"])


def test_a_photo_is_told_of_too(db, clock, inbox, make_message, look):
    aside(db, inbox, make_message(None, kind=MessageKind.MEDIA), Refusal.MEDIA)
    assert look() == (["unreadable"], ["unreadable"])


@pytest.mark.parametrize(
    "refusal", [Refusal.NOT_THE_NEWEST, Refusal.CROSSED_OUR_REPLY, Refusal.CANNOT_BE_OPENED]
)
def test_a_text_that_was_set_aside_is_on_the_overview(db, clock, inbox, make_message, look, refusal):
    aside(db, inbox, make_message("Is there a cot?"), refusal)
    assert look() == (["unanswered"], ["unanswered"])


def test_a_message_that_was_too_old_is_shown_while_its_24_hours_run(db, clock, inbox, make_message, look):
    aside(db, inbox, make_message("Is there a cot?", sent_at=clock()), Refusal.TOO_OLD)
    clock.advance(23 * HOUR)
    assert look() == (["unanswered"], ["inquiry", "unanswered"])
    clock.advance(HOUR)
    assert look() == ([], [])


def test_a_request_that_still_waits_is_shown_when_its_24_hours_are_nearly_over(db, clock, inbox, look):
    booked = {"reservation_status": "ACCEPTED"}  # of a first message of an inquiry: test_urgent_alerts.py
    inbox.waiting(thread_id(1), "Is there a cot?", reply_in=24 * HOUR, stay=booked)
    clock.advance(19 * HOUR)
    assert look() == ([], [])
    clock.advance(2 * HOUR)
    assert look() == (["late"], ["inquiry"])


def test_a_reply_that_does_not_get_out_is_on_the_overview(db, clock, look):
    a_reply(db, clock)
    clock.advance(UNTOUCHED.total_seconds() + 1)
    assert look() == (["stuck"], ["stuck"])
    with db.write() as conn:
        accounts.pause(conn, ACCOUNT, clock())
    assert look() == ([], [])


def test_a_draft_is_on_both_lists(db, clock, look):
    a_reply(db, clock, status=OutboxStatus.DRAFT)
    assert look() == (["draft"], ["draft"])


def test_a_draft_that_nobody_touches_stays_shown_and_stops_nagging(db, clock):
    a_reply(db, clock, status=OutboxStatus.DRAFT)
    clock.advance(timedelta(days=3).total_seconds())
    with db.read() as conn:
        assert [one.what for one in waiting(conn, ACCOUNT, clock())] == ["draft"]
        assert find(conn, Settings().accounts[0], clock()) == []


def test_a_halt_is_on_neither_list_of_messages(db, clock):
    with db.write() as conn:
        accounts.halt(conn, ACCOUNT, "challenge", "x", ExitCode.HALTED_PERSON_NEEDED, None, clock())
    with db.read() as conn:
        assert waiting(conn, ACCOUNT, clock()) == []
        assert [str(one.kind) for one in find(conn, Settings().accounts[0], clock())] == ["halted"]
