"""The numbers of a fact, each with what it counts, to see whether two facts disagree. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict

_CLOCK = re.compile(
    r"\b(\d{1,2})\s*(?::|h|\.)\s*(\d{2})\b(?!\s*[€$£%])(?:\s*([ap])\.?m\b\.?)?", re.IGNORECASE
)
_HOUR = re.compile(r"\b(\d{1,2})\s*(?:([ap])\.?\s?m\b\.?|h\b|uhr\b|heures?\b)", re.IGNORECASE)
_MONEY = re.compile(
    r"(?:[€$£¥]|\b(?:EUR|USD|GBP|CHF)\b)\s*(\d+(?:[.,]\d+)?)|(\d+(?:[.,]\d+)?)\s*(?:[€$£¥]|\b(?:EUR|USD|GBP|CHF|euros?|dollars?)\b)",
    re.IGNORECASE,
)
_COUNT = re.compile(r"(\d+(?:[.,]\d+)?)\s*(%|[^\W\d_]+)?")


def count_by_kind(text: str) -> dict[str, set[str]]:
    """The numbers of a text by what they count: "time", "money", or the word behind them. "3 pm" is 15:00."""
    found: dict[str, set[str]] = defaultdict(set)
    rest = unicodedata.normalize("NFKC", text)

    def clock(match: re.Match[str]) -> str:
        found["time"].add(_as_time(match[1], match[2], match[3]))
        return " "

    def hour(match: re.Match[str]) -> str:
        found["time"].add(_as_time(match[1], "00", match[2]))
        return " "

    def money(match: re.Match[str]) -> str:
        found["money"].add(_as_number(match[1] or match[2]))
        return " "

    rest = _MONEY.sub(money, rest)
    rest = _CLOCK.sub(clock, rest)
    rest = _HOUR.sub(hour, rest)
    for match in _COUNT.finditer(rest):
        found[(match[2] or "").casefold()[:4]].add(_as_number(match[1]))
    return dict(found)


def disagree(ours: dict[str, set[str]], theirs: dict[str, set[str]]) -> bool:
    """Whether two texts give other numbers for the same kind of thing. One that only says more does not."""
    return any(
        not (ours[kind] <= theirs[kind] or theirs[kind] <= ours[kind]) for kind in ours.keys() & theirs.keys()
    )


def _as_time(hour: str, minute: str, half: str | None) -> str:
    hours = int(hour)
    if half:
        hours = hours % 12 + (12 if half.lower() == "p" else 0)
    return f"{hours:02d}:{minute}"


def _as_number(text: str) -> str:
    return f"{float(text.replace(',', '.')):g}"
