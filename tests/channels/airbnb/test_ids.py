"""Airbnb's ids: base64 of a kind and a number, in exactly one form."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.channels.airbnb import ids, is_conversation_id


def test_the_field_guides_example_is_a_conversation():
    assert ids.encode("MessageThread", 1234567) == "TWVzc2FnZVRocmVhZDoxMjM0NTY3"
    assert ids.thread_number("TWVzc2FnZVRocmVhZDoxMjM0NTY3") == 1234567
    assert is_conversation_id("TWVzc2FnZVRocmVhZDoxMjM0NTY3")


@given(
    st.integers(min_value=0, max_value=10**20 - 1), st.sampled_from(["MessageThread", "Message", "Viewer"])
)
def test_what_is_encoded_is_decoded_as_its_own_kind_only(number: int, kind: str):
    text = ids.encode(kind, number)
    assert ids.decode(kind, text) == number
    assert [
        other for other in ("MessageThread", "Message", "Viewer") if ids.decode(other, text) is not None
    ] == [kind]


@given(st.one_of(st.text(), st.binary(), st.integers(), st.none(), st.lists(st.text()), st.booleans()))
def test_anything_else_is_no_id_and_no_error(value: object):
    number = ids.thread_number(value)
    assert number is None or ids.encode("MessageThread", number) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1234567",
        "TWVzc2FnZVRocmVhZDoxMjM0NTY3\n",
        " TWVzc2FnZVRocmVhZDoxMjM0NTY3",
        "TWVzc2FnZVRocmVhZDoxMjM0NTY3====",
        "TWVzc2FnZVRocmVhZDoxMjM0NTY3" * 9,
        *(
            base64.b64encode(plain.encode()).decode()
            for plain in (
                "MessageThread:",
                "MessageThread:01234567",
                "MessageThread:-7",
                "MessageThread:12 ",
                "MessageThread:12\n",
                "MessageThread:١٢",
                "messagethread:12",
                "Message:12",
                "MessageThread:12/../../login",
                "MessageThread:" + "1" * 21,
            )
        ),
        base64.b64encode(b"MessageThread:\xff").decode(),
    ],
)
def test_another_form_of_an_id_is_none(text: str):
    assert ids.thread_number(text) is None
    assert not is_conversation_id(text)


def test_a_message_id_gives_the_number_that_the_page_shows():
    assert ids.message_number(ids.encode("Message", 20_000_000_017)) == 20_000_000_017
    assert ids.message_number(ids.encode("MessageThread", 20_000_000_017)) is None
