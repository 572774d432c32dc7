"""Our own replies in what is seen: they prove their job, answer what they answer, and are nobody else's."""

import pytest

from src.db import outbox_queue
from src.model.gate import Refusal
from src.model.statuses import InboxStatus, OutboxStatus
from tests.faults.invariants import broken_promises
from tests.support.house import ACCOUNT
from tests.support.site import Acceptance

REPLY = "Yes, there is one in the wardrobe. Kind regards!"


def armed(house, where, job, owner="w"):
    """The job as it is in the moment before the press."""
    with house.db.write() as conn:
        outbox_queue.claim(conn, ACCOUNT, owner=owner, lease_until=house.clock.later(60), now=house.clock())
        newest = where.messages[-1].external_id if where.messages else None
        outbox_queue.arm(conn, job.id, owner, after_external_id=newest, now=house.clock())
    house.clock.advance(1)
    return job


def unconfirmed(house, where, job):
    armed(house, where, job)
    with house.db.write() as conn:
        outbox_queue.unconfirmed(conn, job.id, "no_proof", house.clock())
    return job


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("before", [armed, unconfirmed])
def test_a_reply_that_shows_up_proves_its_job(house, before, opened):
    where = house.site.conversation("Is there a cot?")
    job = before(house, where, house.reply_for(where, REPLY))
    ours = house.site.press(where, REPLY, None)
    intake = house.take_in(where, opened=opened)
    now = house.job(job)
    assert [settled.id for settled in intake.settled] == [job.id]
    assert (now.status, now.receipt_external_id, now.receipt_text) == (
        OutboxStatus.SENT,
        ours.external_id,
        None,
    )
    assert (now.reason, now.processed_at) == (None, house.clock())
    stored = house.messages(where)[ours.external_id]
    assert (stored.origin, stored.outbox_id) == ("assistant", job.id)
    assert house.take_in(where).settled == []


def test_our_own_reply_is_never_taken_for_the_hosts(house):
    where = house.site.conversation("Is there a cot?")
    armed(house, where, house.reply_for(where, REPLY))
    house.site.press(where, REPLY, None)
    intake = house.take_in(where)
    assert not intake.host_wrote
    assert house.stored(where).host_wrote_at is None
    house.site.guest_writes(where, "Thanks! And a high chair?")
    queued = house.take_in(where).queued
    assert queued.due_at == house.clock.later(15)
    carried = [m.text for m in house.messages(where).values() if m.request_id == queued.id]
    assert carried == ["Thanks! And a high chair?"]


def test_a_text_that_the_site_altered_is_kept_as_it_is_shown(house):
    where = house.site.conversation("Is there a cot?")
    job = armed(house, where, house.reply_for(where, "Call me on +44 7700 900123 when you arrive"))
    house.site.acceptance = Acceptance(change=lambda text: text.replace("+44 7700 900123", "(hidden)"))
    house.site.press(where, job.text, None)
    house.take_in(where)
    assert house.job(job).status is OutboxStatus.SENT
    assert house.job(job).receipt_text == "Call me on (hidden) when you arrive"


def test_the_same_text_from_before_proves_nothing(house):
    where = house.site.conversation("Hello")
    house.site.host_writes(where, REPLY)
    house.clock.advance(3600)
    house.site.guest_writes(where, "Is there still a cot?")
    job = armed(house, where, house.reply_for(where, REPLY))
    assert house.take_in(where).settled == []
    assert house.job(job).status is OutboxStatus.PROCESSING


def test_the_same_text_from_before_proves_nothing_though_it_is_seen_only_now(house):
    """Further back than anybody had read when Send was armed."""
    where = house.site.conversation()
    house.site.host_writes(where, REPLY)
    for number in range(3):
        house.site.guest_writes(where, f"Question {number}")
    house.site.stretch = 2
    job = armed(house, where, house.reply_for(where, REPLY))
    house.site.stretch = 50
    assert house.take_in(where).settled == []
    assert house.job(job).status is OutboxStatus.PROCESSING


def test_what_was_stored_before_the_arm_proves_nothing_though_the_site_forgot_what_came_after(house):
    where = house.site.conversation()
    house.site.host_writes(where, REPLY)
    newest = house.site.guest_writes(where, "Is there still a cot?")
    job = armed(house, where, house.reply_for(where, REPLY))
    where.messages.remove(newest)
    assert house.take_in(where).settled == []
    assert house.job(job).status is OutboxStatus.PROCESSING


@pytest.mark.parametrize("write", ["guest_writes", "cohost_writes"])
def test_the_same_text_by_somebody_else_proves_nothing(house, write):
    where = house.site.conversation("Is there a cot?")
    job = armed(house, where, house.reply_for(where, REPLY))
    getattr(house.site, write)(where, REPLY)
    assert house.take_in(where).settled == []
    assert house.job(job).status is OutboxStatus.PROCESSING


def test_a_reply_that_was_taken_back_at_once_proves_nothing(house):
    where = house.site.conversation("Is there a cot?")
    job = armed(house, where, house.reply_for(where, REPLY))
    house.site.unsend(house.site.press(where, REPLY, None))
    assert house.take_in(where).settled == []
    assert house.job(job).status is OutboxStatus.PROCESSING


def test_a_job_that_was_never_armed_is_not_proved_by_the_hosts_same_words(house):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where, REPLY)
    house.site.host_writes(where, REPLY)
    house.take_in(where)
    assert (house.job(job).status, house.job(job).reason) == (OutboxStatus.CANCELLED, "host_answered")


