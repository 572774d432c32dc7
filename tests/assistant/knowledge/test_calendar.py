"""Taken nights and reservation codes from an exported calendar."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from src.assistant.knowledge import load
from src.assistant.knowledge.calendar import read_calendar
from src.assistant.knowledge.documents import FileError
from src.assistant.values import Stage, Stay
from tests.assistant.knowledge.folders import LISTING, write

AIRBNB = """BEGIN:VCALENDAR
PRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN
CALSCALE:GREGORIAN
VERSION:2.0
BEGIN:VEVENT
DTEND;VALUE=DATE:20270304
DTSTART;VALUE=DATE:20270301
UID:1@example.com
DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/de
 tails/HMABCDEFGH\\nPhone Number (Last 4 Digits): 0000
SUMMARY:Reserved
END:VEVENT
BEGIN:VEVENT
DTEND;VALUE=DATE:20270308
DTSTART;VALUE=DATE:20270306
UID:2@example.com
SUMMARY:Airbnb (Not available)
END:VEVENT
END:VCALENDAR
"""


def test_nights_and_codes_of_airbnbs_export():
    calendar = read_calendar(AIRBNB, ZoneInfo("UTC"))

    assert sorted(day.day for day in calendar.nights) == [1, 2, 3, 6, 7]
    assert calendar.is_taken(date(2027, 3, 3))
    assert not calendar.is_taken(date(2027, 3, 4)), "the day of the check-out is free"
    assert calendar.stays == {"HMABCDEFGH": (date(2027, 3, 1), date(2027, 3, 4))}


def test_a_calendar_cut_in_the_middle_is_an_error():
    for text in ("", "BEGIN:VEVENT\n", "hello", AIRBNB.replace("DTSTART;VALUE=DATE:20270301\n", "")):
        with pytest.raises(FileError):
            read_calendar(text, ZoneInfo("UTC"))


def test_the_dates_of_a_stay_come_from_the_calendar_by_its_code(tmp_path):
    write(tmp_path, {"listings/4711/listing.toml": LISTING, "listings/4711/airbnb.ics": AIRBNB})
    listing = load(tmp_path).listing("4711")

    by_code = Stay(Stage.BOOKED, confirmation_code="HMABCDEFGH")
    assert listing.dates_of(by_code) == (date(2027, 3, 1), date(2027, 3, 4))
    assert listing.dates_of(Stay(Stage.BOOKED, date(2027, 5, 1), date(2027, 5, 2), None, "HMABCDEFGH")) == (
        date(2027, 5, 1),
        date(2027, 5, 2),
    )
    assert listing.dates_of(Stay(Stage.BOOKED)) == (None, None)


def test_nothing_of_a_calendar_is_a_fact(tmp_path):
    write(tmp_path, {"listings/4711/airbnb.ics": AIRBNB})
    assert load(tmp_path).documents == ()
