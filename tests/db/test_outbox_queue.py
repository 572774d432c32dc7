# ruff: noqa: ARG005 - the moves of one status are called alike, whatever each of them needs
"""The queue of replies: every move that is allowed, every one that is not, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from src.db import conversations, outbox_queue, outbox_views
from src.db.engine import Connection, Database
from src.db.statements import OUTBOX
from src.errors import StaleJob
from src.model.rows import Job
from src.model.sending import Delivery, Receipt
from src.model.statuses import FINAL_OUTBOX, OUTBOX_TRANSITIONS, OutboxStatus
from src.model.values import DEFAULT_ACCOUNT, new_id

A = DEFAULT_ACCOUNT
S = OutboxStatus
ME = "this-process"
LEASE = timedelta(minutes=5)


@pytest.fixture
def conversation(db: Database, clock) -> str:
    with db.write() as conn:
        return conversations.ensure_named(conn, A, "thread-1", clock()).id


def place(conn: Connection, conversation_id: str, status: OutboxStatus, now: datetime, **fields: Any) -> str:
    """Put a job straight into a status; an unconfirmed one is armed, since it cannot be otherwise."""
    armed = fields.pop("armed", status is S.UNCONFIRMED)
    values = {
        "id": new_id(),
        "account": A,
        "conversation_id": conversation_id,
        "status": status,
        "text": "Welcome!",
        "idempotency_key": new_id(),
        "due_at": now,
        "attempts": 1,
        "arm_count": int(armed),
        "armed_at": now if armed else None,
        "claimed_by": ME if status is S.PROCESSING else None,
        "lease_until": now + LEASE if status is S.PROCESSING else None,
        "created_at": now,
        "processed_at": now if status in FINAL_OUTBOX else None,
    }
    conn.execute(insert(OUTBOX).values(**{**values, **fields}))
    return str({**values, **fields}["id"])


Move = Callable[[Connection, str, OutboxStatus, datetime], Job | None]

MOVES: dict[OutboxStatus, list[Move]] = {
    S.DRAFT: [lambda conn, job, source, now: outbox_queue.hold(conn, job, [source], "looked_odd")],
    S.PENDING: [
        lambda conn, job, source, now: outbox_queue.approve(conn, job, None, now),
        lambda conn, job, source, now: outbox_queue.retry(conn, job, now),
        lambda conn, job, source, now: outbox_queue.release(conn, job, ME, due_at=now, error="busy"),
    ],
    S.PROCESSING: [
        lambda conn, job, source, now: outbox_queue.claim(conn, A, owner=ME, lease_until=now + LEASE, now=now)
    ],
    S.SENT: [lambda conn, job, source, now: outbox_queue.sent(conn, job, [source], "message-9", None, now)],
    S.UNCONFIRMED: [lambda conn, job, source, now: outbox_queue.unconfirmed(conn, job, "no_proof", now)],
    S.FAILED: [lambda conn, job, source, now: outbox_queue.failed(conn, job, "no_composer", now)],
    S.CANCELLED: [
        lambda conn, job, source, now: outbox_queue.cancelled(conn, job, [source], "host_answered", now),
    ],
}


def _home(conn: Connection, job_id: str) -> str:
    job = outbox_views.get(conn, job_id)
    assert job is not None
    return job.conversation_id


def tries(conn: Connection, move: Move, job_id: str, source: OutboxStatus, now: datetime) -> Job | None:
    try:
        return move(conn, job_id, source, now)
    except (StaleJob, ValueError):
        return None


@pytest.mark.parametrize("source", S)
def test_a_job_moves_exactly_as_the_table_of_transitions_says(db, clock, conversation, source):
    reached = set()
    for target in S:
        for move in MOVES[target]:
            armed = source is S.UNCONFIRMED or (source, target) == (S.PROCESSING, S.UNCONFIRMED)
            with db.write() as conn:
                job_id = place(conn, conversation, source, clock(), armed=armed)
                before = outbox_views.get(conn, job_id)
                after = tries(conn, move, job_id, source, clock.later(1))
                assert outbox_views.get(conn, job_id) == (after or before)
                conn.execute(OUTBOX.delete())
            if after is not None:
                assert after.status is target
                assert (after.processed_at is not None) == (target in FINAL_OUTBOX)
                reached.add(target)
    assert reached == OUTBOX_TRANSITIONS[source]


@pytest.mark.parametrize("target", [S.DRAFT, S.PENDING, S.FAILED, S.CANCELLED])
def test_an_armed_job_never_gets_where_send_could_be_pressed_again(db, clock, conversation, target):
    with db.write() as conn:
        job_id = place(conn, conversation, S.PROCESSING, clock(), armed=True)
        for move in MOVES[target]:
            assert tries(conn, move, job_id, S.PROCESSING, clock()) is None
        job = outbox_views.get(conn, job_id)
    assert (job.status, job.armed) == (S.PROCESSING, True)


def test_a_job_that_was_never_armed_cannot_be_unconfirmed(db, clock, conversation):
    with db.write() as conn:
        job_id = place(conn, conversation, S.PROCESSING, clock())
        with pytest.raises(StaleJob):
            outbox_queue.unconfirmed(conn, job_id, "no_proof", clock())


def test_a_job_is_armed_once_and_only_by_its_owner(db, clock, conversation):
    with db.write() as conn:
        job_id = place(conn, conversation, S.PROCESSING, clock())
        with pytest.raises(StaleJob):
            outbox_queue.arm(conn, job_id, "another-process", after_external_id="m1", now=clock())
        job = outbox_queue.arm(conn, job_id, ME, after_external_id="m1", now=clock())
        assert (job.armed, job.armed_at, job.after_external_id) == (True, clock(), "m1")
        with pytest.raises(StaleJob):
            outbox_queue.arm(conn, job_id, ME, after_external_id="m1", now=clock())


def test_a_job_that_was_disarmed_may_be_given_back(db, clock, conversation):
    with db.write() as conn:
        job_id = place(conn, conversation, S.PROCESSING, clock())
        outbox_queue.arm(conn, job_id, ME, after_external_id="m1", now=clock())
        with pytest.raises(StaleJob):
            outbox_queue.disarm(conn, job_id, "another-process")
        job = outbox_queue.disarm(conn, job_id, ME)
        assert (job.armed, job.armed_at, job.after_external_id) == (False, None, None)
        job = outbox_queue.release(
            conn, job_id, ME, due_at=clock.later(60), error="wall", give_attempt_back=True
        )
    assert (job.status, job.attempts, job.claimed_by, job.due_at) == (S.PENDING, 0, None, clock.later(60))


def test_a_released_job_has_used_up_an_attempt_unless_it_is_given_back(db, clock, conversation):
    with db.write() as conn:
        job_id = place(conn, conversation, S.PROCESSING, clock())
        job = outbox_queue.release(conn, job_id, ME, due_at=clock(), error="composer_busy")
    assert (job.attempts, job.last_error) == (1, "composer_busy")


def test_the_oldest_due_job_is_claimed_first(db, clock):
    with db.write() as conn:
        homes = [conversations.ensure_named(conn, A, f"t{n}", clock()).id for n in range(3)]
        young = place(conn, homes[0], S.PENDING, clock.later(20))
        old = place(conn, homes[1], S.PENDING, clock.later(10))
        place(conn, homes[2], S.PENDING, clock(), due_at=clock.later(500))
        later = clock.later(60)
        claimed = [outbox_queue.claim(conn, A, owner=ME, lease_until=later, now=later) for _ in range(3)]
    assert [job and job.id for job in claimed] == [old, young, None]
    assert claimed[0].attempts == 2
    assert (claimed[0].claimed_by, claimed[0].lease_until) == (ME, later)


def test_another_accounts_job_is_not_claimed(db, clock, conversation):
    with db.write() as conn:
        place(conn, conversation, S.PENDING, clock(), account="another")
        assert outbox_queue.claim(conn, A, owner=ME, lease_until=clock(), now=clock()) is None


def test_replies_leave_a_conversation_one_at_a_time_and_in_order(db, clock, conversation):
    with db.write() as conn:
        first = place(conn, conversation, S.PENDING, clock())
        second = place(conn, conversation, S.PENDING, clock.later(1))
        now = clock.later(60)

        def claim() -> str | None:
            job = outbox_queue.claim(conn, A, owner=ME, lease_until=now + LEASE, now=now)
            return job.id if job else None

        assert claim() == first
        assert claim() is None
        outbox_queue.release(conn, first, ME, due_at=now + LEASE, error="busy")
        assert claim() is None, "the younger one must not overtake the one that waits for its next try"
        assert outbox_views.next_due_at(conn, A) == now + LEASE
        outbox_queue.cancelled(conn, first, [S.PENDING], "rejected", now)
        assert claim() == second


def test_a_draft_does_not_block_the_replies_after_it(db, clock, conversation):
    with db.write() as conn:
        place(conn, conversation, S.DRAFT, clock())
        younger = place(conn, conversation, S.PENDING, clock())
        job = outbox_queue.claim(conn, A, owner=ME, lease_until=clock(), now=clock())
    assert job.id == younger


def test_peeking_changes_nothing_and_shows_the_oldest_first(db, clock):
    with db.write() as conn:
        homes = [conversations.ensure_named(conn, A, f"t{n}", clock()).id for n in range(4)]
        ids = [place(conn, home, S.PENDING, clock.later(-n)) for n, home in enumerate(homes)]
        place(conn, homes[0], S.PENDING, clock(), due_at=clock.later(9))
    with db.read() as conn:
        peeked = outbox_views.peek_due(conn, A, 3, clock())
        assert [job.id for job in peeked] == ids[:0:-1]
        assert outbox_views.peek_due(conn, A, 3, clock()) == peeked
    assert {job.status for job in peeked} == {S.PENDING}


def test_enqueueing_twice_with_one_key_gives_the_first_job_as_it_is(db, clock, conversation):
    def enqueue(conn: Connection, text: str) -> tuple[Job, bool]:
        return outbox_queue.enqueue(
            conn, A, conversation, text, request_id=None, idempotency_key="k1", now=clock()
        )

    with db.write() as conn:
        first, created = enqueue(conn, "one")
        outbox_queue.cancelled(conn, first.id, [S.PENDING], "rejected", clock())
    with db.write() as conn:
        again, created_again = enqueue(conn, "two")
    assert (created, created_again) == (True, False)
    assert (again.id, again.text, again.status) == (first.id, "one", S.CANCELLED)


def test_a_job_cannot_start_anywhere_but_as_draft_or_pending(db, clock, conversation):
    with db.write() as conn, pytest.raises(ValueError, match="not as sent"):
        outbox_queue.enqueue(
            conn, A, conversation, "x", request_id=None, idempotency_key="k", status=S.SENT, now=clock()
        )


def test_approving_takes_the_edited_text_and_is_due_at_once(db, clock, conversation):
    with db.write() as conn:
        job_id = place(conn, conversation, S.DRAFT, clock(), reason="mode_draft", due_at=clock.later(99))
        job = outbox_queue.approve(conn, job_id, "Edited", clock())
        assert (job.text, job.reason, job.due_at, job.attempts) == ("Edited", None, clock(), 0)
        other = place(conn, conversation, S.DRAFT, clock())
        assert outbox_queue.approve(conn, other, None, clock()).text == "Welcome!"


def test_what_a_dead_process_left_is_found_and_taken_over_once(db, clock):
    with db.write() as conn:
        homes = [conversations.ensure_named(conn, A, f"t{n}", clock()).id for n in range(3)]
        mine = place(conn, homes[0], S.PROCESSING, clock())
        theirs = place(conn, homes[1], S.PROCESSING, clock(), claimed_by="dead", armed=True)
        nobodys = place(conn, homes[2], S.PROCESSING, clock.later(1), claimed_by=None)
        assert {job.id for job in outbox_views.left_behind(conn, A)} == {mine, theirs, nobodys}
        taken = outbox_queue.take_over(conn, theirs, "dead", ME, clock.later(60))
        outbox_queue.take_over(conn, nobodys, None, ME, clock.later(60))
        assert (taken.claimed_by, taken.armed, taken.lease_until) == (ME, True, clock.later(60))
        with pytest.raises(StaleJob):
            outbox_queue.take_over(conn, theirs, "dead", "third", clock.later(60))
        assert {job.claimed_by for job in outbox_views.left_behind(conn, A)} == {ME}


def test_a_process_whose_job_was_taken_over_can_move_it_no_more(db, clock, conversation):
    with db.write() as conn:
        job_id = place(conn, conversation, S.PROCESSING, clock(), armed=True)
        outbox_queue.take_over(conn, job_id, ME, "another", clock.later(60))
        for move in (
            lambda: outbox_queue.sent(conn, job_id, [S.PROCESSING], "m9", None, clock(), owner=ME),
            lambda: outbox_queue.unconfirmed(conn, job_id, "no_proof", clock(), owner=ME),
            lambda: outbox_queue.disarm(conn, job_id, ME),
        ):
            with pytest.raises(StaleJob):
                move()


def test_jobs_without_proof_are_those_that_may_have_been_pressed(db, clock, conversation):
    with db.write() as conn:
        place(conn, conversation, S.PENDING, clock())
        place(conn, conversation, S.SENT, clock())
        unsure = place(conn, conversation, S.UNCONFIRMED, clock())
        running = place(conn, conversation, S.PROCESSING, clock.later(1), armed=True)
        assert [job.id for job in outbox_views.awaiting_proof(conn, conversation)] == [unsure, running]
        conn.execute(update(OUTBOX).where(OUTBOX.c.id == running).values(arm_count=0, armed_at=None))
        assert [job.id for job in outbox_views.awaiting_proof(conn, conversation)] == [unsure]


def test_a_receipt_found_later_turns_unconfirmed_into_sent(db, clock, conversation):
    with db.write() as conn:
        job_id = place(conn, conversation, S.UNCONFIRMED, clock(), reason="no_proof")
        job = outbox_queue.sent(conn, job_id, [S.UNCONFIRMED], "message-9", "as shown", clock.later(60))
    assert (job.status, job.reason, job.processed_at) == (S.SENT, None, clock.later(60))
    assert (job.receipt_external_id, job.receipt_text) == ("message-9", "as shown")


def test_jobs_are_listed_by_status_waiting_ones_oldest_first(db, clock, conversation):
    with db.write() as conn:
        drafts = [place(conn, conversation, S.DRAFT, clock.later(n)) for n in range(3)]
        sent = [place(conn, conversation, S.SENT, clock.later(n)) for n in range(3)]
        assert [job.id for job in outbox_views.list_jobs(conn, A, S.DRAFT, 2)] == drafts[:2]
        assert [job.id for job in outbox_views.list_jobs(conn, A, S.SENT, 2)] == sent[:0:-1]
        assert len(outbox_views.list_jobs(conn, A, None, 10)) == 6


def test_next_due_is_none_when_nothing_can_be_claimed(db, clock, conversation):
    with db.write() as conn:
        assert outbox_views.next_due_at(conn, A) is None
        place(conn, conversation, S.PENDING, clock(), due_at=clock.later(30))
        assert outbox_views.next_due_at(conn, A) == clock.later(30)
        place(conn, conversation, S.PROCESSING, clock())
        assert outbox_views.next_due_at(conn, A) is None


# --- several at once -------------------------------------------------------------------------------------


@pytest.fixture
def six(db: Database, clock) -> list[str]:
    """Pending jobs, each in a conversation of its own, the oldest first."""
    with db.write() as conn:
        homes = [conversations.ensure_named(conn, A, f"thread-{n}", clock()).id for n in range(6)]
        return [place(conn, home, S.PENDING, clock.advance(1)) for home in homes]


def claim_many(conn: Connection, clock, limit: int) -> list[Job]:
    return outbox_queue.claim_many(conn, A, owner=ME, lease_until=clock() + LEASE, now=clock(), limit=limit)


def test_the_oldest_jobs_are_claimed_together_and_no_more_than_asked_for(db, clock, six):
    with db.write() as conn:
        assert [job.id for job in claim_many(conn, clock, 4)] == six[:4]
        assert [job.id for job in claim_many(conn, clock, 4)] == six[4:]
        assert claim_many(conn, clock, 4) == []


def test_of_one_conversation_one_job_is_claimed_at_a_time(db, clock, conversation):
    with db.write() as conn:
        first, second = (place(conn, conversation, S.PENDING, clock.advance(1)) for _ in range(2))
        assert [job.id for job in claim_many(conn, clock, 4)] == [first]
        assert claim_many(conn, clock, 4) == []
        outbox_queue.release(conn, first, ME, due_at=clock.later(60), error=None)
        assert claim_many(conn, clock, 4) == [], "the first is not due, and the second is behind it"
        assert outbox_views.get(conn, second).status is S.PENDING


def test_jobs_are_armed_together_each_after_its_own_newest_message(db, clock, six):
    with db.write() as conn:
        claim_many(conn, clock, 3)
        armed = outbox_queue.arm_many(conn, ME, {six[0]: "m-0", six[1]: None, six[2]: "m-2"}, clock())
        assert [(job.id, job.after_external_id, job.armed) for job in armed] == [
            (six[0], "m-0", True),
            (six[1], None, True),
            (six[2], "m-2", True),
        ]


@pytest.mark.parametrize("wrong", ["not claimed", "another's", "armed"])
def test_of_jobs_that_are_armed_together_all_are_or_it_is_said_to_be_stale(db, clock, six, wrong):
    with db.write() as conn:
        claim_many(conn, clock, 2)
        if wrong == "armed":
            outbox_queue.arm(conn, six[1], ME, after_external_id=None, now=clock())
    owner = "another" if wrong == "another's" else ME
    second = six[2] if wrong == "not claimed" else six[1]
    with pytest.raises(StaleJob), db.write() as conn:
        outbox_queue.arm_many(conn, owner, {six[0]: None, second: None}, clock())
    with db.read() as conn:
        assert not outbox_views.get(conn, six[0]).armed, "the transaction was given up"


def test_jobs_are_sent_together_each_with_its_own_receipt(db, clock, six):
    with db.write() as conn:
        claim_many(conn, clock, 2)
        receipts = {six[0]: Receipt("r-0"), six[1]: Receipt("r-1", standing=Delivery.READ)}
        sent = outbox_queue.sent_many(conn, ME, receipts, clock())
        assert [(job.status, job.receipt_external_id, job.delivery) for job in sent] == [
            (S.SENT, "r-0", "accepted"),
            (S.SENT, "r-1", "read"),
        ]
    with pytest.raises(StaleJob), db.write() as conn:
        outbox_queue.sent_many(conn, ME, {six[2]: Receipt("r-2")}, clock())
