"""How the host writes: the nearest of the host's own texts, as examples of tone and never as facts. Pure.

They were written to other guests on other days. So names, numbers and addresses are taken out, they stand outside
the marks of the facts, and only the writer of the draft sees them: a source is looked for among the facts alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from math import sqrt

from src.assistant.reading import clean_text, normal_form

MOST = 5
_LONGEST = 300
_FEWEST_LETTERS = 15
_PIECE = 3
_ADDRESS = re.compile(
    r"\S*(?:@|://|www\.)\S*|\S+\.(?:com|net|org|fr|de|es|it|nl|pt|pl|ru|eu|io|app|me)\b\S*", re.IGNORECASE
)
_NUMBER = re.compile(r"\+?\d[\d .,:/()-]*\d|\d")


def mask_example(text: str, guest_name: str | None) -> str:
    """The text without the guest's name, numbers and addresses, on one line, at most 300 characters."""
    masked = _ADDRESS.sub("…", clean_text(text))
    names = "|".join(re.findall(r"[^\W\d_]{2,}", guest_name or ""))
    if names:
        masked = re.sub(rf"(?<!\w)(?:{names})(?!\w)", "{guest}", masked, flags=re.IGNORECASE)
    masked = " ".join(_NUMBER.sub("#", masked).split())
    return masked if len(masked) <= _LONGEST else masked[:_LONGEST].rsplit(" ", 1)[0] + " …"


def choose_examples(
    message: str, texts: Iterable[tuple[str, str | None]], mask_secrets: Callable[[str], str]
) -> tuple[str, ...]:
    """The five texts that have most pieces of words in common with the guest's message, nearest first.

    ``texts`` are pairs of a text and its guest's name, newest first; of equal ones the newest is taken.
    """
    masked = (mask_example(mask_secrets(text), name) for text, name in texts)
    usable = [one for one in dict.fromkeys(masked) if sum(map(str.isalpha, one)) >= _FEWEST_LETTERS]
    wanted = _pieces(message)
    return tuple(sorted(usable, key=lambda one: -_nearness(wanted, _pieces(one)))[:MOST])


def lay_examples(examples: Sequence[str]) -> str:
    """For the prompt: a JSON list, whatever stands in the texts."""
    return json.dumps(list(examples), ensure_ascii=False) if examples else "none yet"


def _pieces(text: str) -> frozenset[str]:
    words = re.findall(r"\w+", normal_form(text).casefold())
    return frozenset(word[i : i + _PIECE] for word in words for i in range(max(1, len(word) - _PIECE + 1)))


def _nearness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / sqrt(len(one) * len(other)) if one and other else 0.0
