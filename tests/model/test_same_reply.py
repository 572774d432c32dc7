"""Whether what the site shows is our reply: forgiving about what a site rewrites, strict about everything else."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.model.same_reply import normalised, same_reply

QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)
REPLY = "Hello Gerda, check-in is from 15:00. The key is in the box beside the door. See you soon!"


@pytest.mark.parametrize(
    "shown",
    [
        REPLY,
        f"  {REPLY}\n",
        REPLY.replace(" ", "\u00a0"),
        REPLY.replace(". ", ".\n\n"),
        REPLY.replace(". ", ".\r\n"),
        REPLY.replace("Gerda", "Ger\u200bda"),
        REPLY[:-1],
        REPLY.replace("soon", "soon then"),
    ],
)
def test_spaces_line_ends_invisible_characters_and_trifles_do_not_matter(shown):
    assert same_reply(REPLY, shown)


@pytest.mark.parametrize(
    ("intended", "shown"),
    [
        ("Call me on +44 7700 900123 please", "Call me on (phone number hidden) please"),
        ("Call me on 07700 900 123 please", "Call me on (hidden by the site) please"),
        ("Write to robin@example.com any time", "Write to (email hidden by the site) any time"),
        ("See https://example.com/map for the way", "See [link removed] for the way"),
        ("See www.example.com for the way", "See for the way"),
    ],
)
def test_masked_contact_data_do_not_matter(intended, shown):
    assert same_reply(intended, shown)


@pytest.mark.parametrize(
    ("intended", "shown"),
    [
        (REPLY, None),
        (REPLY, ""),
        (REPLY, "Yes"),
        (REPLY, "Sorry, I will look after it myself and write to you tonight, Henk"),
        ("Yes", "No"),
        ("Yes", "Yes!"),
        ("Yes, of course", "Yes, of course not"),
        ("See you on Monday at 10", "See you on Tuesday at 11"),
        ("Call 07700 900123", "(phone number hidden)"),
        ("Call me on 07700 900123", "Something about me on altogether"),
    ],
)
def test_another_text_is_another_text(intended, shown):
    assert not same_reply(intended, shown)


def test_a_short_text_must_be_the_same_exactly():
    assert same_reply("No problem", "No  problem")
    assert not same_reply("No problem", "No problems")


@pytest.mark.parametrize("shown", ["", "\u200b", " \n"])
def test_a_reply_whose_text_was_taken_out_is_proven_by_nothing(shown):
    assert not same_reply("", shown)


def test_an_invisible_character_within_a_letter_does_not_matter():
    assert same_reply("Caf\u00e9", "Cafe\u200b\u0301")


@QUICK
@given(st.text(min_size=1).filter(normalised))
def test_every_text_is_itself_however_it_is_composed(text):
    assert same_reply(text, text)
    assert same_reply(text, unicodedata.normalize("NFD", text))
    assert same_reply(text, f"\n {text}\u200b ")


@QUICK
@given(st.text(), st.text())
def test_any_two_texts_can_be_compared(intended, shown):
    assert same_reply(intended, shown) in (True, False)


@QUICK
@given(st.text())
def test_what_is_normalised_stays_as_it_is(text):
    assert normalised(normalised(text)) == normalised(text)
