"""What every channel promises (``src/channels/base.py``).

The tests of the services run on the fakes; that they mean anything rests on this.
"""

from __future__ import annotations

import pytest

from src.channels.airbnb.thread_reader import ThreadReader
from src.errors import (
    CannotWrite,
    ChannelGone,
    NotUnderstood,
    PermanentError,
    TransientError,
)
from src.model.inbox import AuthorRole, MessageKind
from tests.support.worlds import PRESS, World, has, texts

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON_SEC = 5.0
AT_ONCE_SEC = 0.2


async def test_it_can_be_closed_twice_and_opened_again(make_world: World):
    channel = make_world.channel
    external_id = make_world.conversation("Hello")
    await channel.close()
    for _ in range(2):
        await channel.open()
        await channel.read(external_id)
        await channel.close()
        await channel.close()


async def test_what_is_closed_says_that_it_is_gone(make_world: World):
    external_id = make_world.conversation("Hello")
    await make_world.channel.open()
    await make_world.channel.close()
    with pytest.raises(ChannelGone):
        await make_world.channel.read(external_id)


async def test_it_knows_the_form_of_its_ids(make_world: World):
    await make_world.channel.open()
    external_id = make_world.conversation("Hello")
    assert make_world.channel.is_conversation_id(external_id)
    assert make_world.channel.is_conversation_id(make_world.unknown)
    for other in getattr(make_world, "other_ids", ("", "1234567", "../etc/passwd", "Hello")):
        assert not make_world.channel.is_conversation_id(other)


@pytest.mark.parametrize("anew", [False, True])
async def test_reading_returns_roles_kinds_and_texts_in_their_order(world: World, anew: bool):
    external_id = world.conversation("Is there a cot?")
    world.host_writes(external_id, "Let me see")
    world.cohost_writes(external_id, "It is in the\nwardrobe")
    world.photo(external_id)
    world.guest_writes(external_id, "Found it 😊")
    view = await world.channel.read(external_id, anew=anew)
    assert (view.external_id, view.opened, view.has_older) == (external_id, True, False)
    assert [(m.role, m.kind) for m in view.messages] == [
        (AuthorRole.GUEST, MessageKind.TEXT),
        (AuthorRole.HOST, MessageKind.TEXT),
        (AuthorRole.TEAM, MessageKind.TEXT),
        (AuthorRole.GUEST, MessageKind.MEDIA),
        (AuthorRole.GUEST, MessageKind.TEXT),
    ]
    assert texts(view) == ["Is there a cot?", "Let me see", "It is in the\nwardrobe", None, "Found it 😊"]
    assert len({m.external_id for m in view.messages}) == 5
    assert [m.sent_at for m in view.messages] == sorted(m.sent_at for m in view.messages)


@pytest.mark.parametrize("anew", [False, True])
async def test_reading_again_shows_what_the_site_has_now(world: World, anew: bool):
    external_id = world.conversation("One")
    await world.channel.read(external_id)
    world.guest_writes(external_id, "Two")
    assert texts(await world.channel.read(external_id, anew=anew)) == ["One", "Two"]


async def test_reading_goes_back_until_it_is_enough(world: World):
    world.messages_are_told_a_few_at_a_time()
    external_id = world.conversation(*(f"Message {n}" for n in range(80)), minutes_ago=5)
    view = await world.channel.read(external_id)
    assert view.has_older
    assert view.newest.text == "Message 79"
    wanted = has("Message 10", AuthorRole.GUEST)
    assert not wanted(view)
    view = await world.channel.read(external_id, enough=wanted, anew=True)
    assert wanted(view)
    everything = await world.channel.read(external_id, enough=lambda _: False, anew=True)
    assert texts(everything) == [f"Message {n}" for n in range(80)]
    assert not everything.has_older


