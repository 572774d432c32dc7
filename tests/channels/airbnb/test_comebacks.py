"""Which way of coming back works: told from fetches that would have come anyway."""

from src.channels.airbnb.comebacks import COMEBACKS, Comebacks


def learn(comebacks: Comebacks, results: str) -> Comebacks:
    """One trial for each letter: ``+`` was answered, ``-`` was not."""
    for result in results:
        comebacks.learn(answered=result == "+")
    return comebacks


def test_a_way_that_fails_at_once_is_given_up_for_the_next():
    comebacks = learn(Comebacks(), "-")
    assert (comebacks.way, comebacks.works) == (COMEBACKS[1], False)


def test_a_way_that_was_answered_by_chance_is_given_up_when_it_fails_more_often_than_not():
    assert learn(Comebacks(), "+").works
    once = learn(Comebacks(), "+-")
    assert (once.way, once.works) == (COMEBACKS[0], False)
    assert learn(once, "-").way == COMEBACKS[1]


def test_answers_by_chance_between_failures_do_not_keep_a_way():
    assert learn(Comebacks(), "+--" + "-" + "+--").way is None


def test_a_way_that_has_long_worked_is_kept_over_a_slow_moment():
    comebacks = learn(Comebacks(), "+" * 50 + "---")
    assert comebacks.way == COMEBACKS[0]
    assert learn(comebacks, "-").way == COMEBACKS[1]


def test_a_page_that_reacts_to_nothing_has_no_way():
    comebacks = learn(Comebacks(), "---")
    assert (comebacks.way, comebacks.works) == (None, False)
    assert learn(comebacks, "+-").way is None
