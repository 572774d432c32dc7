"""What a channel with a composer promises: a text may stand there that is not ours."""

from __future__ import annotations

import pytest

from src.errors import (
    ComposerBusy,
    TransientError,
)
from tests.support.worlds import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON_SEC = 5.0
AT_ONCE_SEC = 0.2


async def test_a_composer_in_which_somebody_writes_is_left_alone(world: World):
    external_id = world.conversation("One")
    world.somebody_is_writing("Dear Gerda, I")
    await world.channel.read(external_id, anew=True)
    for _ in range(2):
        with pytest.raises(ComposerBusy):
            await world.channel.write(external_id, "Hello")
        await world.channel.clear(external_id)
    assert world.presses(external_id) == 0


async def test_a_composer_that_does_not_take_the_text_is_left_empty(world: World):
    external_id = world.conversation("One")
    world.the_composer_swallows_everything()
    await world.channel.read(external_id, anew=True)
    for _ in range(2):
        with pytest.raises(TransientError) as caught:
            await world.channel.write(external_id, "Hello")
        assert not isinstance(caught.value, ComposerBusy)
    assert world.presses(external_id) == 0
