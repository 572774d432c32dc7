"""A crash loop ends in a halt, whatever the supervisor does; an orderly life never does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from src.db import accounts, starts
from src.model.values import utc_now
from src.workers.breaker import KIND, VANISHED_FOR_ONE, WINDOW, Breaker
from src.workers.heartbeats import Heartbeats

ACCOUNT = "default"
MOST = 5


def start(db) -> Breaker:
    """A start that ends without a word, unless it is told to end otherwise."""
    made = Breaker(db, ACCOUNT, MOST)
    made.starting()
    return made


def start_and_fail(db):
    start(db).failed()


def halt_of(db):
    with db.write() as conn:
        state = accounts.ensure(conn, ACCOUNT, utc_now())
    return state.halt_kind


def test_the_sixth_start_without_a_good_cycle_is_a_halt_with_exit_code_10(db):
    for _ in range(MOST):
        start_and_fail(db)
        assert halt_of(db) is None
    start(db)
    with db.read() as conn:
        state = accounts.get(conn, ACCOUNT)
    assert (state.halt_kind, state.halt_exit_code) == (KIND, 10)
    why = "5 starts within 10 minutes, none of which came to a good cycle: 5 failed, 0 were killed"
    assert state.halt_detail == why


def test_who_kills_it_a_dozen_times_does_not_halt_it_but_a_killer_without_end_does(db):
    for _ in range(VANISHED_FOR_ONE * MOST):
        start(db)
        assert halt_of(db) is None
    start(db)
    assert halt_of(db) == KIND


def test_failures_and_kills_are_counted_together(db):
    for _ in range(MOST - 1):
        start_and_fail(db)
    for _ in range(VANISHED_FOR_ONE):
        start(db)
        assert halt_of(db) is None
    start(db)
    assert halt_of(db) == KIND


def test_after_the_halt_was_ended_the_counting_begins_anew(db):
    for _ in range(MOST + 1):
        start_and_fail(db)
    with db.write() as conn:
        accounts.clear_halt(conn, ACCOUNT, utc_now())
    for _ in range(MOST):
        start_and_fail(db)
    assert halt_of(db) is None


@pytest.mark.parametrize("proof", ["sync", "send"])
async def test_a_good_cycle_clears_the_count_and_a_bad_one_does_not(db, proof):
    for number in range(3 * MOST):
        made = start(db)
        beats = Heartbeats(db, ACCOUNT, utc_now, proof=proof)
        beats.started(proof)
        await beats.cycle(proof, outcome="x", seconds=0.1, ok=number % MOST == 2)
        made.failed()
    assert halt_of(db) is None
    for _ in range(MOST + 1):
        made = start(db)
        beats = Heartbeats(db, ACCOUNT, utc_now, proof=proof)
        beats.started(proof)
        await beats.cycle(proof, outcome="x", seconds=0.1, ok=False)
        beats.started("ai")
        await beats.cycle("ai", outcome="another worker's says nothing", seconds=0.1, ok=True)
        made.failed()
    assert halt_of(db) == KIND


def test_starts_that_end_in_order_do_not_count(db):
    for _ in range(3 * MOST):
        start(db).ended_in_order()
    assert halt_of(db) is None


def test_old_starts_do_not_count(db):
    long_ago = utc_now() - WINDOW - timedelta(seconds=1)
    with db.write() as conn:
        for number in range(3 * MOST):
            starts.note(conn, ACCOUNT, f"old-{number}", long_ago, WINDOW)
    start(db)
    assert halt_of(db) is None


def test_a_clock_that_jumped_back_counts_them_all_the_same(db):
    for number in range(MOST):
        with db.write() as conn:
            starts.note(conn, ACCOUNT, f"s{number}", utc_now() + timedelta(hours=1), WINDOW)
            starts.fail(conn, ACCOUNT, f"s{number}")
    start(db)
    assert halt_of(db) == KIND


def start_in_process(_number, url):
    from src.db.engine import Database  # noqa: PLC0415

    database = Database.open(url)
    start_and_fail(database)
    database.close()


def test_processes_that_start_at_once_are_all_counted(db, database_url, in_processes):
    in_processes(MOST, start_in_process, database_url)
    assert halt_of(db) is None
    start(db)
    assert halt_of(db) == KIND
