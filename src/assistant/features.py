"""What the learned vote sees of a text: parts of words, words, and pairs of words. Pure.

`scripts/learn_vote.py`, which learns the weights, and `vote.py`, which uses them, must see the same: both ask this.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import pairwise

from src.assistant.wordlist import fold

BUCKETS = 1 << 17
"""Features are numbers below this: a hash of what is written, as no list of all features is shipped."""

_SENTENCE_END = re.compile(r"[.!?;\n。！？；…]+")
_WORD = re.compile(r"[^\W_]+")
_WITHOUT_BLANKS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def find_features(text: str) -> list[int]:
    """The features of a raw text, each once, in rising order. Numbers below `BUCKETS`."""
    found = {name for sentence in _SENTENCE_END.split(fold(text)) for name in _name_features(sentence)}
    if "?" in text or "？" in text:
        found.add("?")
    return sorted({zlib.crc32(name.encode()) % BUCKETS for name in found})


def _name_features(sentence: str) -> Iterator[str]:
    words: list[str] = []
    for word in _WORD.findall(sentence):
        if word.isdigit():
            words.append("0")  # which number it is says nothing
        elif _WITHOUT_BLANKS.search(word):
            for length in (1, 2, 3, 4):
                yield from (f"c{word[at : at + length]}" for at in range(len(word) - length + 1))
        else:
            words.append(word)
            bounded = f"<{word}>"
            for length in (2, 3, 4) if "\uac00" <= word[0] <= "\ud7af" else (4, 5, 6):
                yield from (f"g{bounded[at : at + length]}" for at in range(len(bounded) - length + 1))
    yield from (f"w{word}" for word in words)
    yield from (f"b{first} {second}" for first, second in pairwise(words))
    yield from (f"s{first} {second}" for first, second in zip(words, words[2:], strict=False))