@pytest.mark.parametrize("anew", [False, True])
async def test_a_conversation_that_the_site_does_not_have_is_a_permanent_error(
    world: World, anew: bool, monkeypatch: pytest.MonkeyPatch
):
    """Or is not understood: how the real site says it is not known (the simulated one answers with an error)."""
    monkeypatch.setattr(ThreadReader, "ADDRESS_SEC", 1.0)
    world.conversation("Hello")
    with pytest.raises((PermanentError, NotUnderstood)) as caught:
        await world.channel.read(world.unknown, anew=anew)
    assert getattr(caught.value, "reason", "no_such_conversation") == "no_such_conversation"
    assert world.channel.name == "airbnb" or isinstance(caught.value, PermanentError)


async def test_rereading_shows_what_has_come_since(world: World):
    external_id = world.conversation("One")
    await world.channel.read(external_id)
    assert texts(await world.channel.reread(external_id)) == ["One"]
    world.guest_writes(external_id, "Two")
    assert texts(await world.channel.reread(external_id)) == ["One", "Two"]


@pytest.mark.parametrize("method", ["write", "reread", "press_send"])
async def test_nothing_is_done_in_a_conversation_that_is_not_the_open_one(world: World, method: str):
    opened, other = world.conversation("One"), world.conversation("Two")
    await world.channel.read(opened)
    arguments = {"write": ("Hello",), "press_send": (PRESS,)}.get(method, ())
    with pytest.raises(TransientError):
        await getattr(world.channel, method)(other, *arguments)
    assert world.texts(opened) == ["One"]
    assert world.texts(other) == ["Two"]


async def test_a_text_is_written_pressed_once_and_followed_until_the_site_has_it(world: World):
    external_id = world.conversation("Is there a cot?")
    text = "Yes, there is one:\nin the wardrobe.\n\nKind regards 😊"
    await world.channel.read(external_id)
    await world.channel.write(external_id, text)
    assert world.presses(external_id) == 0
    before = await world.channel.reread(external_id)
    assert texts(before) == ["Is there a cot?"]
    await world.channel.press_send(external_id, PRESS)
    view = await world.channel.follow(external_id, has(text), SOON_SEC * 2)
    assert view is not None
    assert world.presses(external_id) == 1
    assert world.texts(external_id) == ["Is there a cot?", text]
    assert view.newest.external_id not in {m.external_id for m in before.messages}
    again = await world.channel.read(external_id, anew=True)
    assert texts(again) == ["Is there a cot?", text]
    assert again.newest.external_id == view.newest.external_id


async def test_following_ends_with_its_time(world: World):
    external_id = world.conversation("One")
    await world.channel.read(external_id)
    assert await world.channel.follow(external_id, has("Nobody writes this"), AT_ONCE_SEC) is None


async def test_what_was_written_can_be_taken_out_again(world: World):
    external_id = world.conversation("One")
    await world.channel.read(external_id)
    await world.channel.write(external_id, "First try")
    await world.channel.clear(external_id)
    await world.channel.clear(external_id)
    await world.channel.write(external_id, "Second try")
    await world.channel.press_send(external_id, PRESS)
    assert await world.channel.follow(external_id, has("Second try"), SOON_SEC * 2)
    assert world.texts(external_id) == ["One", "Second try"]


async def test_writing_can_be_repeated(world: World):
    external_id = world.conversation("One")
    await world.channel.read(external_id)
    for _ in range(2):
        await world.channel.write(external_id, "Hello")
    await world.channel.press_send(external_id, PRESS)
    assert await world.channel.follow(external_id, has("Hello"), SOON_SEC * 2)
    assert world.texts(external_id) == ["One", "Hello"]


async def test_a_conversation_without_composer_cannot_be_written_to(world: World):
    external_id = world.conversation("One")
    world.nobody_can_write()
    await world.channel.read(external_id, anew=True)
    with pytest.raises(CannotWrite):
        await world.channel.write(external_id, "Hello")


async def test_an_answer_from_the_phone_before_the_press_is_seen(world: World):
    external_id = world.conversation("Is there a cot?")
    await world.channel.read(external_id)
    await world.channel.write(external_id, "Yes")
    world.host_writes(external_id, "It is in the wardrobe")
    view = await world.channel.reread(external_id)
    assert texts(view) == ["Is there a cot?", "It is in the wardrobe"]
    assert view.newest.role is AuthorRole.HOST
    await world.channel.clear(external_id)
