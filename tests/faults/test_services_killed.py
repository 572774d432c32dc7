"""A few trials of ``services_killed``; the script makes any number of them."""

from __future__ import annotations

import pytest

from tests.faults.killed_sides import SIDES
from tests.faults.services_killed import BAD, kill_again_and_again, prepared


@pytest.mark.parametrize("name", sorted(SIDES))
def test_killed_at_random_steps_no_message_is_lost_and_no_reply_goes_out_twice(name, tmp_path):
    tmp_path.chmod(0o700)
    with prepared(name, tmp_path) as side:
        found = kill_again_and_again(side, tmp_path, kills=3, seed=4711)
    assert found["killed"] == 3
    assert found["taken by the service"] > 0
    assert {one: found[one] for one in BAD} == dict.fromkeys(BAD, 0)
