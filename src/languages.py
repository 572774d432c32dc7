"""English and French: the words of the dashboard and of alerts, and how times are written in each.

One gettext catalogue for each language, ``src/locale/<code>.po``, read as it stands when it is first asked for; the
keys are the English sentences. ``scripts/update_catalogues.py`` brings both in line with the code.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from gettext import NullTranslations
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_interval, format_time, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal
from babel.support import Translations
from tzlocal import get_localzone

from src.setting_types import LANGUAGES

FOLDER = Path(__file__).with_name("locale")
CODES = LANGUAGES
NAMES = {"en": "English", "fr": "Français"}

_JUST_NOW = timedelta(seconds=2)


def sentence(text: str) -> str:
    """The text itself: marks a sentence for the catalogues that is translated later, where it is shown."""
    return text


class Language:
    """The words of one language. Made by ``language``; holds nothing of a request and may be shared."""

    def __init__(self, code: str, words: NullTranslations) -> None:
        self.code = code
        self.gettext = words.gettext
        self.ngettext = words.ngettext
        self._locale = Locale.parse(code if code != "en" else "en_GB")

    def say(self, text: str, **values: object) -> str:
        """The sentence in this language, with ``%(name)s`` filled in."""
        said = self.gettext(text)
        return said % values if values else said

    def say_many(self, one: str, many: str, number: int) -> str:
        """``%(num)s messages`` in the right form for the number."""
        return self.ngettext(one, many, number) % {"num": self.number(number)}

    def number(self, value: float) -> str:
        return str(format_decimal(value, locale=self._locale))

    def dollars(self, value: float) -> str:
        """US dollars, exact to a hundredth of a cent below one dollar."""
        pattern = "¤#,##0.00" if value >= 1 or value == 0 else "¤0.00##"
        if self.code == "fr":
            pattern = f"{pattern[1:]}\u00a0¤"
        return str(format_currency(value, "USD", pattern, locale=self._locale, currency_digits=False))

    def name_of(self, code: str) -> str:
        """A language's name; its code if it has none here."""
        return str(self._locale.languages.get(code, code))

    def moment(self, at: datetime, zone: tzinfo, *, now: datetime) -> str:
        """Short: the time alone if it is of today, else with the day."""
        there, here = at.astimezone(zone), now.astimezone(zone)
        if there.date() == here.date():
            return str(format_time(there, "short", tzinfo=zone, locale=self._locale))
        pattern = "d MMM HH:mm" if there.year == here.year else "d MMM yyyy HH:mm"
        return str(format_datetime(there, pattern, tzinfo=zone, locale=self._locale))

    def full_moment(self, at: datetime, zone: tzinfo) -> str:
        """Everything, with seconds and time zone."""
        return str(format_datetime(at, "d MMMM yyyy HH:mm:ss zzz", tzinfo=zone, locale=self._locale))

    def day(self, at: datetime, zone: tzinfo, pattern: str = "EEEE d MMMM") -> str:
        return str(format_date(at.astimezone(zone).date(), pattern, locale=self._locale))

    def days(self, first: date, last: date, *, today: date) -> str:
        """“12–15 Aug”, with the year if it is not the present one: two days as people write them together."""
        skeleton = "MMMd" if first.year == last.year == today.year else "yMMMd"
        return str(format_interval(first, last, skeleton, locale=self._locale))

    def ago(self, at: datetime, now: datetime) -> str:
        """“3 minutes ago”, “just now”, or “in 3 minutes” for what is to come."""
        if abs(at - now) < _JUST_NOW:
            return self.say("just now")
        return str(
            format_timedelta(
                at - now, add_direction=True, threshold=1.2, locale=self._locale, granularity="second"
            )
        )

    def duration(self, seconds: float) -> str:
        """“3 h 12 min”, “12 min”, “8 s”: the two largest parts, never negative."""
        whole = max(0, int(seconds))
        days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
        if days:
            return self.say("%(days)d d %(hours)d h", days=days, hours=hours)
        if hours:
            return self.say("%(hours)d h %(minutes)02d min", hours=hours, minutes=minutes)
        if minutes:
            return self.say("%(minutes)d min", minutes=minutes)
        return self.say("%(seconds)d s", seconds=whole)


@cache
def language(code: str) -> Language:
    """The language with this code. KeyError for one that there is no catalogue of."""
    if code not in CODES:
        raise KeyError(code)
    with (FOLDER / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Language(code, Translations(compiled))


def best(asked: str, default: str) -> str:
    """The code for an ``Accept-Language`` header: the best of ours that it names, else the default."""
    wanted = sorted(_weighed(asked[:500]), key=lambda one: -one[1])
    return next((code for code, weight in wanted if weight > 0 and code in CODES), default)


def _weighed(asked: str) -> Iterable[tuple[str, float]]:
    for part in asked.split(","):
        tag, _, quality = part.strip().partition(";")
        try:
            weight = float(quality.partition("=")[2]) if quality else 1.0
        except ValueError:
            continue
        yield tag.strip().lower().partition("-")[0], weight


@lru_cache(maxsize=8)
def time_zone(name: str) -> tzinfo:
    """The zone with this name (checked when settings are loaded); the machine's for an empty one."""
    return ZoneInfo(name) if name else get_localzone()
