"""What the reservation panel says counts only for the stay that it is about."""

import pytest

from src.channels.airbnb.panel import with_panel

PANEL = {"listing": "4711", "name": "Attic in  Alfama", "guests": "2 guests", "code": "HMABCDEFGH"}
CODE = {"confirmation_code": "HMABCDEFGH"}
NAME = {"listing_name": "Attic in Alfama"}


@pytest.fixture
def view(make_conversation, make_message):
    return make_conversation(make_message(), listing_id="4711", stay=CODE)


def test_the_panel_tells_the_listings_name_and_how_many_guests(view):
    assert with_panel(view, PANEL).stay == {**CODE, **NAME, "guests": "2"}


@pytest.mark.parametrize("panel", [None, {}, {**PANEL, "listing": "4712"}, {**PANEL, "listing": None}])
def test_the_panel_of_another_listing_tells_nothing(view, panel):
    assert with_panel(view, panel).stay == CODE


@pytest.mark.parametrize("code", ["HMOTHERONE", "", None])
def test_the_panel_of_another_booking_tells_the_listings_name_alone(view, code):
    assert with_panel(view, {**PANEL, "code": code}).stay == {**CODE, **NAME}


@pytest.mark.parametrize("guests", [None, "", "guests", "2 adults, 1 child", "0", "4000"])
def test_what_is_no_plain_number_of_guests_is_left_out(view, guests):
    assert with_panel(view, {**PANEL, "guests": guests}).stay == {**CODE, **NAME}
