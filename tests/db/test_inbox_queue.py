# ruff: noqa: ARG005 - the moves of one status are called alike, whatever each of them needs
"""The queue of requests to the AI: every move that is allowed, every one that is not, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from src.db import conversations, inbox_queue
from src.db.engine import Connection, Database
from src.db.statements import INBOX
from src.errors import StaleJob
from src.model.rows import Request
from src.model.statuses import FINAL_INBOX, INBOX_TRANSITIONS, OPEN_INBOX, InboxStatus
from src.model.values import DEFAULT_ACCOUNT, new_id

A = DEFAULT_ACCOUNT
S = InboxStatus
ME = "this-process"
HOUR = timedelta(hours=1)


@pytest.fixture
def conversation(db: Database, clock) -> str:
    with db.write() as conn:
        return conversations.ensure_named(conn, A, "thread-1", clock()).id


def place(conn: Connection, conversation_id: str, status: InboxStatus, now: datetime, **fields: Any) -> str:
    """Put a request straight into a status."""
    values = {
        "id": new_id(),
        "account": A,
        "conversation_id": conversation_id,
        "status": status,
        "newest_external_id": "message-1",
        "due_at": now,
        "burst_until": now,
        "reply_by": now + HOUR,
        "attempts": 1,
        "claimed_by": ME if status is S.PROCESSING else None,
        "lease_until": now + HOUR if status is S.PROCESSING else None,
        "created_at": now,
        "processed_at": now if status in FINAL_INBOX else None,
        **fields,
    }
    conn.execute(insert(INBOX).values(**values))
    return str(values["id"])


def create(conn: Connection, conversation_id: str, now: datetime) -> Request:
    return inbox_queue.create(
        conn,
        A,
        conversation_id,
        newest_external_id="message-1",
        due_at=now + timedelta(seconds=15),
        burst_until=now + timedelta(seconds=60),
        reply_by=now + HOUR,
        now=now,
    )


Move = Callable[[Connection, str, InboxStatus, datetime], Request | None]


def _first(found: list[Request]) -> Request | None:
    return found[0] if found else None


def _finish(to: InboxStatus) -> Move:
    return lambda conn, one, source, now: inbox_queue.finish(conn, one, [source], to, "a reason", now)


MOVES: dict[InboxStatus, list[Move]] = {
    S.PENDING: [
        lambda conn, one, source, now: inbox_queue.release(conn, one, ME, due_at=now, error="timeout"),
        lambda conn, one, source, now: _first(inbox_queue.release_stale(conn, A, now + 2 * HOUR)),
    ],
    S.PROCESSING: [
        lambda conn, one, source, now: _first(
            inbox_queue.claim_due(conn, A, owner=ME, lease_until=now + HOUR, now=now, limit=5)
        )
    ],
    S.WAITING: [lambda conn, one, source, now: inbox_queue.accepted(conn, one, ME, now)],
    **{to: [_finish(to)] for to in (S.ANSWERED, S.IGNORED, S.ESCALATED, S.CANCELLED, S.FAILED)},
    S.EXPIRED: [
        _finish(S.EXPIRED),
        lambda conn, one, source, now: _first(inbox_queue.expire_overdue(conn, A, now + 2 * HOUR)),
    ],
}


def tries(
    conn: Connection, move: Move, request_id: str, source: InboxStatus, now: datetime
) -> Request | None:
    try:
        return move(conn, request_id, source, now)
    except (StaleJob, ValueError):
        return None


@pytest.mark.parametrize("source", S)
def test_a_request_moves_exactly_as_the_table_of_transitions_says(db, clock, conversation, source):
    reached = set()
    for target in S:
        for move in MOVES[target]:
            with db.write() as conn:
                request_id = place(conn, conversation, source, clock())
                before = inbox_queue.get(conn, request_id)
                after = tries(conn, move, request_id, source, clock.later(1))
                assert inbox_queue.get(conn, request_id) == (after or before)
                conn.execute(INBOX.delete())
            if after is not None:
                assert after.status is target
                assert (after.processed_at is not None) == (target in FINAL_INBOX)
                reached.add(target)
    assert reached == INBOX_TRANSITIONS[source]


def test_a_conversation_has_at_most_one_open_request(db, clock, conversation):
    with db.write() as conn:
        first = create(conn, conversation, clock())
        with pytest.raises(StaleJob):
            create(conn, conversation, clock())
        assert inbox_queue.open_request(conn, conversation) == first
        inbox_queue.finish(conn, first.id, [S.PENDING], InboxStatus.CANCELLED, "guest_wrote_again", clock())
        assert inbox_queue.open_request(conn, conversation) is None
        second = create(conn, conversation, clock.later(1))
        assert inbox_queue.open_request(conn, conversation) == second
        assert inbox_queue.latest_request(conn, conversation) == second


def test_a_burst_grows_only_while_nothing_has_been_posted(db, clock, conversation):
    with db.write() as conn:
        one = create(conn, conversation, clock())
        grown = inbox_queue.extend_burst(
            conn, one.id, newest_external_id="message-2", due_at=clock.later(30), reply_by=clock.later(9)
        )
        assert (grown.newest_external_id, grown.due_at) == ("message-2", clock.later(30))
        assert (grown.reply_by, grown.burst_until) == (clock.later(9), one.burst_until)
        inbox_queue.claim_due(conn, A, owner=ME, lease_until=clock(), now=clock.later(31), limit=1)
        with pytest.raises(StaleJob):
            inbox_queue.extend_burst(
                conn, one.id, newest_external_id="message-3", due_at=clock(), reply_by=clock()
            )


def test_due_requests_are_claimed_oldest_due_first_and_no_more_than_asked_for(db, clock):
    with db.write() as conn:
        homes = [conversations.ensure_named(conn, A, f"t{n}", clock()).id for n in range(5)]
        late, early, middle = (
            place(conn, homes[n], S.PENDING, clock(), due_at=clock.later(due))
            for n, due in enumerate((3, 1, 2))
        )
        place(conn, homes[3], S.PENDING, clock(), due_at=clock.later(500))
        place(conn, homes[4], S.PENDING, clock(), account="another")

        def claim(limit: int) -> list[Request]:
            return inbox_queue.claim_due(
                conn, A, owner=ME, lease_until=clock.later(99), now=clock.later(9), limit=limit
            )

        first = claim(2)
        assert [one.id for one in first] == [early, middle]
        assert {(one.status, one.attempts, one.claimed_by) for one in first} == {(S.PROCESSING, 2, ME)}
        assert [one.id for one in claim(9)] == [late]
        assert claim(9) == []
        assert inbox_queue.next_event_at(conn, A) == clock.later(99)  # the end of the leases


def test_the_next_event_is_a_due_time_a_lease_or_an_end_whichever_comes_first(db, clock):
    with db.write() as conn:
        homes = [conversations.ensure_named(conn, A, f"t{n}", clock()).id for n in range(5)]
        assert inbox_queue.next_event_at(conn, A) is None
        place(conn, homes[0], S.ANSWERED, clock())
        place(conn, homes[1], S.PENDING, clock(), account="another")
        assert inbox_queue.next_event_at(conn, A) is None
        far = {"reply_by": clock.later(900)}
        for home, status, fields, expected in (
            (homes[2], S.WAITING, {"reply_by": clock.later(800)}, 800),
            (homes[3], S.PROCESSING, {"lease_until": clock.later(700), **far}, 700),
            (homes[4], S.PENDING, {"due_at": clock.later(600), **far}, 600),
        ):
            place(conn, home, status, clock(), **fields)
            assert inbox_queue.next_event_at(conn, A) == clock.later(expected)


def test_only_its_owner_releases_or_hands_over_a_request(db, clock, conversation):
    with db.write() as conn:
        one = place(conn, conversation, S.PROCESSING, clock())
        with pytest.raises(StaleJob):
            inbox_queue.accepted(conn, one, "another", clock())
        with pytest.raises(StaleJob):
            inbox_queue.release(conn, one, "another", due_at=clock(), error="stopping")
        back = inbox_queue.release(conn, one, ME, due_at=clock.later(9), error="stopping")
    assert (back.attempts, back.due_at, back.last_error, back.claimed_by) == (
        1,
        clock.later(9),
        "stopping",
        None,
    )


def test_only_a_lease_that_is_over_is_taken_away(db, clock, conversation):
    with db.write() as conn:
        one = place(conn, conversation, S.PROCESSING, clock(), lease_until=clock.later(60))
        assert inbox_queue.release_stale(conn, A, clock.later(60)) == []
        released = inbox_queue.release_stale(conn, A, clock.later(61))
    assert [(r.id, r.status, r.due_at, r.attempts) for r in released] == [
        (one, S.PENDING, clock.later(61), 1)
    ]


def test_what_nobody_answered_in_time_expires_with_a_reason_that_says_why(db, clock):
    with db.write() as conn:
        homes = [conversations.ensure_named(conn, A, f"t{n}", clock()).id for n in range(4)]
        pending = place(conn, homes[0], S.PENDING, clock(), reply_by=clock.later(9))
        waiting = place(conn, homes[1], S.WAITING, clock(), reply_by=clock.later(9))
        place(conn, homes[2], S.PROCESSING, clock(), reply_by=clock.later(9))
        place(conn, homes[3], S.WAITING, clock(), reply_by=clock.later(20))
        assert inbox_queue.expire_overdue(conn, A, clock.later(9)) == []
        reasons = {r.id: r.reason for r in inbox_queue.expire_overdue(conn, A, clock.later(10))}
    assert reasons == {pending: "not_accepted_in_time", waiting: "no_answer_in_time"}


def test_a_move_from_a_status_that_the_table_forbids_is_a_mistake_in_the_code(db, clock, conversation):
    with db.write() as conn:
        one = place(conn, conversation, S.PENDING, clock())
        with pytest.raises(ValueError, match="pending, waiting → failed"):
            inbox_queue.finish(conn, one, OPEN_INBOX, InboxStatus.FAILED, "refused", clock())
        with pytest.raises(ValueError, match="nothing → answered"):
            inbox_queue.finish(conn, one, [], InboxStatus.ANSWERED, None, clock())
