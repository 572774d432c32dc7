"""A listing's calendar from an iCal file: which nights are taken, and the dates of each reservation code.

Airbnb's export (looked up November 2026) has one event a stay or blocked range, with days in DTSTART and DTEND, and
the reservation's address in DESCRIPTION: `…/hosting/reservations/details/HMXXXXXXXX`. Nothing of it is a fact.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from src.assistant.knowledge.documents import FileError
from src.languages import sentence as _

_CODE = re.compile(r"/details/([A-Z0-9]{6,20})\b")
_LONGEST_STAY_DAYS = 1100


@dataclass(frozen=True, slots=True)
class Calendar:
    """Taken nights, each named by the day it begins on, and stays by their confirmation code."""

    nights: frozenset[date] = frozenset()
    stays: dict[str, tuple[date, date]] = field(default_factory=dict)  # code ─▶ (check-in, check-out)

    def is_taken(self, night: date) -> bool:
        return night in self.nights

    def joined(self, other: Calendar) -> Calendar:
        return Calendar(self.nights | other.nights, {**self.stays, **other.stays})


def read_calendar(text: str, zone: ZoneInfo) -> Calendar:
    """The calendar of an iCal file; times are taken to days of the listing's time zone. Raises FileError."""
    # Takes 0.15 s to import, and most folders have no calendar.
    from icalendar import Calendar as Parser  # noqa: PLC0415

    if not text.rstrip().upper().endswith("END:VCALENDAR"):
        raise FileError(_("is no calendar, or is cut off; export it again from the site, as .ics"))
    try:
        events = [event for one in Parser.from_ical(text, multiple=True) for event in one.walk("VEVENT")]
    except (ValueError, IndexError, KeyError, TypeError, AttributeError):
        raise FileError(_("is no calendar; export it again from the site, as .ics")) from None
    nights: set[date] = set()
    stays: dict[str, tuple[date, date]] = {}
    for event in events:
        if (
            str(event.get("STATUS", "")).upper() == "CANCELLED"
            or str(event.get("TRANSP", "")) == "TRANSPARENT"
        ):
            continue
        begin, end = _day(event, "DTSTART", zone), _day(event, "DTEND", zone)
        if begin is None:
            raise FileError(_("has an event without a beginning; export the calendar again"))
        end = max(end or begin, begin + timedelta(days=1))
        if (end - begin).days <= _LONGEST_STAY_DAYS:  # a longer range is a season that is closed, and no stay
            nights.update(begin + timedelta(days=i) for i in range((end - begin).days))
        if code := _CODE.search(str(event.get("DESCRIPTION", ""))):
            stays[code.group(1)] = (begin, end)
    return Calendar(frozenset(nights), stays)


def _day(event: object, name: str, zone: ZoneInfo) -> date | None:
    found = event.get(name)  # type: ignore[attr-defined]
    value = getattr(found, "dt", None)
    if isinstance(value, datetime):
        return (value.astimezone(zone) if value.tzinfo else value).date()
    return value if isinstance(value, date) else None
