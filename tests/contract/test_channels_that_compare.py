"""What a channel promises that compares before it writes, and can say what became of a press."""

from __future__ import annotations

import asyncio

import pytest

from src.errors import (
    NotPressed,
)
from src.model.sending import Finding, Press, Receipt
from tests.support.worlds import PRESS, World

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON_SEC = 5.0
AT_ONCE_SEC = 0.2


async def ready(world: World, external_id: str, text: str = "An answer") -> None:
    await world.channel.read(external_id)
    await world.channel.write(external_id, text)
    await world.channel.reread(external_id)


async def test_a_press_gives_a_receipt_and_is_found_again(world: World):
    external_id = world.conversation("One")
    await ready(world, external_id)
    receipt = await world.channel.press_send(external_id, PRESS)
    assert isinstance(receipt, Receipt)
    view = await world.channel.read(external_id)
    assert view.newest.external_id == receipt.external_id
    found = await world.channel.find(external_id, PRESS)
    assert isinstance(found, Receipt)
    assert found.external_id == receipt.external_id


async def test_what_was_not_pressed_is_certainly_not_there(world: World):
    external_id = world.conversation("One")
    await ready(world, external_id)
    assert await world.channel.find(external_id, PRESS) is Finding.NOT_SENT
    assert await world.channel.find(external_id, Press("another job", None)) is Finding.NOT_SENT


@pytest.mark.parametrize("who", ["guest_writes", "host_writes", "cohost_writes"])
async def test_nothing_is_written_over_what_was_not_read(world: World, who: str):
    external_id = world.conversation("One")
    await ready(world, external_id)
    getattr(world, who)(external_id, "Two")
    with pytest.raises(NotPressed):
        await world.channel.press_send(external_id, PRESS)
    assert world.texts(external_id) == ["One", "Two"]
    assert await world.channel.find(external_id, PRESS) is Finding.NOT_SENT


async def test_views_say_that_they_are_compared_and_which_version_they_are(world: World):
    external_id = world.conversation("One")
    views = [await world.channel.read(external_id) for _ in range(2)]
    world.guest_writes(external_id, "Two")
    views.append(await world.channel.reread(external_id))
    assert all(view.compared for view in views)
    assert views[0].version == views[1].version != views[2].version


async def test_what_is_ready_in_one_conversation_stays_while_others_are_in_hand(world: World):
    at_once = world.channel.capabilities.at_once
    homes = [world.conversation(f"Question {n}") for n in range(at_once)]
    for n, external_id in enumerate(homes):
        await world.channel.read(external_id)
        await world.channel.write(external_id, f"Answer {n}")
    await asyncio.gather(*(world.channel.reread(one) for one in homes))
    presses = [Press(f"job {n}", None) for n in range(at_once)]
    told = await asyncio.gather(*map(world.channel.press_send, homes, presses))
    assert all(isinstance(receipt, Receipt) for receipt in told)
    assert len({receipt.external_id for receipt in told}) == at_once
    for n, external_id in enumerate(homes):
        assert world.texts(external_id) == [f"Question {n}", f"Answer {n}"]
