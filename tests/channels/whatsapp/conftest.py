"""The simulated service, and the product on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from sandbox.whatsapp.cloud import Cloud
from tests.support.whatsapp import Line


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as made:
        yield made


@pytest.fixture
async def line(db, cloud, tmp_path) -> AsyncIterator[Line]:
    made = Line(db, cloud, tmp_path)
    await made.open()
    yield made
    await made.channel.close()
    cloud.stop()
    made.close()
