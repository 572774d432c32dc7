"""From which confidence on an answer may go out: as set, until a host has judged enough drafts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.model.confidence_steps import ENOUGH, GOOD, LOWEST, NEVER, JudgedDraft, Steps, fit_steps

SET = Steps(0.5, 0.8)


def drafts(confidence: float, good: int, bad: int = 0) -> list[JudgedDraft]:
    return [JudgedDraft(confidence, i < good) for i in range(good + bad)]


def test_below_a_hundred_judged_drafts_the_steps_are_those_that_are_set():
    assert fit_steps(drafts(0.7, 99), SET) == SET
    assert fit_steps(drafts(0.7, 100), SET) == Steps(0.5, 0.7)


def test_what_was_surely_good_may_go_out_by_itself():
    judged = drafts(0.7, 50) + drafts(0.6, 30, 20)
    assert fit_steps(judged, SET).send_from == 0.7


def test_what_was_bad_above_the_step_does_not_go_out_any_more():
    judged = drafts(0.95, 50) + drafts(0.85, 30, 20)
    assert fit_steps(judged, SET).send_from == 0.95


def test_where_the_surest_drafts_were_bad_nothing_goes_out_by_itself():
    judged = drafts(1.0, 30, 30) + drafts(0.9, 50)
    assert fit_steps(judged, SET).send_from == NEVER > 1.0


def test_a_bad_group_stops_the_way_down():
    judged = drafts(0.75, 40) + drafts(0.7, 20, 20) + drafts(0.6, 60)
    assert fit_steps(judged, SET).send_from == 0.75


def test_what_was_cut_for_being_unclear_never_goes_out_by_itself():
    assert fit_steps(drafts(0.5, 300), SET) == SET


def test_drafts_that_were_of_no_use_are_not_made_any_more():
    judged = drafts(0.5, 3, 47) + drafts(0.7, 45, 15)
    fitted = fit_steps(judged, SET)
    assert 0.5 < fitted.draft_from <= 0.7
    assert fitted.send_from == 0.8


def test_doubtful_groups_move_nothing():
    assert fit_steps(drafts(0.7, 56, 4) + drafts(0.6, 30, 30), SET) == SET
    assert fit_steps(drafts(0.85, 52, 8) + drafts(0.9, 40), SET) == SET


@given(
    st.lists(
        st.builds(
            drafts,
            st.sampled_from([0.5, 0.55, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0]),
            st.integers(0, 60),
            st.one_of(st.just(0), st.integers(0, 60)),
        )
    ),
    st.sampled_from([0.5, 0.6]),
    st.sampled_from([0.6, 0.8, 1.0]),
)
def test_the_steps_stay_in_their_order_and_go_down_only_past_good_ones(groups, draft_from, send_from):
    judged = [one for group in groups for one in group]
    fitted = fit_steps(judged, Steps(draft_from, send_from))
    assert draft_from <= fitted.draft_from <= fitted.send_from <= NEVER
    assert fitted.send_from >= min(send_from, LOWEST)
    if len(judged) < ENOUGH:
        assert fitted == Steps(draft_from, send_from)
    let_out = [one.good for one in judged if fitted.send_from <= one.confidence < send_from]
    assert not let_out or sum(let_out) / len(let_out) >= GOOD


@pytest.mark.parametrize("seen", [drafts(0.7, 400), drafts(0.85, 100, 200)])
def test_the_order_in_which_they_were_judged_does_not_matter(seen):
    assert fit_steps(seen, SET) == fit_steps(seen[::-1], SET)
