"""Is what the site shows the reply that we sent? Tolerant of what a site rewrites, of nothing else. Pure.

A site may change spaces and line ends, and it masks contact data before a booking (field guide, section 7:
"(… hidden by Airbnb)"; the exact wording is a guess, so it is recognised by what is missing, not by what is there).
"""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher

_INVISIBLE = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\ufe0e\ufe0f\u00ad]")
_CONTACT = re.compile(r"@|https?:|www\.|\w\.\w|\d{2}|\+\d|^[\d()+./\-]+$", re.IGNORECASE)
_CLOSE_ENOUGH = 0.9
"""Share of equal characters that still counts as the same text, for replies of some length."""
_LONG_ENOUGH = 20
_MASK_AT_MOST = 12
"""Words that a mask may put in the place of one piece of contact data."""
_MOSTLY = 0.6
"""Share of equal letters and digits of a text that a site has rewritten; two answers of people share fewer."""


def normalised(text: str) -> str:
    """Composed characters, no invisible ones, every run of white space one space."""
    return " ".join(unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).split())


def same_reply(intended: str, shown: str | None) -> bool:
    """Whether ``shown`` is ``intended`` as a site may show it."""
    if shown is None:
        return False
    ours, theirs = normalised(intended), normalised(shown)
    if not ours or not theirs:  # nothing that could be compared, and so no proof of anything
        return False
    if ours == theirs:
        return True
    if _only_contact_data_masked(ours.split(), theirs.split()):
        return True
    return nearly_equal(ours, theirs)


def nearly_equal(one: str, other: str) -> bool:
    """Whether two texts of some length differ in a few characters only; never for short ones."""
    if min(len(one), len(other)) < _LONG_ENOUGH:
        return False
    close = SequenceMatcher(None, one, other, autojunk=False)
    quick = close.real_quick_ratio() >= _CLOSE_ENOUGH and close.quick_ratio() >= _CLOSE_ENOUGH
    return quick and close.ratio() >= _CLOSE_ENOUGH


def mostly_same(intended: str, shown: str | None) -> bool:
    """Whether ``shown`` has most letters and digits of ``intended`` and few others: too little to prove a reply by.

    False where there is nothing to compare, as in a text of emoji alone.
    """
    ours, theirs = _letters(intended), _letters(shown or "")
    if not ours or not theirs:
        return False
    return SequenceMatcher(None, ours, theirs, autojunk=False).ratio() >= _MOSTLY


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(one for one in plain if unicodedata.category(one)[0] in "LMN")


def _only_contact_data_masked(ours: list[str], theirs: list[str]) -> bool:
    kept = 0
    for tag, start, end, other_start, other_end in SequenceMatcher(
        None, ours, theirs, autojunk=False
    ).get_opcodes():
        if tag == "equal":
            kept += end - start
        elif (
            tag == "insert"
            or not any(_CONTACT.search(word) for word in ours[start:end])
            or end - start > _MASK_AT_MOST
            or other_end - other_start > _MASK_AT_MOST
        ):
            return False
    return kept >= 2
