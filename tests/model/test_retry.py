"""When something is tried again, and how often."""

import random

import pytest

from src.errors import ComposerBusy, NotPressed, StaleJob, TransientError
from src.model.retry import (
    AI,
    ALERT,
    LATE_ANSWER,
    SEND,
    SEND_WORKER,
    TRIES_IF_STALE,
    WORKER,
    Backoff,
    again_if_stale,
    backoff_of_sync,
)

GROWING = [
    SEND.backoff,
    AI,
    ALERT,
    LATE_ANSWER,
    SEND_WORKER,
    WORKER,
    backoff_of_sync(45),
    backoff_of_sync(1000),
]


@pytest.mark.parametrize("backoff", GROWING)
def test_weeks_of_failures_end_nothing(backoff):
    # A power of two that large is no float any more.
    assert 0 < backoff.pause(100_000) <= backoff.longest


@pytest.mark.parametrize("backoff", GROWING)
def test_a_pause_is_never_shorter_than_that_of_a_first_failure(backoff):
    assert backoff.pause(0, rng=random.Random(1)) == backoff.pause(1, rng=random.Random(1))


def test_what_the_other_side_asks_for_comes_before_our_own_pause():
    backoff = Backoff(5.0, 300.0, longest_asked=3600.0)
    assert [backoff.pause(3, asked=asked) for asked in (-5.0, 0.0, 17.0, 10_000.0)] == [1, 1, 17, 3600]


def test_a_failing_sync_looks_no_more_often_than_a_good_one():
    assert [backoff_of_sync(1000).pause(failures) for failures in (1, 2, 9)] == [1000, 1000, 1000]


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (TransientError(), SEND.tries),
        (ComposerBusy(), SEND.busy_tries),
    ],
)
def test_the_last_try_of_a_reply_is_followed_by_no_other(error, tries):
    assert SEND.pause(error, tries - 1) is not None
    assert SEND.pause(error, tries) is None


def test_a_remote_that_asks_for_a_slower_pace_is_never_tried_for_the_last_time():
    assert [SEND.pause(NotPressed(retry_after=9), tries) for tries in (1, 50, 5000)] == [9, 9, 9]


class Rows:
    """Moved by somebody else so many times."""

    def __init__(self, stale):
        self.left = stale
        self.tries = 0

    def work(self):
        self.tries += 1
        if self.left:
            self.left -= 1
            raise StaleJob
        return "done"


@pytest.mark.parametrize("stale", range(TRIES_IF_STALE))
def test_what_was_stale_is_done_anew(stale):
    assert again_if_stale(Rows(stale).work) == "done"


def test_what_stays_stale_is_given_up_for_now():
    rows = Rows(99)
    with pytest.raises(TransientError):
        again_if_stale(rows.work)
    assert rows.tries == TRIES_IF_STALE
    with pytest.raises(ComposerBusy):
        again_if_stale(Rows(99).work, give_up=ComposerBusy())


def test_what_is_ours_no_more_is_not_done_anew():
    def not_ours():
        raise StaleJob

    rows = Rows(1)
    with pytest.raises(StaleJob):
        again_if_stale(rows.work, before_again=not_ours)
    assert rows.tries == 1


def test_another_error_is_not_repeated():
    calls: list[int] = []

    def fail():
        calls.append(1)
        raise TransientError

    with pytest.raises(TransientError):
        again_if_stale(fail)
    assert calls == [1]


def test_a_remote_that_asks_for_no_pause_is_not_asked_again_without_one():
    assert SEND.pause(NotPressed("away", retry_after=0.0), tries=1) == 1.0
