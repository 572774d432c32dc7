"""A holding text travels as a reply of its own, answers nothing, and stands in nobody's way."""

from __future__ import annotations

import pytest

from src.db import inbox_queue, outbox_queue
from src.db.waiting import waiting
from src.model.answer import Action, Answer
from src.model.rows import Request
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.model.values import ReplyMode
from src.services.answers import take_answer
from src.settings import Settings
from tests.support.house import ACCOUNT

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HOLDING = "We have your message; a person reads it and will answer."
ANSWER = "There is a blender in the lower cupboard, left of the sink."


@pytest.fixture
def where(house):
    return house.site.conversation("Is there a blender?")


def escalate(house, where, **given):
    request: Request = house.request_for(where)
    said = {"reason": "missing_fact", "hard_class": "missing_fact", "holding_message": HOLDING, **given}
    outcome = take_answer(
        house.db,
        house.wakeup,
        Answer(where.external_id, request.id, action=Action.ESCALATE, **said),
        accounts=Settings().accounts_by_name,
        now=house.clock(),
        is_conversation_id=lambda *_: True,
    )
    return request, outcome


def enqueue_answer(house, request):
    """As a person's line on a missing fact does it."""
    with house.db.write() as conn:
        job, _ = outbox_queue.enqueue(
            conn,
            ACCOUNT,
            request.conversation_id,
            ANSWER,
            request_id=request.id,
            idempotency_key="the answer",
            approved=True,
            now=house.clock(),
        )
    return job


async def test_an_escalation_sends_its_holding_text_and_stays_escalated(house, where):
    request, outcome = escalate(house, where)
    assert outcome.job.is_holding
    assert await house.sent() == 1
    assert where.texts == ["Is there a blender?", HOLDING]
    now = house.request(request)
    assert (now.status, now.reason, now.hard_class) == (InboxStatus.ESCALATED, "missing_fact", "missing_fact")


async def test_the_answer_can_still_follow_a_holding_text(house, where):
    request, _ = escalate(house, where)
    await house.sent()
    house.clock.advance(600)
    job = enqueue_answer(house, request)
    assert await house.sent() == 1
    assert house.job(job).status is OutboxStatus.SENT
    assert where.texts == ["Is there a blender?", HOLDING, ANSWER]


async def test_a_holding_text_is_not_taken_for_an_answer_nor_asked_about_again(house, where):
    await house.sent()
    escalate(house, where)
    await house.sent()
    intake = house.take_in(where)
    assert intake.queued is None
    assert not intake.host_wrote
    assert house.open_request(where) is None


async def test_a_guest_who_writes_after_a_holding_text_is_asked_about_with_it_in_the_history(house, where):
    escalate(house, where)
    await house.sent()
    house.clock.advance(60)
    house.site.guest_writes(where, "And a toaster?")
    queued = house.take_in(where).queued
    assert queued is not None
    carried = [m.text for m in house.messages(where).values() if m.request_id == queued.id]
    assert carried == ["And a toaster?"]


async def test_a_holding_text_that_the_host_overtook_is_not_sent(house, where):
    _, outcome = escalate(house, where)
    house.site.host_writes(where, "Yes, in the cupboard.")
    await house.sent()
    now = house.job(outcome.job)
    assert (now.status, now.reason) == (OutboxStatus.CANCELLED, CancelReason.HOST_ANSWERED)
    assert HOLDING not in where.texts


async def test_a_holding_text_that_the_guest_overtook_is_not_sent(house, where):
    _, outcome = escalate(house, where)
    house.site.guest_writes(where, "Never mind.")
    await house.sent()
    assert house.job(outcome.job).reason == CancelReason.GUEST_WROTE_AGAIN
    assert HOLDING not in where.texts


def test_in_draft_mode_the_holding_text_waits_for_the_host(house, where):
    house.set_mode(ReplyMode.DRAFT)
    _, outcome = escalate(house, where)
    assert (outcome.job.status, outcome.job.reason) == (OutboxStatus.DRAFT, "approval_required")


