"""What the host's files add to a stay: the name of the house, and the dates by the booking's code."""

from __future__ import annotations

import pytest

from src.assistant.host_listings import HostListings
from src.assistant.keystroke import KeystrokeSecrets
from tests.assistant.knowledge.folders import write

CALENDAR = """
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN
BEGIN:VEVENT
DTSTART;VALUE=DATE:20261204
DTEND;VALUE=DATE:20261207
SUMMARY:Reserved
UID:1
DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/details/HMABCDEFGH
END:VEVENT
END:VCALENDAR
"""
CODE = {"confirmation_code": "HMABCDEFGH", "trip_stage": "UPCOMING_RESERVATIONS"}
DATES = {"check_in": "2026-12-04", "check_out": "2026-12-07"}


@pytest.fixture
def folder(tmp_path):
    files = {
        "listings/4711/listing.toml": 'name = "The Attic"\ntime_zone = "Europe/Lisbon"\n',
        "listings/4711/airbnb.ics": CALENDAR,
    }
    return write(tmp_path / "knowledge", files)


@pytest.fixture
def listings(folder):
    return HostListings(KeystrokeSecrets(folder).live)


def test_a_booking_has_the_dates_that_the_calendar_has_for_its_code(listings):
    assert listings.add_to(CODE, "4711") == {**CODE, **DATES, "listing_name": "The Attic"}


def test_the_dates_of_the_inbox_and_the_name_of_the_host_stand_above_the_other(listings):
    shown = {**CODE, "check_in": "2026-12-05", "check_out": "2026-12-06", "listing_name": "Attic, Alfama"}
    assert listings.add_to(shown, "4711") == {**shown, "listing_name": "The Attic"}


@pytest.mark.parametrize("stay", [{}, {"confirmation_code": "HMOTHERONE"}])
def test_the_dates_of_another_booking_are_nobodys(listings, stay):
    assert listings.add_to(stay, "4711") == {**stay, "listing_name": "The Attic"}


@pytest.mark.parametrize("listing_id", [None, "", "4712"])
def test_another_listing_has_neither_name_nor_dates(listings, listing_id):
    assert (listings.name_of(listing_id), listings.add_to(CODE, listing_id)) == (None, CODE)


def test_without_a_folder_everything_stays_as_it_is(tmp_path):
    nothing = HostListings(KeystrokeSecrets(tmp_path / "none").live)
    assert (nothing.name_of("4711"), nothing.add_to(CODE, "4711")) == (None, CODE)
