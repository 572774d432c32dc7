"""Accounts, workers and modes; and the numbers about the queues."""

from __future__ import annotations

import pytest

from src.db import accounts, conversations, outbox_queue, overview
from src.model.inbox import AuthorRole
from src.model.statuses import OutboxStatus
from src.model.values import DEFAULT_ACCOUNT, Direction, LinkState, ReplyMode

A = DEFAULT_ACCOUNT


def test_an_account_is_made_once_and_is_whole(db, clock):
    with db.write() as conn:
        with pytest.raises(KeyError):
            accounts.get(conn, A)
        made = accounts.ensure(conn, A, clock())
        assert accounts.ensure(conn, A, clock.later(9)) == made
    assert (made.halted, made.paused, made.swept_through) == (False, False, None)


def test_the_first_halt_is_kept_until_a_person_clears_it(db, clock):
    with db.write() as conn:
        assert accounts.halt(conn, A, "captcha", "a challenge", 10, "shot.png", clock())
        assert not accounts.halt(conn, A, "page_changed", "other", 11, None, clock.later(5))
        state = accounts.get(conn, A)
        assert (state.link_state, state.halt_kind, state.halt_exit_code) == (LinkState.HALTED, "captcha", 10)
        assert (state.halt_evidence, state.halted_at) == ("shot.png", clock())
        assert accounts.clear_halt(conn, A, clock.later(9))
        assert not accounts.clear_halt(conn, A, clock.later(9))
        state = accounts.get(conn, A)
    assert (state.halted, state.halt_kind, state.halt_detail, state.halted_at) == (False, None, None, None)


def test_pausing_keeps_its_first_time(db, clock):
    with db.write() as conn:
        assert accounts.pause(conn, A, clock())
        assert not accounts.pause(conn, A, clock.later(5))
        assert accounts.get(conn, A).paused_at == clock()
        assert accounts.resume(conn, A, clock())
        assert not accounts.resume(conn, A, clock())
        assert not accounts.get(conn, A).paused


def test_how_far_the_inbox_was_read_never_moves_back(db, clock):
    with db.write() as conn:
        accounts.ensure(conn, A, clock())
        accounts.set_viewer(conn, A, "host-1", clock())
        for seconds in (10, 30, 20):
            accounts.set_swept_through(conn, A, clock.later(seconds), clock())
        state = accounts.get(conn, A)
    assert (state.swept_through, state.external_id) == (clock.later(30), "host-1")


def test_a_worker_shows_its_life_its_cycles_and_its_end(db, clock):
    def beat(process_id: int, *, started: bool = False) -> None:
        accounts.beat(
            conn, A, "send", process_id=process_id, hostname="here", now=clock.advance(1), started=started
        )

    def cycle(*, ok: bool) -> int:
        return accounts.cycle_done(conn, A, "send", outcome="x", duration_ms=5, ok=ok, now=clock.advance(1))

    with db.write() as conn:
        beat(1, started=True)
        begun = clock()
        assert [cycle(ok=ok) for ok in (True, False, False)] == [0, 1, 2]
        beat(1)
        (worker,) = accounts.workers(conn, A)
        assert (worker.started_at, worker.beat_at, worker.cycles) == (begun, clock(), 3)
        assert worker.failures_in_a_row == 2
        beat(2, started=True)
        (worker,) = accounts.workers(conn, A)
        assert (worker.process_id, worker.started_at, worker.failures_in_a_row) == (2, clock(), 0)
        accounts.worker_stopped(conn, A, "send", process_id=1, now=clock())
        assert accounts.workers(conn, A)[0].stopped_at is None, "the old process speaks for itself only"
        accounts.worker_stopped(conn, A, "send", process_id=2, now=clock())
        assert accounts.workers(conn, A)[0].stopped_at == clock()


def test_the_narrowest_mode_wins(db, clock):
    def mode() -> ReplyMode:
        return accounts.mode_for(conn, A, "conversation-1", "listing-1", ReplyMode.AUTO)

    with db.write() as conn:
        assert mode() is ReplyMode.AUTO
        accounts.set_mode(conn, A, "conversation", "conversation-2", ReplyMode.OFF, clock())
        assert mode() is ReplyMode.AUTO
        accounts.set_mode(conn, A, "account", "", ReplyMode.OFF, clock())
        assert mode() is ReplyMode.OFF
        accounts.set_mode(conn, A, "listing", "listing-1", ReplyMode.DRAFT, clock())
        assert mode() is ReplyMode.DRAFT
        accounts.set_mode(conn, A, "conversation", "conversation-1", ReplyMode.OFF, clock())
        accounts.set_mode(conn, A, "conversation", "conversation-1", ReplyMode.AUTO, clock())
        assert mode() is ReplyMode.AUTO
        assert accounts.mode_for(conn, A, "conversation-9", None, ReplyMode.AUTO) is ReplyMode.OFF
        assert [rule.scope for rule in accounts.modes(conn, A)] == [
            "account",
            "conversation",
            "conversation",
            "listing",
        ]
        with pytest.raises(ValueError, match="scope"):
            accounts.set_mode(conn, A, "galaxy", "1", ReplyMode.OFF, clock())


def test_the_overview_counts_every_status_and_the_day(db, clock, make_conversation, make_message):
    with db.write() as conn:
        for number in range(3):
            home = conversations.ensure_named(conn, A, f"t{number}", clock()).id
            outbox_queue.enqueue(conn, A, home, "x", request_id=None, idempotency_key=home, now=clock())
        for seconds_ago in (0, 13 * 3600):
            conversations.insert_message(
                conn,
                A,
                home,
                make_message(sent_at=clock.later(-seconds_ago), role=AuthorRole.GUEST),
                direction=Direction.INBOUND,
                origin="guest",
                skip_reason=None,
                now=clock(),
            )
        job = outbox_queue.claim(conn, A, owner="me", lease_until=clock(), now=clock())
        outbox_queue.sent(conn, job.id, [OutboxStatus.PROCESSING], "m", None, clock())
        found = overview.overview(conn, A, clock.later(30))
        open_work = overview.overview(conn, A, clock.later(30), finals=False)
        other = overview.overview(conn, "another", clock())
    assert found.outbox[OutboxStatus.PENDING] == 2
    assert found.outbox[OutboxStatus.SENT] == found.sent_today == 1
    assert sum(found.outbox.values()) == 3
    assert sum(found.inbox.values()) == found.answered_today == 0
    assert found.received_today == 1
    assert (found.oldest_pending_age_sec, found.oldest_draft_age_sec) == (30.0, None)
    assert (open_work.outbox[OutboxStatus.PENDING], open_work.outbox[OutboxStatus.SENT]) == (2, 0)
    assert open_work.sent_today == 1
    assert set(other.outbox.values()) == {0}
