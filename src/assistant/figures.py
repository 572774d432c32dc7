"""The figures of a text: clock times and other numbers, written in digits or in words. Pure.

15:00 = 3 pm = 15 h = 15 Uhr = 午後3時. Figures are compared by value: what a number counts is not looked at,
because that would need every language's grammar. A changed number is found unless its new value stands in the
facts, too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from src.assistant.reading import clean_text

_HALF = r"(?:\s*(?P<half>[ap])\.?\s?m\b\.?)"
_CLOCK = re.compile(
    rf"(?<![\d:.,])(?P<hour>\d{{1,2}})\s?(?::|h|H|時|시|点|點)\s?(?P<minute>[0-5]\d)(?!\d){_HALF}?",
    re.IGNORECASE,
)
_DOTTED = re.compile(
    rf"(?<![\d:.,])(?P<hour>\d{{1,2}})\.(?P<minute>[0-5]\d)(?:\s*(?:uhr|h\b|uur)|{_HALF})", re.IGNORECASE
)
_HOUR = re.compile(
    rf"(?<![\d:.,])(?P<hour>\d{{1,2}})(?:{_HALF}|\s?(?:h|hs|uhr|uur|heures?|o'?clock|godz\.?|часов|час[ауы]?)\b|\s?(?:時|시|点|點)(?!間|间|钟后|간))",
    re.IGNORECASE,
)
_BEFORE_CJK = re.compile(
    r"(?P<half>午後|下午|晚上|오후|저녁|午前|上午|早上|오전)\s?(?P<hour>\d{1,2})\s?(?:(?:時|点|點|시)\s?(?P<minute>[0-5]\d|半|반)?|:(?P<minute2>[0-5]\d))"
)
_NUMBER = re.compile(r"\d{1,3}(?:[.,'  ]\d{3})+(?!\d)|\d+(?:[.,]\d+)?")
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}")
_AFTERNOON = frozenset({"午後", "下午", "晚上", "오후", "저녁"})

# Without 1, which is an article in most languages, and without words that mean something else, too: neuf (new),
# sei (you are), once, cent.
_WORDS = {
    2: "two deux zwei dos due dois duas twee dwa dwie два две",
    3: "three trois drei tres tre três drie trzy три",
    4: "four quatre vier cuatro quattro quatro cztery четыре",
    5: "five cinq fünf cinco cinque vijf pięć пять",
    6: "six sechs seis zes sześć шесть",
    7: "seven sept sieben siete sette sete zeven siedem семь",
    8: "eight huit acht ocho otto oito osiem восемь",
    9: "nine neun nueve nove negen dziewięć девять",
    10: "ten dix zehn diez dieci dez tien dziesięć десять",
    11: "eleven onze elf undici jedenaście одиннадцать",
    12: "twelve douze zwölf doce dodici doze twaalf dwanaście двенадцать",
    13: "thirteen treize dreizehn trece tredici treze dertien",
    14: "fourteen quatorze vierzehn catorce quattordici catorze veertien",
    15: "fifteen quinze fünfzehn quince quindici vijftien пятнадцать",
    16: "sixteen seize sechzehn dieciséis sedici dezesseis zestien",
    18: "eighteen dix-huit achtzehn dieciocho diciotto dezoito achttien",
    20: "twenty vingt zwanzig veinte venti vinte twintig dwadzieścia двадцать",
    30: "thirty trente dreißig treinta trenta trinta dertig trzydzieści тридцать",
    40: "forty quarante vierzig cuarenta quaranta quarenta veertig",
    50: "fifty cinquante fünfzig cincuenta cinquanta cinquenta vijftig",
    100: "hundred hundert cien cento honderd сто",
}
_VALUES = {word: value for value, words in _WORDS.items() for word in words.split()}
_SPELLED = re.compile(
    rf"(?<![\w-])(?:{'|'.join(sorted(map(re.escape, _VALUES), key=len, reverse=True))})(?![\w-])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Figures:
    """`times`: minutes of the day. `numbers`: all others, by value; thousands are read both ways ("1.200")."""

    times: frozenset[int]
    numbers: frozenset[float]
    readings: tuple[frozenset[float], ...] = ()
    """Each number as it stands in the text, with all values that it may have."""


def read_figures(text: str) -> Figures:
    """All figures of a text but those in placeholders."""
    rest = clean_text(_PLACEHOLDER.sub(" ", text))
    times: set[int] = set()

    def take(found: re.Match[str]) -> str:
        minutes = _minutes(found)
        if minutes is None:
            return found.group()
        times.add(minutes)
        return " "

    for pattern in (_BEFORE_CJK, _CLOCK, _DOTTED, _HOUR):
        rest = pattern.sub(take, rest)
    readings = [_values(found.group()) for found in _NUMBER.finditer(rest)]
    readings += [frozenset({float(_VALUES[found.group().lower()])}) for found in _SPELLED.finditer(rest)]
    return Figures(frozenset(times), frozenset(value for one in readings for value in one), tuple(readings))


def find_foreign(said: Figures, known: Figures) -> str | None:
    """The first figure that is not known, as text; None if all are. A bare "3" or "15" may be a known full hour."""
    hours = {float(minutes // 60) for minutes in known.times if minutes % 60 == 0}
    for minutes in sorted(said.times):
        if minutes not in known.times and not (
            minutes % 60 == 0 and _as_hour(minutes) & known.numbers and _bare(known)
        ):
            return f"{minutes // 60}:{minutes % 60:02}"
    for values in said.readings:
        if not values & (known.numbers | hours):
            return f"{min(values):g}"
    return None


def _as_hour(minutes: int) -> set[float]:
    return {float(minutes // 60)}


def _bare(known: Figures) -> bool:
    """Whether the facts write hours without a sign ("from 3 to 6"): then a time may be one of their numbers."""
    return not known.times


def _minutes(found: re.Match[str]) -> int | None:
    parts = found.groupdict()
    hour = int(parts["hour"])
    written = parts.get("minute") or parts.get("minute2") or "0"
    minute = 30 if written in {"半", "반"} else int(written)
    half = (parts.get("half") or "").lower()
    if half in {"a", "p"} or half in _AFTERNOON or (half and not half.isascii()):
        if hour > 12:
            return None if half in {"a", "p"} and hour > 23 else hour * 60 + minute
        hour = hour % 12 + (12 if half == "p" or half in _AFTERNOON else 0)
    return hour * 60 + minute if hour <= 24 and minute < 60 else None


def _values(text: str) -> frozenset[float]:
    """All that a number may mean: "1.200" is 1.2 and 1,200."""
    values = set()
    if re.fullmatch(r"\d{1,3}(?:[.,'  ]\d{3})+", text):
        values.add(float(re.sub(r"\D", "", text)))
    if re.fullmatch(r"\d+(?:[.,]\d+)?", text):
        values.add(float(text.replace(",", ".")))
    return frozenset(values)
