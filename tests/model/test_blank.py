"""What shows nothing is empty, whatever it is made of."""

import json
import subprocess
import sys
from pathlib import Path

import playwright
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.model.blank import is_blank

_NODE = Path(playwright.__file__).parent / "driver" / "node"
_IGNORABLE = """
const found = [];
for (let point = 0; point < 0x110000; point++)
  if (/\\p{Default_Ignorable_Code_Point}|\\p{White_Space}/u.test(String.fromCodePoint(point))) found.push(point);
console.log(JSON.stringify(found));
"""


@pytest.mark.parametrize(
    "char",
    [
        *(
            "\u3164",
            "\u2800",
            "\u115f",
            "\u1160",
            "\uffa0",
            "\u034f",
            "\u17b4",
            "\u180b",
            "\ufe0f",
            "\U000e0100",
        ),
        *("\ufffc", "\U0001d159", "\u200b", "\u00ad", "\u2066", "\u3000", "\ufeff", "\n", "\0", ""),
    ],
    ids=ascii,
)
def test_a_text_of_characters_that_are_drawn_as_nothing_is_blank(char):
    assert is_blank(char)
    assert is_blank(f" {char * 3}\n")
    assert not is_blank(f"{char}.{char}")


def test_every_character_that_unicode_calls_ignorable_or_a_space_is_blank():
    """Unicode's own list, as the JavaScript engine of the browser's driver has it."""
    if not _NODE.exists():
        pytest.skip("Playwright's driver has no Node of its own here")
    said = subprocess.run([_NODE, "-e", _IGNORABLE], capture_output=True, check=True, timeout=60).stdout
    points = json.loads(said)
    assert len(points) > 4000
    assert [hex(point) for point in points if not is_blank(chr(point))] == []


@given(st.text(st.characters(categories=["L", "N", "P", "Sm", "Sc", "Sk"]), min_size=1))
def test_a_text_with_a_letter_a_digit_or_a_sign_is_not_blank(text):
    fillers = set("\u115f\u1160\u3164\uffa0")
    assert is_blank(text) == (set(text) <= fillers)


def test_hardly_any_character_is_blank():
    """A table that grew too wide would refuse replies in somebody's language."""
    drawn = [
        point
        for point in range(sys.maxunicode + 1)
        if not 0xD800 <= point < 0xE000 and not chr(point).isspace() and chr(point).isprintable()
    ]
    blank = {point for point in drawn if is_blank(chr(point))}
    assert len({point for point in blank if point < 0xE0000}) < 50


@pytest.mark.parametrize("text", ["👍", "?", "é", "ㅋ", "はい", "⠓", "͡°", "🏴\U000e0067\U000e007f"])
def test_what_can_be_seen_is_not_blank(text):
    assert not is_blank(text)
