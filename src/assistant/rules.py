"""Hard rules on the guest's text: which messages a person answers, and which need no answer, without a model.

Outside any model, on purpose (ADR 0038): what a model can be talked into, a list cannot. Word lists come first
(`wordlist.py`); where they find nothing, a learned vote is asked (`vote.py`, ADR 0073). Both can only hold a
message back; nothing that they miss is thereby allowed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from src.assistant.reading import normal_form
from src.assistant.values import HardClass
from src.assistant.vote import vote
from src.assistant.wordlist import LANGUAGES, WordList, fold, load_list

# Longer texts are judged up to here: Airbnb and the chat's API take no more than about 4,000 characters.
LONGEST = 20_000
# More words than this are no mere "thanks": something else is said, whatever the words are.
CLOSING_WORDS = 25
VOTE = "learned vote"
"""In place of a phrase: the lists found nothing, the learned vote did."""

_WORD = re.compile(r"[^\W\d_]+")
_NAME_AFTER = re.compile(r"(?<=[^\W\d_][ ,]) ?([^\W\d_]{2,15})(?![^\W_])")


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A hard class that was found. `phrase` is the list's own entry or `VOTE`, never the guest's words."""

    hard_class: HardClass
    phrase: str


def find_classes(text: str, language: str | None) -> tuple[RuleHit, ...]:
    """The hard classes of a guest's text: those of the lists; if there are none, the one of the learned vote. Pure.

    Args:
        text: raw; it is folded here.
        language: ISO 639-1 code of the text, judged by that list and the English one, since guests mix English in.
            Without a list, or with None: judged by all lists.
    """
    hits = find_by_lists(text, language)
    voted = None if hits else vote(text[:LONGEST], language)
    return hits if voted is None else (RuleHit(voted, VOTE),)


def find_by_lists(text: str, language: str | None) -> tuple[RuleHit, ...]:
    """The hard classes that word lists find, at most one hit for each, in the order of `HardClass`. Pure."""
    folded = fold(text[:LONGEST])
    hits: dict[HardClass, RuleHit] = {}
    codes = _lists_for(language)
    # What the text's own list takes back, the English one that is asked beside it does not hold: "hospital".
    own = load_list(codes[0]) if len(codes) == 2 else None
    for code in codes:
        for hit in _judge(folded, load_list(code), own):
            hits.setdefault(hit.hard_class, hit)
    return tuple(hits[hard_class] for hard_class in HardClass if hard_class in hits)


def is_closing(text: str, language: str | None) -> bool:
    """True if the text only thanks, agrees or says good-bye, so that no answer is needed. Pure.

    Never with a question mark or a digit, nor with one word that no list of closings has, but a first name
    after them ("Merci Camille"). An emoji alone is a closing. Whether the message before was ours is the
    caller's to know.
    """
    seen = normal_form(text).strip()
    if not seen or any(letter in "?？؟;;" or unicodedata.category(letter) == "Nd" for letter in seen):
        return False
    if len(_WORD.findall(seen)) > CLOSING_WORDS or len(seen) > 300:
        return False
    # Short words are taken for another language easily, and all lists may judge: each word must be in one list.
    codes = dict.fromkeys((*_lists_for(language), *LANGUAGES))
    return any(_is_only_closings(seen, load_list(code)) for code in codes)


def _lists_for(language: str | None) -> tuple[str, ...]:
    if language not in LANGUAGES:
        return LANGUAGES
    return (language, "en") if language != "en" else ("en",)


def _judge(folded: str, words: WordList, own: WordList | None) -> Iterable[RuleHit]:
    everywhere = words.everywhere.spans(folded)
    for hard_class, table in words.classes.items():
        taken_back = own.classes[hard_class].exceptions.spans(folded) if own and own is not words else []
        written = table.find(folded, [*everywhere, *taken_back])
        if written is not None:
            yield RuleHit(hard_class, f"{words.language}: {written}")


def _is_only_closings(seen: str, words: WordList) -> bool:
    folded = fold(seen)
    rest = words.closings.together.sub(" ", folded) if words.closings.together else folded
    left = _WORD.findall(rest)
    if not left:
        return True
    # One unknown word with a capital after a closing: the host's first name.
    names = {fold(found) for found in _NAME_AFTER.findall(seen) if found[0].isupper()}
    return len(left) == 1 and left[0] in names and rest != folded and not find_by_lists(seen, None)
