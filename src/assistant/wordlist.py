"""Word lists as they are written in `rules/<language>.toml`, compiled when they are first needed.

Such a file has one table for each hard class, and `[closing]`. A phrase is a regular expression, one a
line, with conveniences that make a list readable:

* it is matched against folded text: lower case, no accents, look-alike letters and invisible characters
  out. Phrases may be written with accents; ``ä``, ``ö`` and ``ü`` match ``a`` and ``ae``, and so on;
* a blank stands for blanks and punctuation inside a sentence, " ... " for up to 60 characters of the same
  sentence;
* " <> " between two or more parts: all of them in one sentence, in any order, at most 60 characters apart;
* ``'`` is optional or a blank, as guests write "cant" for "can't" and "l eau" for "l'eau";
* ``{name}`` is the entry of that name in ``[words]``;
* it begins and ends at word boundaries, but for languages that write without blanks (``spaced = false``),
  where a blank in a phrase is optional.

``except`` takes back every hit of its class that lies wholly inside one of its own matches, ``except`` of
``[all]`` of every class: "smoke detector" is no smoke, "the smoke detector is beeping" is longer and stays
one.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations
from pathlib import Path
from typing import Any

from src.assistant.reading import normal_form
from src.assistant.values import HardClass

FOLDER = Path(__file__).with_name("rules")
DRAFTS = Path(__file__).with_name("drafts")
LANGUAGES = ("en", "fr", "de", "es", "it", "pt", "nl", "pl", "ru", "ja", "zh", "ko")

_BLANK = r"(?:[^\w!?\n]{1,4})"
_GAP = r"\b[^.!?;\n]{0,60}?\b"
_OPEN_BLANK = r"(?:[^\w!?\n]{0,3})"
_OPEN_GAP = r"[^.!?;。！？；\n]{0,25}?"
_SINGLE = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ı": "i", "ð": "d"})
_QUOTES = str.maketrans(dict.fromkeys("’‘`´ʼ′＇", "'"))
_UMLAUTS = {"ä": "ae?", "ö": "oe?", "ü": "ue?"}


class Phrases:
    """Some phrases of one list. Patterns are compiled when they are first used: a whole list takes a second."""

    def __init__(self, phrases: Iterable[tuple[str, str]], *, spaced: bool) -> None:
        self._phrases = tuple(phrases)
        self._spaced = spaced

    @cached_property
    def together(self) -> re.Pattern[str] | None:
        """All phrases at once; None if there are none. Several times as fast as one after the other."""
        return self._compile("|".join(pattern for _, pattern in self._phrases)) if self._phrases else None

    @cached_property
    def each(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        """Each phrase as it is written, and its pattern."""
        return tuple((written, self._compile(pattern)) for written, pattern in self._phrases)

    def spans(self, folded: str) -> list[tuple[int, int]]:
        """Where one of the phrases stands in a folded text."""
        return [found.span() for found in self.together.finditer(folded)] if self.together else []

    def _compile(self, pattern: str) -> re.Pattern[str]:
        return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)" if self._spaced else pattern)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a list: phrases, and what takes a hit back."""

    phrases: Phrases
    exceptions: Phrases

    def find(self, folded: str, taken_back: Iterable[tuple[int, int]] = ()) -> str | None:
        """The first phrase that stands in a folded text outside of all exceptions, as it is written in the list."""
        if self.phrases.together is None or self.phrases.together.search(folded) is None:
            return None
        exceptions = [*taken_back, *self.exceptions.spans(folded)]
        for written, phrase in self.phrases.each:
            if any(_counts(folded, found.span(), exceptions) for found in phrase.finditer(folded)):
                return written
        return None


@dataclass(frozen=True, slots=True)
class WordList:
    """The list of one language for guests' texts: a table for each class, exceptions for all, and closings."""

    language: str
    classes: Mapping[HardClass, Table]
    everywhere: Phrases
    closings: Phrases


@cache
def load_list(language: str) -> WordList:
    """The list of one of `LANGUAGES`. A mistake in the file is a ValueError that names file and phrase."""
    tables = _read(FOLDER / f"{language}.toml")
    everywhere, closings = tables.pop("all").exceptions, tables.pop("closing").phrases
    return WordList(
        language=language,
        classes={HardClass(name): table for name, table in tables.items()},
        everywhere=everywhere,
        closings=closings,
    )


