"""Two real responses, wrong in one place: read rightly, or named as changed; never a wrong reading.

The captures are not part of the repository; where they are missing, these tests are skipped.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.channels.airbnb import wire
from src.errors import PageChanged
from src.model.inbox import GUEST_SIDE, MessageKind, SeenMessage
from tests.channels.airbnb.test_captures_are_understood import LIST, THREAD, load, the_list
from tests.support.mutated import JUNK, Place, mutated, places

pytestmark = pytest.mark.skipif(not (LIST.exists() and THREAD.exists()), reason="the captures are not here")


@functools.cache
def of_file(name: str) -> tuple[Any, list[Place], str]:
    """The response, every place in it, and whose inbox it is."""
    payload = load(LIST if name == "list" else THREAD)
    return payload, list(places(payload)), the_list().viewer_id


def guest_texts(payload: Any, viewer_id: str) -> dict[str, str]:
    """What guests wrote, by message id. PageChanged, or nothing else, may come out of it."""
    found = wire.recognise(payload)
    if isinstance(found, wire.ListPage):
        views = list(found.conversations)
    else:
        views = [wire.thread_view(found, viewer_id)] if isinstance(found, wire.ThreadPage) else []
    messages: list[SeenMessage] = [message for view in views for message in view.messages]
    return {
        m.external_id: m.text
        for m in messages
        if m.role in GUEST_SIDE and m.kind is MessageKind.TEXT and m.text is not None and not m.deleted
    }


@pytest.mark.parametrize("name", ["list", "thread"])
def test_a_response_that_is_wrong_in_one_place_is_read_rightly_or_named(name: str) -> None:
    payload, everywhere, viewer_id = of_file(name)
    genuine = guest_texts(payload, viewer_id)

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(place=st.sampled_from(everywhere), junk=st.sampled_from(JUNK))
    def one_change(place: Place, junk: object) -> None:
        try:
            read = guest_texts(mutated(payload, place, junk), viewer_id)
        except PageChanged:
            return
        touched = "body" in place or "content" in place
        for external_id, text in read.items():
            assert external_id in genuine, "a message that nobody wrote"
            assert text == genuine[external_id] or touched

    one_change()
