"""Levels A and A-nth, the quick part. ``sh scripts/soak.sh`` has the long one."""

import pytest

from tests.faults import exhaustive, nth_failure, simulated
from tests.faults.plan import Plan
from tests.faults.tally import Tally
from tests.support.channel import FakeChannel
from tests.support.table import TableChannel, WideChannel

STORIES = 60
STORIES_OF_A_CHANNEL = 30
SEEDS = {"A-widget": 2_010}
"""Where the first ones miss the instant that a mutant needs."""
EVERY = {"sqlite": 8, "postgresql": 24}
"""Of the n-th steps that fail, so many are skipped here and played in the long run."""

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def plan(database_url, tmp_path):
    def make(trials, seed):
        return Plan(trials, seed, database_url.split(":")[0].split("+")[0], tmp_path, lambda: database_url)

    return make


def summed(tallies):
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    assert whole.broken == []
    return whole.counts


@only_sqlite
def test_in_stories_with_crashes_and_people_no_promise_is_broken(plan):
    counts = summed(simulated.trials(plan(STORIES, seed=1)))
    assert counts["stories"] == STORIES
    assert counts["crashes"] > STORIES / 2
    assert counts["ended sent"] > STORIES / 2
    assert counts["ended unconfirmed"] < counts["ended sent"]


@only_sqlite
def test_in_stories_on_a_table_nothing_is_left_in_doubt(plan):
    counts = summed(simulated.trials(plan(STORIES, seed=1), TableChannel))
    assert counts["crashes"] > STORIES / 2
    assert counts["ended sent"] > STORIES / 2
    assert counts["ended unconfirmed"] == 0


@only_sqlite
@pytest.mark.parametrize("channel", [FakeChannel, TableChannel])
def test_in_stories_with_answers_in_three_messages_no_promise_is_broken(plan, channel):
    counts = summed(simulated.trials(plan(STORIES, seed=1), channel, parts=3))
    assert counts["crashes"] > STORIES / 2
    assert counts["ended sent"] > STORIES


@only_sqlite
@pytest.mark.parametrize("level", sorted(simulated.REMOTES))
def test_in_stories_on_a_real_channel_no_promise_is_broken(plan, level):
    counts = summed(
        simulated.trials_of_a_channel(plan(STORIES_OF_A_CHANNEL, seed=SEEDS.get(level, 1)), level)
    )
    assert counts["stories"] == STORIES_OF_A_CHANNEL
    assert counts["ended sent"] > STORIES_OF_A_CHANNEL / 2
    assert counts["ended unconfirmed"] < counts["ended sent"]
    if level == "A-chat":
        assert counts["posted late"] > STORIES_OF_A_CHANNEL / 4
    if level == "A-widget":
        assert counts["ended unconfirmed"] == 0
    if level != "A-mail":
        assert counts["copies taken"] > 0


@only_sqlite
def test_in_stories_with_several_conversations_in_hand_no_promise_is_broken(plan):
    counts = summed(simulated.trials(plan(STORIES, seed=1), WideChannel))
    assert counts["crashes"] > STORIES / 2
    assert counts["ended sent"] > STORIES / 2
    assert counts["ended unconfirmed"] == 0


@only_sqlite
def test_whichever_step_fails_with_two_conversations_in_hand_no_promise_is_broken(plan):
    counts = summed(exhaustive.trees(plan(1, seed=0), depth=1, make_channel=WideChannel, conversations=2))
    assert counts["runs"] > 60
    assert counts["states"] > 10


@only_sqlite
@pytest.mark.parametrize("way", [1, 3], ids=["shown late", "never taken"])
def test_whichever_step_of_a_send_fails_in_whichever_way_no_promise_is_broken(plan, way):
    counts = summed(exhaustive.trees(plan(1, seed=way), depth=1))
    assert counts["runs"] > 60
    assert counts["states"] > 10


def test_whichever_statement_commit_or_call_fails_no_promise_is_broken(plan, database_url):
    ways = len(nth_failure.ways(plan(1, 0).database))
    counts = summed(nth_failure.trials(plan(100 * ways, seed=0), every=EVERY[plan(1, 0).database]))
    assert counts["failed once"] >= ways / 2
    assert counts["ended sent"] > counts["ended unconfirmed"]
