"""What happens in a conversation while an answer is on its way: nothing over a person, nothing stale.

Each event is tried at each stage: the request waits, the AI thinks, the answer waits in the outbox or as a draft.
"""

import threading

import pytest

from src.db import inbox_queue, outbox_queue
from src.errors import StaleJob, TransientError
from src.model.gate import Refusal
from src.model.inbox import AuthorRole
from src.model.statuses import CancelReason, InboxStatus, OutboxStatus
from src.services.intake import take_in_now, taking
from tests.faults.invariants import broken_promises
from tests.support.house import ACCOUNT
from tests.support.site import FakeSite

STAGES = ["pending", "waiting", "answered", "draft"]
REASONS = CancelReason


@pytest.fixture(params=STAGES)
def stage(request, house):
    """A guest's question, brought as far as the stage: (conversation, request, job or None)."""
    where = house.site.conversation("Hello", "Is there a cot?")
    if request.param == "pending":
        return where, house.take_in(where).queued, None
    asked = house.request_for(where)
    if request.param == "waiting":
        return where, asked, None
    return where, asked, house.answer(asked, mode="draft" if request.param == "draft" else "auto").job


def cancelled_with(house, asked, job):
    """The reason why the request, or the reply that it led to, is cancelled."""
    now = house.job(job) if job is not None else house.request(asked)
    assert now.status in (OutboxStatus.CANCELLED, InboxStatus.CANCELLED)
    assert now.processed_at == house.clock()
    return now.reason


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("write", [FakeSite.host_writes, FakeSite.cohost_writes])
def test_an_answer_of_the_hosts_side_cancels_ours(house, stage, write, opened):
    where, asked, job = stage
    write(house.site, where, "It is in the wardrobe")
    intake = house.take_in(where, opened=opened)
    assert cancelled_with(house, asked, job) == REASONS.HOST_ANSWERED
    assert intake.host_wrote
    assert (intake.queued, house.open_request(where)) == (None, None)
    house.take_in(where)
    assert broken_promises(house) == []


def test_a_photo_of_the_host_cancels_ours_too(house, stage):
    where, asked, job = stage
    house.site.photo(where, AuthorRole.HOST)
    house.take_in(where)
    assert cancelled_with(house, asked, job) == REASONS.HOST_ANSWERED


def test_what_the_host_took_back_again_cancels_nothing_but_waits_for_a_person(house, stage):
    where, asked, job = stage
    house.site.unsend(house.site.host_writes(where, "It is in the"))
    house.take_in(where)
    if job is None:
        now = house.request(asked)
        assert (now.status, now.reason) == (InboxStatus.ESCALATED, Refusal.NOT_THE_NEWEST)
    else:
        assert cancelled_with(house, asked, job) == REASONS.NOT_THE_NEWEST


def test_when_the_guest_writes_again_the_ai_is_asked_with_everything(house, stage):
    where, asked, job = stage
    house.site.guest_writes(where, "And a high chair?")
    intake = house.take_in(where)
    if asked.status is InboxStatus.PENDING:
        assert (intake.queued.id, intake.extended) == (asked.id, True)
    else:
        assert cancelled_with(house, asked, job) == REASONS.GUEST_WROTE_AGAIN
        assert intake.queued.id != asked.id
    assert set(house.messages(where)) == {
        m.external_id for m in house.messages(where).values() if m.request_id == intake.queued.id
    }
    assert broken_promises(house) == []


@pytest.mark.parametrize("which", [0, 1])
def test_when_the_guest_changes_a_message_the_ai_is_asked_anew(house, stage, which):
    where, asked, job = stage
    house.site.edit(where.messages[which], "Is there a cot, and a crib?")
    intake = house.take_in(where)
    assert cancelled_with(house, asked, job) == REASONS.GUEST_CHANGED_MESSAGE
    assert intake.queued.id != asked.id
    assert "Is there a cot, and a crib?" in [m.text for m in house.messages(where).values()]
    house.take_in(where)
    assert house.open_request(where).id == intake.queued.id
    assert broken_promises(house) == []


