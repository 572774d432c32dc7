"""A text from outside, as it is stored and typed."""

from __future__ import annotations

import unicodedata

from src.model.blank import is_blank
from src.services.refusals import Malformed

LONGEST_MESSAGE = 4_000
LONGEST_REASON = 500


def clean_text(field: str, text: str, longest: int) -> str:
    """The text as it is stored: one kind of line end, nothing around it, empty if it shows nothing.

    Malformed if it cannot be typed.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(text) > longest:
        raise Malformed(field, f"is longer than {longest} characters")
    for char in "" if text.isprintable() else text:
        if unicodedata.category(char) in {"Cc", "Cs"} and char not in "\n\t":
            raise Malformed(field, "has a character that cannot be typed")
    return "" if is_blank(text) else text


def clean_message(text: str, field: str = "message") -> str:
    """A reply as it will be typed. Malformed if it is empty, invisible, too long or cannot be typed."""
    text = clean_text(field, text, LONGEST_MESSAGE)
    if not text:
        raise Malformed(field, "is empty")
    return text
