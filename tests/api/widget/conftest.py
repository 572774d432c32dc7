"""A shop whose pages have the widget."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.widget import Shop


@pytest.fixture
async def shop(db: Any, clock: Any, tmp_path: Any) -> AsyncIterator[Shop]:
    made = Shop(db, clock, tmp_path, identify_key="the-key-of-the-shop-itself")
    yield made
    await made.close()