def test_a_change_that_only_the_list_shows_cancels_at_once_and_asks_when_opened(house, stage):
    where, asked, job = stage
    house.site.edit(where.messages[-1], "Is there a crib?")
    assert house.take_in(where, opened=False).queued is None
    assert cancelled_with(house, asked, job) == REASONS.GUEST_CHANGED_MESSAGE
    assert house.take_in(where).queued is not None


def test_when_the_guest_takes_back_the_newest_message_the_rest_waits_for_a_person(house, stage):
    where, asked, job = stage
    house.site.unsend(where.messages[-1])
    intake = house.take_in(where)
    assert cancelled_with(house, asked, job) == REASONS.GUEST_UNSENT_MESSAGE
    assert (intake.queued, intake.escalated) == (None, Refusal.NOT_THE_NEWEST)
    first, last = house.messages(where).values()
    assert (first.skip_reason, last.text) == (Refusal.NOT_THE_NEWEST, "Is there a cot?")
    assert last.deleted_at == house.clock()
    assert broken_promises(house) == []


def test_when_the_guest_takes_back_an_older_message_the_ai_is_asked_with_the_rest(house, stage):
    where, asked, job = stage
    house.site.unsend(where.messages[0])
    intake = house.take_in(where)
    assert cancelled_with(house, asked, job) == REASONS.GUEST_UNSENT_MESSAGE
    carried = [m.text for m in house.messages(where).values() if m.request_id == intake.queued.id]
    assert carried == ["Is there a cot?"]
    assert broken_promises(house) == []


def test_when_the_guest_takes_back_everything_nothing_is_left_to_answer(house, stage):
    where, asked, job = stage
    for message in where.messages:
        house.site.unsend(message)
    intake = house.take_in(where)
    assert cancelled_with(house, asked, job) == REASONS.GUEST_UNSENT_MESSAGE
    assert (intake.queued, intake.escalated) == (None, None)


def test_a_message_that_is_simply_gone_counts_as_taken_back(house, stage):
    where, asked, job = stage
    where.messages.pop()
    intake = house.take_in(where)
    assert cancelled_with(house, asked, job) == REASONS.GUEST_UNSENT_MESSAGE
    assert intake.queued is not None


@pytest.mark.parametrize("newest", [FakeSite.card, FakeSite.photo, FakeSite.bulletin])
def test_a_card_photo_or_bulletin_after_the_question_leaves_it_to_a_person(house, stage, newest):
    where, asked, job = stage
    newest(house.site, where)
    intake = house.take_in(where)
    if job is not None:
        assert cancelled_with(house, asked, job) == REASONS.NOT_THE_NEWEST
    else:
        now = house.request(asked)
        assert (now.status, now.reason) == (InboxStatus.ESCALATED, Refusal.NOT_THE_NEWEST)
        assert intake.escalated is Refusal.NOT_THE_NEWEST
    assert house.open_request(where) is None
    assert house.take_in(where).escalated is None
    assert broken_promises(house) == []


def test_a_conversation_that_is_not_ours_to_answer_any_more_cancels_everything(house, stage):
    where, asked, job = stage
    where.is_hosting = False
    house.take_in(where)
    assert cancelled_with(house, asked, job) == REASONS.NOT_ANSWERABLE


def test_a_reply_whose_time_is_over_is_cancelled(house, clock):
    where = house.site.conversation("Is there a cot?")
    job = house.reply_for(where)
    clock.advance(24 * 3600)
    house.take_in(where)
    assert (house.job(job).status, house.job(job).reason) == (OutboxStatus.CANCELLED, REASONS.EXPIRED)


