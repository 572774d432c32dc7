"""An answer as several short messages, the way people write in a chat. Pure.

What the AI gives in parts stays in its parts. One text is taken apart at its blank lines, then at the ends of
sentences; never inside a list, and never inside a word, so no address and no number is torn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from src.services.said import join_parts

COMFORTABLE = 220
"""Characters: a longer paragraph is taken apart at its sentences."""
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_LIST_LINE = re.compile(r"\s*(?:[-*•–]|\d{1,2}[.)])\s+\S")
# The end of a sentence: not after a digit or a single letter ("1. First", "z. B.", "J. Doe").
_SENTENCE_END = re.compile(r"(?<=[^\W\d_]{2}[.!?…])[\"”»)]?[ \t]+(?=[^\W\d_a-zß-ÿ]|[¿¡\"“«(])")
_ABBREVIATION = re.compile(
    r"\b(?:mr|mrs|ms|dr|st|no|nr|approx|env|min|max|tel|etc|ca|bzw|inkl)\.$", re.IGNORECASE
)


def fit_parts(parts: Sequence[str], most: int) -> list[str]:
    """The AI's own parts, at most ``most``: what is too many goes together into the last one."""
    kept = [part.strip() for part in parts if part.strip()]
    return kept if len(kept) <= most else [*kept[: most - 1], join_parts(kept[most - 1 :])]


def split_text(text: str, most: int) -> list[str]:
    """One text as at most ``most`` messages; itself where it is short or must stay whole."""
    if most <= 1:
        return [text]
    pieces = [piece for block in _blocks(text) for piece in _comfortable(block)]
    while len(pieces) > most:
        at = min(range(len(pieces) - 1), key=lambda one: len(pieces[one]) + len(pieces[one + 1]))
        pieces[at : at + 2] = [f"{pieces[at]}\n\n{pieces[at + 1]}"]
    return pieces


def _blocks(text: str) -> list[str]:
    """The paragraphs. A list is one with what introduces it, however many blank lines are in it."""
    found: list[str] = []
    for block in _BLANK_LINES.split(text.strip()):
        goes_on = found and _LIST_LINE.match(block) and (_is_list(found[-1]) or found[-1].endswith(":"))
        if goes_on:
            found[-1] = f"{found[-1]}\n\n{block}"
        else:
            found.append(block)
    return found


def _is_list(block: str) -> bool:
    return any(_LIST_LINE.match(line) for line in block.splitlines())


def _comfortable(block: str) -> Iterator[str]:
    """A paragraph, or its sentences in runs that are comfortable to read."""
    if len(block) <= COMFORTABLE or _is_list(block):
        yield block
        return
    run = ""
    for sentence in _sentences(block):
        if run and len(run) + len(sentence) + 1 > COMFORTABLE:
            yield run
            run = sentence
        else:
            run = f"{run} {sentence}" if run else sentence
    yield run


def _sentences(block: str) -> Iterator[str]:
    begin = 0
    for end in _SENTENCE_END.finditer(block):
        sentence = block[begin : end.end()].strip()
        if not _ABBREVIATION.search(sentence):
            yield sentence
            begin = end.end()
    yield block[begin:].strip()
