"""What a channel promises that fetches files of messages (``Fetches``)."""

from __future__ import annotations

import pytest

from src.channels.base import Fetches
from src.errors import PermanentError, TooLarge, TransientError

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_file_is_fetched_whole(world):
    assert isinstance(world.channel, Fetches)
    media = world.file(b"OggS and more")
    assert (await world.channel.fetch(media, 100)).data == b"OggS and more"


async def test_a_file_that_is_too_large_is_not_read(world):
    media = world.file(b"x" * 101)
    with pytest.raises(TooLarge):
        await world.channel.fetch(media, 100)


async def test_a_file_that_is_not_there_is_a_permanent_error_and_a_service_that_is_away_a_passing_one(world):
    with pytest.raises(PermanentError):
        await world.channel.fetch("media-404", 100)
    media = world.file(b"OggS")
    world.goes_away()
    with pytest.raises(TransientError):
        await world.channel.fetch(media, 100)
