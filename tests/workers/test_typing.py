"""That somebody types is shown while a part of an answer waits, and at no other time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from src.channels.pgnotify.settings import PgnotifySettings
from src.errors import TransientError
from src.workers.typing import AGAIN_SEC, Typing
from tests.support.channel import FakeChannel
from tests.support.house import ACCOUNT

PARTS = ("Hello Gerda!", "Yes, there is a cot in the wardrobe, beside the window.")


class TypingChannel(FakeChannel):
    """Shows it, and remembers for whom."""

    capabilities = replace(FakeChannel.capabilities, shows_typing=True)

    def __init__(self, site):
        super().__init__(site)
        self.typed: list[str] = []
        self.error: Exception | None = None

    async def typing(self, external_id: str, on: bool) -> None:
        if self.error is not None:
            raise self.error
        self.typed.append(external_id)


@pytest.fixture
def channel(house):
    house.account_changes = {
        "channel": "pgnotify",
        "own": PgnotifySettings(pace="human"),
        "disclosure": "first_message",
    }
    return TypingChannel(house.site)


@pytest.fixture
def typing(house, channel):
    return Typing(house.db, ACCOUNT, lambda: channel, wakeup=house.wakeup, clock=house.clock)


@pytest.fixture
def where(house):
    return house.site.conversation("Is there a cot?")


async def test_typing_is_shown_when_it_would_begin_and_not_before(house, channel, typing, where):
    house.answer(house.request_for(where), parts=PARTS)
    _, second = house.jobs()
    house.clock.advance((second.typing_from_at - house.clock()).total_seconds() - 0.5)
    first = channel.typed.copy()
    pause = await typing.run_once()
    assert pause <= 0.5 or channel.typed == first
    await house.sent()
    house.clock.advance(0.6)
    channel.typed.clear()
    await typing.run_once()
    await typing.run_once()
    assert channel.typed == [where.external_id]


async def test_a_long_typing_is_shown_again(house, channel, typing, where):
    house.answer(house.request_for(where), parts=PARTS)
    with house.db.write() as conn:
        conn.exec_driver_sql("UPDATE queue_outbox SET due_at = '2030-01-01 00:00:00.000000'")
    house.clock.advance(60)
    await typing.run_once()
    house.clock.advance(AGAIN_SEC)
    await typing.run_once()
    assert channel.typed == [where.external_id] * 2


async def test_without_a_pace_nobody_is_shown_to_type(house, channel, typing, where):
    house.account_changes["own"] = PgnotifySettings()
    house.answer(house.request_for(where), parts=PARTS)
    await typing.run_once()
    assert channel.typed == []


async def test_in_a_pause_nobody_is_shown_to_type(house, channel, typing, where):
    house.answer(house.request_for(where), parts=PARTS)
    house.clock.advance(4)
    with house.db.write() as conn:
        conn.exec_driver_sql("UPDATE accounts SET paused_at = '2026-11-20 12:00:00.000000'")
    await typing.run_once()
    assert channel.typed == []


@pytest.mark.parametrize("error", [TransientError("not now"), TimeoutError()])
async def test_a_remote_that_cannot_show_it_is_no_trouble(house, channel, typing, where, error):
    house.answer(house.request_for(where), parts=PARTS)
    house.clock.advance((house.jobs()[0].due_at - house.clock()).total_seconds())
    channel.error = error
    await typing.run_once()
    assert await house.sent() == 1
