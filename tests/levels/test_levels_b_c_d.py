"""Levels B, C and D, the quick part: real processes that are really killed. The long one: ``sh scripts/soak.sh``."""

import pytest

from tests.levels import level_b, level_c, level_d, walls
from tests.levels.plan import Plan
from tests.levels.tally import Tally

TRIALS = {"sqlite": 5, "postgresql": 2}

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def plan(database_url, tmp_path_factory):
    folder = tmp_path_factory.mktemp("level")

    def make(trials, seed):
        return Plan(trials, seed, database_url.split(":")[0].split("+")[0], folder, lambda: database_url)

    return make


def summed(tallies):
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    assert whole.broken == []
    return whole.counts


def test_workers_that_are_killed_or_frozen_at_any_step_break_no_promise(plan):
    trials = TRIALS[plan(1, 1).database]
    counts = 0
    for number in range(trials):
        counts += summed(level_b.trials(plan(1, seed=100 + number)))["kills"]
    assert counts >= trials


@pytest.mark.browser
@only_sqlite
def test_browsers_that_are_killed_in_four_ways_break_no_promise(plan):
    counts = summed(level_c.trials(plan(1, seed=4), kills=len(level_c.VICTIMS)))
    assert {f"victim {victim}" for victim in level_c.VICTIMS} <= set(counts)


@only_sqlite
@pytest.mark.parametrize("seed", [1, 2], ids=["killed at a commit", "a hundred copies at once"])
def test_however_often_a_callback_comes_it_becomes_one_reply(plan, seed):
    assert summed(level_d.trials(plan(1, seed=seed)))["rows"] == 1


@pytest.mark.browser
@only_sqlite
def test_twenty_starts_under_a_halt_make_no_request(plan):
    counts = summed(walls.trials(plan(1, seed=0)))
    assert counts["starts under a halt"] == walls.RESTARTS
    assert counts["requests of those starts"] == 0
