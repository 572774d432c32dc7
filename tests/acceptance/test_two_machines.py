"""Two real processes on PostgreSQL share ten accounts, and one of them is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.fleet import Fleet, fleet, play
from tests.support.databases import PostgresServer

pytestmark = [pytest.mark.acceptance, pytest.mark.postgres, pytest.mark.timeout(560)]

SERVED_WITHIN_SEC = 45.0


@pytest.fixture
def ten(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Fleet]:
    tmp_path.chmod(0o700)
    own, apps = (next(postgres_server.new_database()) for _ in range(2))
    with fleet(tmp_path, own, apps) as made:
        yield made


def test_a_killed_process_is_followed_within_45_seconds_and_nothing_is_lost_or_said_twice(ten: Fleet) -> None:
    times = play(ten)
    assert len(times.taken_over) == 5, "each process had its half"
    assert max(times.taken_over) <= SERVED_WITHIN_SEC
    (left,) = ten.machines
    assert ten.end(left) == 0
