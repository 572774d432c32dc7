"""What a channel promises into which a person logs in (``Attended``)."""

from __future__ import annotations

import pytest

from src.channels.base import Attended
from tests.support.worlds import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON_SEC = 5.0
AT_ONCE_SEC = 0.2


async def test_the_login_can_be_saved(world: World):
    assert isinstance(world.channel, Attended)
    await world.channel.save_login()
