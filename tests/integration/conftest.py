"""Fixtures of the tests on a real database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from src.db.engine import Database
from tests.conftest import Clock
from tests.fakes.house import House


@pytest.fixture
def house(db: Database, clock: Clock) -> Iterator[House]:
    """The product's services on a made-up site and the test's database."""
    with House(db, clock) as made:
        yield made