@cache
def load_draft_list(language: str) -> Mapping[str, Table]:
    """What a draft in one of `LANGUAGES` may not say: `promise`, `free`, `approved`, `person`."""
    return _read(DRAFTS / f"{language}.toml")


def load_all() -> None:
    """Compile every list now: some seconds, better spent in a thread than by the first guest. Repeatable."""
    for language in LANGUAGES:
        words = load_list(language)
        tables = [*words.classes.values(), *load_draft_list(language).values()]
        phrases = [words.everywhere, words.closings, *(one.phrases for one in tables)]
        for one in (*phrases, *(table.exceptions for table in tables)):
            _ = one.together


def _read(path: Path) -> dict[str, Table]:
    tables: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    words = {name: value.strip() for name, value in tables.pop("words", {}).items()}
    spaced = bool(tables.pop("spaced", True))

    def read(lines: str) -> Phrases:
        # The longest first, so that "thank you very much" is not cut after "thank you".
        written = sorted((line.strip() for line in lines.splitlines()), key=len, reverse=True)
        phrases = ((line, _translate(line, words, path, spaced=spaced)) for line in written if line)
        return Phrases(phrases, spaced=spaced)

    return {
        name: Table(read(table.get("phrases", "")), read(table.get("except", "")))
        for name, table in tables.items()
    }


def _counts(folded: str, span: tuple[int, int], exceptions: Iterable[tuple[int, int]]) -> bool:
    inside = any(start <= span[0] and span[1] <= end for start, end in exceptions)
    return not inside and not _cuts_a_word(folded, *span)


def _cuts_a_word(folded: str, start: int, end: int) -> bool:
    """Whether a hit of a list without blanks begins or ends inside a Latin word: "ai" in "available"."""
    return _is_latin(folded[max(start - 1, 0) : start + 1]) or _is_latin(folded[max(end - 1, 0) : end + 1])


def _is_latin(two: str) -> bool:
    return len(two) == 2 and two.isascii() and two.isalpha()


def fold(text: str) -> str:
    """The text as lists see it: normal form, lower case, without accents, straight apostrophes. Pure.

    Marks that change the sound of kana and Hangul stay.
    """
    return _strip_accents(normal_form(text).casefold().translate(_SINGLE).translate(_QUOTES))


def _strip_accents(text: str) -> str:
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFD", text)
    return unicodedata.normalize(
        "NFC", "".join(letter for letter in apart if not "\u0300" <= letter <= "\u036f")
    )


def _translate(line: str, words: Mapping[str, str], path: Path, *, spaced: bool) -> str:
    """One phrase as a regular expression for folded text."""
    if line.startswith("...") or line.endswith("..."):
        raise ValueError(f"{path.name}: {line!r} begins or ends with a gap")
    filled = line
    for _ in range(3):  # an entry of [words] may use others
        filled = re.sub(r"\{([a-z_]+)\}", lambda name: _fill(name.group(1), words, path, line), filled)
    filled = _in_any_order(filled)
    letters = "".join(_UMLAUTS.get(letter, letter) for letter in filled)
    folded = _strip_accents(unicodedata.normalize("NFKC", letters).translate(_SINGLE).translate(_QUOTES))
    return (
        folded.replace("'", r"['\s]?")
        .replace(" ... ", _GAP if spaced else _OPEN_GAP)
        .replace(" ", _BLANK if spaced else _OPEN_BLANK)
        .replace("(?:", "(")
        .replace("(", "(?:")
        .replace("(?:?", "(?")
    )


def _in_any_order(line: str) -> str:
    """Write "a <> b" as "(a ... b|b ... a)": what belongs together, not in which order."""
    parts = line.split(" <> ")
    return line if len(parts) == 1 else f"({'|'.join(' ... '.join(order) for order in permutations(parts))})"


def _fill(name: str, words: Mapping[str, str], path: Path, line: str) -> str:
    if name not in words:
        raise ValueError(f"{path.name}: {line!r} uses {{{name}}}, which [words] has not")
    return words[name]
