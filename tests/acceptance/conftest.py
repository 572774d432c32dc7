"""Fixtures of the acceptance tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.ai import SandboxAI
from sandbox.airbnb.site import SimulatedSite
from tests.acceptance.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with SimulatedSite() as site, SandboxAI() as ai:
        built = House(tmp_path, site, ai)
        try:
            yield built
        finally:
            built.kill_all()
        assert built.leaks() == []
