"""A guest's text in forms that can be judged: cleaned for a reader, and folded for matching."""

from __future__ import annotations

import re
import unicodedata

# Letters that look like Latin ones, from Unicode's confusables (UTS #39, table of 2025), the common Cyrillic and
# Greek ones only. Both cases, because the shapes differ by case.
_CYRILLIC = dict(zip("аАеЕоОрРсСхХуУіІјЈѕЅԁһкКМТВНёЁԛԝ", "aAeEoOpPcCxXyYiIjJsSdhkKMTBHeEqw", strict=True))
_GREEK = dict(zip("αΑβΒΕεΖΗΙιΚκΜΝνΟοΡρΤτΥυΧχγ", "aAbBEeZHIiKkMNvOoPpTtYuXxy", strict=True))
_TO_LATIN = str.maketrans({**_CYRILLIC, **_GREEK})
_TO_CYRILLIC = str.maketrans({latin: letter for letter, latin in _CYRILLIC.items() if letter not in "ёЁ"})
_WORD = re.compile(r"[^\W\d_]+")
# Characters that show nothing and that Unicode does not call format characters.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_BREAKS = str.maketrans(
    {"\r": "\n", "\x0b": "\n", "\x0c": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n"}
)


def clean_text(text: str) -> str:
    """The text as a person sees it: NFKC, without invisible and control characters. Lines and letters stay.

    Pure; cleaning twice gives the same text.
    """
    normal = unicodedata.normalize("NFKC", text.replace("\r\n", "\n").translate(_BREAKS))
    seen = "".join(letter for letter in normal if not _is_invisible(letter))
    return unicodedata.normalize("NFKC", seen)


def normal_form(text: str) -> str:
    """The text for matching only: cleaned, and letters that only look like those of the word's script folded.

    "rеfund" with a Cyrillic "е" becomes "refund". A word wholly in the other script is folded only where every
    letter of it is a look-alike and most letters of the text are of the first script. Case and accents stay.
    """
    cleaned = clean_text(text)
    if cleaned.isascii():
        return cleaned
    latin, cyrillic, greek = _count_scripts(cleaned)
    if not (cyrillic or greek) or not latin:
        return cleaned
    return _WORD.sub(lambda word: _fold_word(word.group(), mostly_latin=latin > cyrillic + greek), cleaned)


def _is_invisible(letter: str) -> bool:
    if letter in "\n\t":
        return False
    if letter in _BLANK_LETTERS or "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef":
        return True
    return unicodedata.category(letter) in {"Cc", "Cf", "Co", "Cn", "Cs"}


def _count_scripts(text: str) -> tuple[int, int, int]:
    latin = cyrillic = greek = 0
    for letter in text:
        if letter.isalpha():
            if letter < "\u0250":
                latin += 1
            elif "\u0400" <= letter <= "\u052f":
                cyrillic += 1
            elif "\u0370" <= letter <= "\u03ff":
                greek += 1
    return latin, cyrillic, greek


def _fold_word(word: str, *, mostly_latin: bool) -> str:
    latin, cyrillic, greek = _count_scripts(word)
    if not cyrillic + greek:
        return word
    as_latin = word.translate(_TO_LATIN)
    if _count_scripts(as_latin)[1:] == (0, 0) and (latin or mostly_latin):
        return as_latin
    if latin:  # a Cyrillic word with Latin look-alikes in it
        as_cyrillic = word.translate(_TO_CYRILLIC)
        return as_cyrillic if _count_scripts(as_cyrillic)[0] == 0 else as_latin
    return word
