"""What a channel promises that is called by its service (``Hears``)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from src.channels.base import Hears
from src.errors import CallRefused
from src.model.inbox import AuthorRole

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_call_tells_a_message_of_a_person_also_while_the_channel_is_closed(make_world):
    assert isinstance(make_world.channel, Hears)
    for _ in range(2):  # a copy tells the same
        heard = make_world.channel.hear(make_world.call("Is there a cot?"))
        (view,) = heard.views
        (message,) = view.messages
        assert (heard.mine, message.text, message.role) == (True, "Is there a cot?", AuthorRole.GUEST)
        assert make_world.channel.is_conversation_id(view.external_id)


async def test_who_cannot_show_that_it_is_the_service_is_not_let_in(make_world):
    with pytest.raises(CallRefused) as caught:
        make_world.channel.hear(make_world.call("Hello", genuine=False))
    assert caught.value.status == 401


async def test_a_call_that_was_changed_on_its_way_is_not_let_in(make_world):
    call = make_world.call("Hello")
    with pytest.raises(CallRefused):
        make_world.channel.hear(replace(call, body=call.body.replace(b"Hello", b"HELLO")))