def test_one_message_proves_one_job(house):
    where = house.site.conversation("Is there a cot?")
    first = unconfirmed(house, where, house.answer_unasked(where.external_id, REPLY))
    second = unconfirmed(house, where, house.reply_for(where, REPLY))
    house.site.press(where, REPLY, None)
    house.take_in(where)
    assert [house.job(job).status for job in (first, second)] == [OutboxStatus.SENT, OutboxStatus.UNCONFIRMED]
    house.site.press(where, REPLY, None)
    house.take_in(where)
    assert [house.job(job).status for job in (first, second)] == [OutboxStatus.SENT, OutboxStatus.SENT]


def test_a_reply_that_a_person_sends_again_is_cancelled_when_the_first_shows_up(house):
    where = house.site.conversation("Is there a cot?")
    first = unconfirmed(house, where, house.reply_for(where, REPLY))
    with house.db.write() as conn:
        again, _ = outbox_queue.enqueue(
            conn,
            ACCOUNT,
            first.conversation_id,
            REPLY,
            request_id=first.request_id,
            idempotency_key=f"again:{first.id}",
            replaces_id=first.id,
            now=house.clock(),
        )
    house.site.press(where, REPLY, None)
    house.take_in(where)
    assert house.job(first).status is OutboxStatus.SENT
    assert (house.job(again).status, house.job(again).reason) == (OutboxStatus.CANCELLED, "already_answered")


# --- crossing --------------------------------------------------------------------------------------------------


def test_a_message_that_our_reply_crossed_waits_for_a_person(house):
    where = house.site.conversation("Is there a cot?")
    armed(house, where, house.reply_for(where, REPLY))
    crossing = house.site.guest_writes(where, "And a high chair?")
    house.site.press(where, REPLY, None)
    intake = house.take_in(where)
    assert intake.escalated is Refusal.CROSSED_OUR_REPLY
    stored = house.messages(where)[crossing.external_id]
    assert stored.skip_reason == Refusal.CROSSED_OUR_REPLY
    request = house.request(stored.request_id)
    assert (request.status, request.reason) == (InboxStatus.ESCALATED, Refusal.CROSSED_OUR_REPLY)
    assert house.take_in(where).escalated is None


def test_a_message_that_our_reply_crossed_goes_along_with_the_next_one(house):
    where = house.site.conversation("Is there a cot?")
    armed(house, where, house.reply_for(where, REPLY))
    house.site.guest_writes(where, "And a high chair?")
    house.site.press(where, REPLY, None)
    house.take_in(where)
    house.site.guest_writes(where, "Hello?")
    queued = house.take_in(where).queued
    carried = [m.text for m in house.messages(where).values() if m.request_id == queued.id]
    assert carried == ["And a high chair?", "Hello?"]


def test_crossing_and_next_message_seen_at_once_are_asked_about_together(house):
    where = house.site.conversation("Is there a cot?")
    armed(house, where, house.reply_for(where, REPLY))
    shown = house.site.look(where)
    house.site.guest_writes(where, "And a high chair?")
    house.site.press(where, REPLY, shown)
    house.site.guest_writes(where, "Hello?")
    queued = house.take_in(where).queued
    carried = [m.text for m in house.messages(where).values() if m.request_id == queued.id]
    assert carried == ["And a high chair?", "Hello?"]
    assert broken_promises(house, settled=False) == []


# --- a reply that nobody asked for -----------------------------------------------------------------------------


def test_a_reply_without_a_request_answers_what_is_there(house):
    where = house.site.conversation("Is there a cot?")
    job = armed(house, where, house.answer_unasked(where.external_id, REPLY))
    house.site.press(where, REPLY, None)
    intake = house.take_in(where)
    assert [settled.id for settled in intake.settled] == [job.id]
    assert intake.queued is None
    (question, _) = house.messages(where).values()
    assert question.skip_reason == Refusal.HOST_ANSWERED


def test_a_request_for_what_a_reply_without_a_request_has_answered_is_cancelled(house):
    where = house.site.conversation("Is there a cot?")
    asked = house.take_in(where).queued
    with house.db.write() as conn:
        job, _ = outbox_queue.enqueue(
            conn,
            ACCOUNT,
            asked.conversation_id,
            REPLY,
            request_id=None,
            idempotency_key="unasked",
            now=house.clock(),
        )
    armed(house, where, job)
    house.site.press(where, REPLY, None)
    house.take_in(where)
    assert (house.request(asked).status, house.request(asked).reason) == (
        InboxStatus.CANCELLED,
        "already_answered",
    )


@pytest.mark.parametrize(
    ("what", "reason"),
    [("host_writes", "host_answered"), ("cohost_writes", "host_answered"), ("card", "not_answerable")],
)
def test_a_reply_without_a_request_is_not_sent_under_what_no_reply_belongs_to(house, what, reason):
    where = house.site.conversation("Is there a cot?")
    job = house.answer_unasked(where.external_id, REPLY)
    arguments = ("It is in the wardrobe",) if "writes" in what else ()
    getattr(house.site, what)(where, *arguments)
    house.take_in(where)
    assert (house.job(job).status, house.job(job).reason) == (OutboxStatus.CANCELLED, reason)


def test_a_reply_without_a_request_into_an_empty_conversation_is_cancelled(house):
    where = house.site.conversation()
    job = house.answer_unasked(where.external_id, REPLY)
    house.take_in(where)
    assert (house.job(job).status, house.job(job).reason) == (OutboxStatus.CANCELLED, "not_answerable")