def test_in_mode_off_an_escalation_sends_nothing(house, where):
    request = house.request_for(where)
    house.set_mode(ReplyMode.OFF)
    take_answer(
        house.db,
        house.wakeup,
        Answer(where.external_id, request.id, action=Action.ESCALATE, holding_message=HOLDING),
        accounts=Settings().accounts_by_name,
        now=house.clock(),
        is_conversation_id=lambda *_: True,
    )
    assert house.jobs() == []
    assert house.request(request).status is InboxStatus.ESCALATED


def test_an_escalation_that_is_repeated_has_one_holding_text(house, where):
    request, first = escalate(house, where)
    again = take_answer(
        house.db,
        house.wakeup,
        Answer(where.external_id, request.id, action=Action.ESCALATE, holding_message=HOLDING),
        accounts=Settings().accounts_by_name,
        now=house.clock(),
        is_conversation_id=lambda *_: True,
    )
    assert again.job.id == first.job.id
    assert len(house.jobs()) == 1


def test_the_draft_of_an_escalation_waits_for_the_host_beside_the_holding_text(house, where):
    request, _ = escalate(house, where, draft="There is a kettle.")
    kinds = {(job.kind, job.status, job.reason) for job in house.jobs()}
    assert kinds == {
        ("holding", OutboxStatus.PENDING, None),
        ("answer", OutboxStatus.DRAFT, "with_an_escalation"),
    }
    assert all(job.request_id == request.id for job in house.jobs())


def test_what_a_dead_process_held_in_hand_is_taken_back(house, where):
    house.take_in(where)
    house.take_in(house.site.conversation("Is there a cot?"))
    house.clock.advance(60)
    with house.db.write() as conn:
        claimed = [
            inbox_queue.claim_due(
                conn, ACCOUNT, owner=owner, lease_until=house.clock.later(180), now=house.clock(), limit=1
            )[0]
            for owner in ("dead", "alive")
        ]
        assert inbox_queue.owners_at_work(conn, ACCOUNT) == {"dead", "alive"}
        (back,) = inbox_queue.take_back(conn, ACCOUNT, ["dead"], house.clock())
        assert inbox_queue.take_back(conn, ACCOUNT, ["dead"], house.clock()) == []
    assert (back.id, back.status) == (claimed[0].id, InboxStatus.PENDING)
    assert house.request(claimed[1]).status is InboxStatus.PROCESSING


async def test_what_a_holding_text_was_sent_for_still_waits_for_a_person(house, where):
    escalate(house, where)
    await house.sent()
    house.take_in(where)
    with house.db.read() as conn:
        (one,) = waiting(conn, ACCOUNT, house.clock())
        assert (one.what, one.reason, one.first) == ("unanswered", "missing_fact", True)
        house.clock.advance(21 * 3600)
        (one,) = waiting(conn, ACCOUNT, house.clock())
        assert one.nearly_over(house.clock())
    house.site.host_writes(where, "Yes, in the cupboard.")
    house.take_in(where)
    with house.db.read() as conn:
        assert waiting(conn, ACCOUNT, house.clock()) == []


def hand_in(house, where, **said):
    request = house.request_for(where)
    return take_answer(
        house.db,
        house.wakeup,
        Answer(where.external_id, request.id, message=ANSWER, holding_message=HOLDING, **said),
        accounts=house.settings.accounts_by_name,
        now=house.clock(),
        is_conversation_id=lambda *_: True,
    )


async def test_an_answer_that_the_ai_holds_may_bring_a_holding_text(house, where):
    hand_in(house, where, hold="contradiction")
    kinds = {(job.kind, job.status, job.reason) for job in house.jobs()}
    assert kinds == {
        ("answer", OutboxStatus.DRAFT, "contradiction"),
        ("holding", OutboxStatus.PENDING, None),
    }
    assert await house.sent() == 1
    assert where.texts == ["Is there a blender?", HOLDING]


async def test_an_answer_that_goes_out_brings_no_second_bubble(house, where):
    hand_in(house, where)
    assert [job.kind for job in house.jobs()] == ["answer"]
