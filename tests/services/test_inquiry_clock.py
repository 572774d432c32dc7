"""The first message of an inquiry gets the holding text before its 24 hours are over, if nobody has answered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from src.account import Account, AccountSettings
from src.assistant.host_texts import HostTexts
from src.assistant_settings import AssistantSettings
from src.db import conversations, inbox_queue, outbox_queue
from src.model.answer import Action, Answer
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.model.values import ReplyMode
from src.services.answers import take_answer
from src.services.inquiry_clock import Hours, hold_inquiries
from src.settings import Settings
from src.workers.parts import make_inquiry_clock
from tests.support.house import ACCOUNT

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HOUR = 3600
HOURS = Hours(inquiry=timedelta(hours=22), language=timedelta(hours=12))
INQUIRY = {"reservation_status": "INQUIRY"}
QUESTION = "Gibt es in der Wohnung einen Kran, den wir benutzen können?"


@pytest.fixture
def where(house):
    made = house.site.conversation(QUESTION)
    made.stay = dict(INQUIRY)
    return made


@pytest.fixture
def texts(tmp_path):
    settings = AssistantSettings(
        assistant_agents_dir=tmp_path / "agents", assistant_knowledge_dir=tmp_path / "knowledge"
    )
    return HostTexts(settings)


@pytest.fixture
def hold(house, texts, tmp_path):
    """A look of the clock at this moment; says how many texts it enqueued."""

    def hold(mode="auto"):
        account = Account(ACCOUNT, "airbnb", tmp_path, AccountSettings(reply_mode=mode), ai="assistant")
        return hold_inquiries(house.db, house.wakeup, account, texts, hours=HOURS, now=house.clock())

    return hold


def escalate(house, where, mode="auto", **said):
    request = house.request_for(where)
    given = {"reason": "missing_fact", "hard_class": "missing_fact", **said}
    take_answer(
        house.db,
        house.wakeup,
        Answer(where.external_id, request.id, action=Action.ESCALATE, **given),
        accounts=Settings(reply_mode=mode).accounts_by_name,
        now=house.clock(),
        is_conversation_id=lambda *_: True,
    )
    return request


def draft(house, where, hold):
    request = house.request_for(where)
    take_answer(
        house.db,
        house.wakeup,
        Answer(where.external_id, request.id, message="A crane stands in the yard.", hold=hold),
        accounts=house.settings.accounts_by_name,
        now=house.clock(),
        is_conversation_id=lambda *_: True,
    )
    return request


async def test_an_inquiry_that_nobody_answered_gets_the_holding_text_after_22_hours(house, where, hold):
    escalate(house, where)
    house.clock.advance(21 * HOUR)
    assert hold() == 0
    house.clock.advance(HOUR)
    assert hold() == 1
    assert await house.sent() == 1
    assert where.texts[0] == QUESTION
    assert "Nachricht" in where.texts[1], "in the guest's language"
    assert house.request(house.jobs()[0].request_id).status is InboxStatus.ESCALATED


async def test_no_inquiry_gets_a_second_holding_text(house, where, hold):
    escalate(house, where)
    house.clock.advance(22 * HOUR)
    assert [hold(), hold()] == [1, 0]
    await house.sent()
    house.clock.advance(HOUR)
    assert hold() == 0
    assert len(house.jobs()) == 1


async def test_an_inquiry_that_got_its_holding_text_at_once_gets_none_by_the_clock(house, where, hold):
    escalate(house, where, holding_message="We have your message.")
    await house.sent()
    house.clock.advance(22 * HOUR + 60)
    assert hold() == 0


@pytest.mark.parametrize("mode", ["draft", "off"])
def test_in_every_other_mode_the_clock_only_alerts(house, where, hold, mode):
    escalate(house, where)
    house.clock.advance(22 * HOUR)
    assert hold(mode) == 0
    house.set_mode(ReplyMode(mode))
    assert hold() == 0


def test_an_inquiry_that_was_seen_to_gets_no_holding_text(house, where, hold):
    escalate(house, where)
    with house.db.write() as conn:
        conversations.mark_seen_to(conn, house.stored(where).id, None, house.clock())
    house.clock.advance(22 * HOUR)
    assert hold() == 0


def test_a_draft_that_was_seen_to_gets_no_holding_text(house, where, hold):
    draft(house, where, "number_not_in_facts")
    with house.db.write() as conn:
        conversations.mark_seen_to(conn, house.stored(where).id, None, house.clock())
    house.clock.advance(22 * HOUR)
    assert hold() == 0


def test_an_inquiry_that_the_host_answered_gets_no_holding_text(house, where, hold):
    escalate(house, where)
    house.site.host_writes(where, "There is one.")
    house.take_in(where)
    house.clock.advance(22 * HOUR)
    assert hold() == 0


async def test_a_holding_text_of_the_clock_is_not_sent_over_a_person(house, where, hold):
    escalate(house, where)
    house.clock.advance(22 * HOUR)
    assert hold() == 1
    house.site.host_writes(where, "There is one.")
    await house.sent()
    (job,) = house.jobs()
    assert (job.status, job.reason) == (OutboxStatus.CANCELLED, CancelReason.HOST_ANSWERED)
    assert len(where.texts) == 2


def test_a_guest_who_has_booked_gets_no_holding_text_by_the_clock(house, where, hold):
    where.stay = {"reservation_status": "ACCEPTED"}
    escalate(house, where)
    house.clock.advance(22 * HOUR)
    assert hold() == 0


def test_a_later_message_of_an_inquiry_gets_none(house, where, hold):
    house.site.host_writes(where, "Welcome! Ask me anything.")
    house.clock.advance(HOUR)
    house.site.guest_writes(where, "Is there a crane?")
    escalate(house, where)
    house.clock.advance(22 * HOUR)
    assert hold() == 0


def test_while_the_ai_still_has_it_nothing_is_said(house, where, hold):
    house.request_for(where)
    house.clock.advance(22 * HOUR)
    assert hold() == 0


def test_after_24_hours_it_is_too_late_for_a_holding_text(house, where, hold):
    escalate(house, where)
    house.clock.advance(25 * HOUR)
    assert hold() == 0


async def test_a_held_draft_of_an_inquiry_can_still_be_approved_after_its_holding_text(house, where, hold):
    request = draft(house, where, "number_not_in_facts")
    house.clock.advance(22 * HOUR)
    assert hold() == 1
    await house.sent()
    (waits,) = [job for job in house.jobs() if not job.is_holding]
    with house.db.write() as conn:
        outbox_queue.approve(conn, waits.id, None, house.clock())
    assert await house.sent() == 1
    assert house.job(waits).status is OutboxStatus.SENT
    with house.db.read() as conn:
        assert inbox_queue.get(conn, request.id).status is InboxStatus.ANSWERED


def test_a_draft_held_for_its_language_gets_the_holding_text_after_12_hours(house, where, hold):
    where.stay = {"reservation_status": "ACCEPTED"}
    draft(house, where, "language")
    house.clock.advance(11 * HOUR)
    assert hold() == 0
    house.clock.advance(HOUR)
    assert [hold(), hold()] == [1, 0]


def test_only_accounts_of_the_built_in_assistant_have_the_clock(house, where):
    own = Settings(ai_webhook_url="http://127.0.0.1:9/hook")
    assert make_inquiry_clock(own.accounts, own.assistant, house.db, house.wakeup) is None
    escalate(house, where)
    house.clock.advance(22 * HOUR)
    local = AssistantSettings(assistant_base_url="http://127.0.0.1:9/v1", assistant_model="m")
    built_in = Settings(assistant=local, reply_mode="auto")
    look = make_inquiry_clock(
        built_in.accounts, built_in.assistant, house.db, house.wakeup, clock=house.clock
    )
    assert look is not None
    look()
    (job,) = house.jobs()
    assert job.is_holding