def test_a_second_reply_to_the_same_message_is_cancelled_when_the_first_is_there(house):
    where = house.site.conversation("Is there a cot?")
    unasked = house.answer_unasked(where.external_id, "Yes, and it is a good one.")
    job = house.reply_for(where)
    with house.db.write() as conn:
        outbox_queue.claim(conn, ACCOUNT, owner="w", lease_until=house.clock.later(9), now=house.clock())
        outbox_queue.arm(
            conn, unasked.id, "w", after_external_id=where.messages[0].external_id, now=house.clock()
        )
    house.site.press(where, unasked.text, None)
    intake = house.take_in(where)
    assert [j.id for j in intake.settled] == [unasked.id]
    assert (house.job(job).status, house.job(job).reason) == (
        OutboxStatus.CANCELLED,
        REASONS.ALREADY_ANSWERED,
    )


def test_every_reason_of_these_rules_is_met_here():
    others = {REASONS.REJECTED, REASONS.CANCELLED_BY_PERSON, REASONS.FORGOTTEN, REASONS.GUEST_WROTE_FIRST}
    assert set(CancelReason) - others == {
        REASONS.HOST_ANSWERED,
        REASONS.GUEST_WROTE_AGAIN,
        REASONS.GUEST_CHANGED_MESSAGE,
        REASONS.GUEST_UNSENT_MESSAGE,
        REASONS.NOT_THE_NEWEST,
        REASONS.NOT_ANSWERABLE,
        REASONS.ALREADY_ANSWERED,
        REASONS.EXPIRED,
    }


# --- another process moves a row in the same instant -----------------------------------------------------------


def test_a_row_that_another_process_moves_in_this_instant_is_looked_at_again(house, db, clock, monkeypatch):
    where = house.site.conversation("Is there a cot?")
    asked = house.request_for(where)
    house.site.guest_writes(where, "And a high chair?")
    really = inbox_queue.open_request
    stale = [StaleJob(), StaleJob()]

    def open_request(conn, conversation_id):
        if stale:
            raise stale.pop()
        return really(conn, conversation_id)

    monkeypatch.setattr(inbox_queue, "open_request", open_request)
    intake = take_in_now(db, ACCOUNT, house.site.look(where), rules=house.rules, now=clock())
    assert intake.queued is not None
    assert house.request(asked).status is InboxStatus.CANCELLED


def test_a_row_that_moves_again_and_again_is_left_for_later(house, db, clock, monkeypatch):
    where = house.site.conversation("Is there a cot?")

    def always_stale(*_arguments, **_fields):
        raise StaleJob

    monkeypatch.setattr(taking, "take_in", always_stale)
    with pytest.raises(TransientError):
        take_in_now(db, ACCOUNT, house.site.look(where), rules=house.rules, now=clock())


def test_the_ais_answer_may_come_in_the_instant_in_which_the_host_answers(house, db, clock, monkeypatch):
    """On PostgreSQL both transactions run at once; on SQLite the answer waits and comes too late."""
    where = house.site.conversation("Is there a cot?")
    asked = house.request_for(where)
    house.site.host_writes(where, "It is in the wardrobe")
    really = inbox_queue.open_request
    begun: list[threading.Thread] = []

    def open_request(conn, conversation_id):
        found = really(conn, conversation_id)
        if not begun and threading.current_thread() is threading.main_thread():
            begun.append(threading.Thread(target=answer))
            begun[0].start()
            if db.dialect == "postgresql":
                begun[0].join()
        return found

    def answer():
        try:
            house.answer(asked)
        except Exception as error:  # noqa: BLE001 - which one it is decides the test
            refused.append(error)

    refused: list[Exception] = []
    monkeypatch.setattr(inbox_queue, "open_request", open_request)
    take_in_now(db, ACCOUNT, house.site.look(where), rules=house.rules, now=clock())
    begun[0].join()
    assert [job.reason for job in house.jobs()] == (
        [REASONS.HOST_ANSWERED] if db.dialect == "postgresql" else []
    )
    assert [getattr(error, "reason", error) for error in refused] == (
        [] if db.dialect == "postgresql" else [REASONS.HOST_ANSWERED]
    )
