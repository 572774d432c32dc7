"""What ``doctor`` says: a line for each thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do about it."""

    what: str
    words: str
    help: str = ""
    ok: bool = True
    code: int = 0
    """What doctor ends with, if nothing worse is found."""


def missing(what: str, words: str, help_text: str, code: int = 1) -> Finding:
    """Something that syncsend needs is not there. ``code`` is 2 for a setting with which no command starts."""
    return Finding(what, words, help_text, ok=False, code=code)
