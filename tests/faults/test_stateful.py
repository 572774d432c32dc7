"""Level H, the quick part. ``sh scripts/soak.sh --only H`` is the long one."""

import pytest

from tests.faults.stage import in_one_thread
from tests.faults.stateful import play
from tests.support.house import House
from tests.support.table import WideChannel

SEED = 20_261_121


@pytest.mark.parametrize(
    ("database_url", "stories"),
    [("sqlite", 25), pytest.param("postgresql", 5, marks=pytest.mark.postgres)],
    indirect=["database_url"],
)
def test_whatever_happens_in_whatever_order_the_promises_hold(db, clock, stories):
    with House(db, clock) as house, in_one_thread():
        play(house, stories, SEED)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_so_they_do_with_several_conversations_in_hand(db, clock):
    with House(db, clock, make_channel=WideChannel) as house, in_one_thread():
        play(house, 25, SEED)
