"""What a channel promises that shows that an answer is being written (``ShowsTyping``)."""

from __future__ import annotations

import pytest

from src.channels.base import ShowsTyping

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_it_is_shown_and_sends_nothing(world):
    assert isinstance(world.channel, ShowsTyping)
    external_id = world.conversation("One")
    await world.channel.typing(external_id, on=True)
    assert world.typing_shown() == 1
    await world.channel.typing(external_id, on=False)
    assert world.presses(external_id) == 0


async def test_it_never_fails(world):
    external_id = world.conversation("One")
    await world.channel.typing(world.unknown, on=True)
    world.goes_away()
    await world.channel.typing(external_id, on=True)
    await world.channel.close()
    await world.channel.typing(external_id, on=True)
