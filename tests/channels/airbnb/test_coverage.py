"""How far down the list has been seen without a gap."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from src.channels.airbnb.coverage import Coverage
from src.channels.airbnb.wire import ListPage
from src.model.inbox import AuthorRole, MessageKind, SeenConversation, SeenMessage

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def at(minute: int) -> datetime:
    """So many minutes before noon."""
    return NOON - timedelta(minutes=minute)


def conversation(name: str, minute: int, version: int = 1) -> SeenConversation:
    message = SeenMessage(
        external_id=f"{name}-{version}",
        author_id="guest",
        author_name=None,
        role=AuthorRole.GUEST,
        kind=MessageKind.TEXT,
        detail="TEXT_CONTENT",
        text="Hello",
        sent_at=at(minute),
    )
    return SeenConversation(
        external_id=name,
        kind="STAY",
        is_stay=True,
        is_hosting=True,
        viewer_id="host",
        viewer_is_host=True,
        people=(),
        messages=(message,),
        last_activity_at=at(minute),
    )


def stretch(
    *found: SeenConversation,
    has_next: bool = True,
    has_previous: bool = False,
    repeated: tuple[SeenConversation, ...] = (),
) -> ListPage:
    return ListPage("host", (*repeated, *found), found, has_next, has_previous)


def top(first: int = 0, count: int = 3) -> ListPage:
    """Conversations c0, c1, … each ten minutes older than the one before it."""
    found = [conversation(f"c{n}", n * 10) for n in range(first, first + count)]
    return stretch(*found, has_previous=first > 0)


def test_nothing_seen_covers_nothing():
    assert not Coverage().reaches(at(0), thorough=False)
    assert not Coverage().reaches(at(0), thorough=True)


def test_a_stretch_covers_what_is_younger_than_its_oldest():
    coverage = Coverage()
    coverage.add(top())
    assert coverage.reaches(at(19), thorough=False)
    assert not coverage.reaches(at(20), thorough=False)
    assert not coverage.reaches(at(21), thorough=False)


def test_thorough_wants_a_whole_stretch_that_is_older():
    coverage = Coverage()
    coverage.add(top())
    assert not coverage.reaches(at(15), thorough=True)
    coverage.add(top(3))
    assert coverage.reaches(at(29), thorough=True)
    assert not coverage.reaches(at(31), thorough=True)


def test_the_end_of_the_list_covers_everything():
    coverage = Coverage()
    coverage.add(replace(top(), has_next=False))
    assert coverage.reaches(at(10_000), thorough=False)
    assert coverage.reaches(at(10_000), thorough=True)


def test_an_empty_list_without_a_next_stretch_is_its_end():
    coverage = Coverage()
    coverage.add(stretch(has_next=False))
    assert coverage.reaches(at(10_000), thorough=True)


def test_an_empty_answer_after_a_full_one_proves_nothing():
    coverage = Coverage()
    coverage.add(top())
    coverage.add(stretch(has_next=False))
    assert not coverage.reaches(at(50), thorough=False)
    assert coverage.reaches(at(15), thorough=False)


def test_an_empty_stretch_behind_others_is_the_end():
    coverage = Coverage()
    coverage.add(top())
    coverage.add(stretch(has_next=False, has_previous=True))
    assert coverage.reaches(at(10_000), thorough=False)


def test_an_empty_first_answer_that_a_second_fills_is_not_the_end():
    coverage = Coverage()
    coverage.add(stretch(has_next=False))
    coverage.add(top())
    assert not coverage.reaches(at(50), thorough=False)


def test_a_new_top_that_shares_an_unchanged_conversation_goes_on_with_the_known():
    coverage = Coverage()
    coverage.add(top())
    coverage.add(top(3))
    coverage.add(stretch(conversation("new", -5), conversation("c1", -4, version=2), conversation("c0", 0)))
    assert coverage.reaches(at(45), thorough=False)
    assert not coverage.broken


@pytest.mark.parametrize("thorough", [False, True])
def test_a_new_top_that_shares_nothing_begins_anew(thorough: bool):
    coverage = Coverage()
    coverage.add(top())
    coverage.add(top(3))
    assert coverage.reaches(at(25), thorough=thorough)
    coverage.add(stretch(*(conversation(f"new{n}", -20 + n) for n in range(3))))
    assert not coverage.reaches(at(25), thorough=thorough)
    assert coverage.broken


def test_a_conversation_that_is_there_again_but_changed_is_nothing_in_common():
    coverage = Coverage()
    coverage.add(top())
    coverage.add(stretch(*(conversation(f"c{n}", -20 + n, version=2) for n in range(3))))
    assert coverage.broken
    assert not coverage.reaches(at(5), thorough=False)


def test_what_lies_below_the_old_list_does_not_fill_the_gap_below_a_new_top():
    coverage = Coverage()
    coverage.add(top())
    coverage.add(stretch(*(conversation(f"new{n}", -20 + n) for n in range(3))))
    coverage.add(replace(top(3), has_next=False))
    assert not coverage.reaches(at(25), thorough=False)
    assert coverage.broken


def test_a_new_top_that_reaches_far_enough_by_itself_is_enough():
    coverage = Coverage()
    coverage.add(top())
    coverage.add(stretch(conversation("new1", -20), conversation("new2", -19)))
    assert coverage.reaches(at(-19) + timedelta(seconds=1), thorough=False)


def test_an_old_conversation_that_the_site_repeats_before_the_list_covers_nothing():
    coverage = Coverage()
    coverage.add(replace(top(), conversations=(conversation("starred", 90_000), *top().stretch)))
    assert not coverage.reaches(at(60), thorough=False)


def test_a_young_conversation_that_the_site_repeats_with_every_stretch_does_not_hide_the_end_of_the_search():
    coverage = Coverage()
    repeated = (conversation("c0", 0),)
    coverage.add(stretch(*top().stretch, repeated=repeated))
    coverage.add(stretch(*top(3).stretch, repeated=repeated, has_previous=True))
    assert coverage.reaches(at(25), thorough=True)


def test_a_repeated_conversation_is_no_link_between_a_new_top_and_the_known():
    coverage = Coverage()
    repeated = (conversation("starred", 90_000),)
    coverage.add(stretch(*top().stretch, repeated=repeated))
    news = [conversation(f"new{n}", -20 + n) for n in range(3)]
    coverage.add(stretch(*news, repeated=repeated))
    assert not coverage.reaches(at(15), thorough=False)


def test_a_further_stretch_of_the_very_same_time_is_still_a_further_stretch():
    coverage = Coverage()
    coverage.add(stretch(*(conversation(f"c{n}", 0) for n in range(3))))
    coverage.add(stretch(*(conversation(f"d{n}", n) for n in range(3)), has_previous=True))
    assert not coverage.broken
    assert coverage.reaches(at(1), thorough=False)
