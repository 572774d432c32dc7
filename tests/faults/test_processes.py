"""Levels B, C, D and M, the quick part: real processes that are really killed. The long one: ``sh scripts/soak.sh``."""

import pytest

from tests.faults import api_killed, browser_killed, host, processes, walls
from tests.faults.host_troubles import Impossible
from tests.faults.plan import NoServer, prepared
from tests.faults.tally import Tally

TRIALS = {"sqlite": 3, "postgresql": 1}

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]


def played(trials, number, seed, database="sqlite", **more):
    """What is counted in so many trials, each on a database of its own."""
    try:
        with prepared(number, seed, database) as plan:
            return summed(trials(plan, **more))
    except (NoServer, Impossible) as error:
        pytest.skip(str(error))


def summed(tallies):
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    assert whole.broken == []
    return whole.counts


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_workers_that_are_killed_or_frozen_at_any_step_break_no_promise(database):
    counts = played(processes.trials, TRIALS[database], 100, database)
    assert counts["kills"] >= TRIALS[database]
    assert counts["presses"] > 0


@pytest.mark.browser
def test_browsers_that_are_killed_in_four_ways_break_no_promise():
    counts = played(browser_killed.trials, 1, 4, kills=len(browser_killed.VICTIMS))
    assert {f"victim {victim}" for victim in browser_killed.VICTIMS} <= set(counts)


def test_however_often_a_callback_comes_it_becomes_one_reply():
    assert played(api_killed.trials, 2, 1)["rows"] == 2


@pytest.mark.browser
def test_twenty_starts_under_a_halt_make_no_request():
    counts = played(walls.trials, 1, 0)
    assert counts["starts under a halt"] == walls.RESTARTS
    assert counts["requests of those starts"] == 0


@pytest.mark.browser
@pytest.mark.parametrize("trouble", ["disk", "clock"])
def test_a_machine_in_trouble_for_a_moment_breaks_no_promise(trouble):
    counts = played(host.trials, 1, 0, only=trouble, length=host.MOMENT)
    assert counts[f"trouble {trouble}"] == 1
    assert counts["presses"] >= 2
