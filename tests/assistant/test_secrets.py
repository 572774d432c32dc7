"""Windows, placeholders, and finding values in texts."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.assistant.knowledge.listings import Facts, Listing
from src.assistant.secrets import (
    NotDue,
    Secret,
    UnknownPlaceholder,
    fill,
    find_values,
    mask,
    names_in,
    placeholders,
    read_edge,
)
from src.assistant.values import Stage, Stay

PARIS = ZoneInfo("Europe/Paris")


def secret(opens="check_in - 24h", closes="check_out", value="48#21", name="door_code"):
    return Secret(name, "Code of the front door", value, read_edge(opens), read_edge(closes))


def listing(*secrets, **facts):
    return Listing(
        "4711", "4711-attic", Facts(time_zone="Europe/Paris", **facts), secrets=secrets or (secret(),)
    )


def at(day, hour, minute=0):
    return datetime(2027, 3, day, hour, minute, tzinfo=PARIS)


STAY = Stay(Stage.BOOKED, date(2027, 3, 12), date(2027, 3, 15))


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        (at(11, 14, 59), False),
        (at(11, 15), True),
        (at(15, 10, 59), True),
        (at(15, 11), False),
        (datetime(2027, 3, 11, 13, 59, tzinfo=UTC), False),
        (datetime(2027, 3, 11, 14, 0, tzinfo=UTC), True),
    ],
)
def test_a_window_opens_and_closes_by_the_listings_clock(now, is_open):
    (found,) = placeholders(listing(), STAY, now)

    assert found.available is is_open
    assert found.available_from == at(11, 15)


@pytest.mark.parametrize(
    ("stage", "is_open"),
    [
        (Stage.INQUIRY, False),
        (Stage.REQUEST, False),
        (Stage.BOOKED, True),
        (Stage.STAYING, True),
        (Stage.PAST, True),
        (Stage.CANCELLED, False),
    ],
)
def test_a_window_is_closed_to_who_has_not_booked_or_has_cancelled(stage, is_open):
    (found,) = placeholders(listing(), replace(STAY, stage=stage), at(13, 12))

    assert found.available is is_open
    assert (found.available_from is None) is not is_open


@pytest.mark.parametrize(
    ("opens", "closes", "is_open"),
    [
        ("check_in - 24h", "check_out", True),
        ("check_in", "check_out + 2h", True),
        ("booking", "check_out", True),
        ("check_in + 1h", "check_out", False),
        ("check_in", "check_out - 1h", False),
        ("check_in", "check_in + 3d", False),
    ],
)
def test_without_dates_only_windows_that_span_the_whole_stay_are_open_to_who_stays(opens, closes, is_open):
    house = listing(secret(opens, closes))

    assert placeholders(house, Stay(Stage.STAYING), at(13, 12))[0].available is is_open
    assert not placeholders(house, Stay(Stage.BOOKED), at(13, 12))[0].available


def test_with_one_date_alone_a_window_that_needs_the_other_is_closed():
    only_in = Stay(Stage.STAYING, check_in=date(2027, 3, 12))

    assert not placeholders(listing(), only_in, at(13, 12))[0].available
    assert placeholders(listing(secret("check_in", "check_in + 2d")), only_in, at(13, 12))[0].available


def test_a_window_that_begins_with_the_booking_is_open_once_it_is_booked():
    house = listing(secret("booking", "check_out"))

    assert placeholders(house, STAY, at(1, 0))[0].available
    assert not placeholders(house, replace(STAY, stage=Stage.REQUEST), at(1, 0))[0].available


def test_some_time_after_the_booking_counts_from_the_check_in_as_the_booking_is_not_known():
    house = listing(secret("booking + 2h", "check_out"))

    assert not placeholders(house, STAY, at(12, 16))[0].available
    assert placeholders(house, STAY, at(12, 17))[0].available


def test_days_are_days_of_the_calendar_and_hours_are_counted_when_the_clock_is_put_forward():
    # In Paris, 28 March 2027 has 23 hours.
    stay = Stay(Stage.BOOKED, date(2027, 3, 28), date(2027, 3, 30))

    by_day = placeholders(listing(secret("check_in - 1d")), stay, at(1, 0))[0].available_from
    by_hours = placeholders(listing(secret("check_in - 24h")), stay, at(1, 0))[0].available_from

    assert (by_day.hour, by_hours.hour) == (15, 14)


def test_a_listing_whose_times_cannot_be_read_tells_nothing():
    assert not placeholders(replace(listing(), times_known=False), STAY, at(13, 12))[0].available


@pytest.mark.parametrize("text", ["monday", "check_in - 24", "check_in - h", "check-in", "", "check_in * 2h"])
def test_an_edge_that_cannot_be_read_says_how_one_is_written(text):
    with pytest.raises(ValueError, match="check_in - 24h"):
        read_edge(text)


def test_the_value_is_filled_in_only_while_the_window_is_open():
    text = "The code is {{door_code}}, I repeat: {{ door_code }}."

    assert fill(text, listing(), STAY, at(13, 12)) == "The code is 48#21, I repeat: 48#21."
    with pytest.raises(NotDue) as closed:
        fill(text, listing(), STAY, at(1, 12))
    assert closed.value.args == ("door_code",)
    with pytest.raises(UnknownPlaceholder) as unknown:
        fill("{{gate}}", listing(), STAY, at(13, 12))
    assert unknown.value.args == ("gate",)
    with pytest.raises(UnknownPlaceholder):
        fill(text, None, STAY, at(13, 12))


def test_a_text_without_placeholders_is_left_as_it_is():
    assert fill("{ {{}} {{ 4 }} } {{a b}}", None, STAY, at(13, 12)) == "{ {{}} {{ 4 }} } {{a b}}"


def test_a_value_that_looks_like_a_pattern_is_filled_in_as_it_is():
    assert fill("{{door_code}}", listing(secret(value=r"\1\g<0>")), STAY, at(13, 12)) == r"\1\g<0>"


def test_what_is_read_back_gets_its_placeholder_again():
    secrets = (secret(value="4821"), secret(value="Chestnut 4821", name="wifi"))

    assert mask("The code is 4821.", secrets) == "The code is {{door_code}}."
    assert mask("Wi-Fi: CHESTNUT 4821", secrets) == "Wi-Fi: {{wifi}}", "the longer one first"
    assert (
        mask("We come on flight AB14821 and pay 148213", secrets)
        == "We come on flight AB14821 and pay 148213"
    )
    assert mask(mask("4821", secrets), secrets) == "{{door_code}}"


@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_filling_in_and_masking_gives_the_placeholder_back(before, after):
    text = f"{before} {{{{door_code}}}} {after}"
    if len(names_in(text)) != 1 or "48#21" in before + after:
        return
    assert mask(fill(text, listing(), STAY, at(13, 12)), listing().secrets) == text.replace(
        text, f"{before} {{{{door_code}}}} {after}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "It is Lantern42.",
        "it is LANTERN42",
        "l a n t e r n 4 2",
        "L-a-n-t-e-r-n-4-2",
        "lantern – 42",
        "L.a.n.t.e.r.n.4.2",
        "backwards: 24nretnaL",
        "b64 " + base64.b64encode(b"Lantern42").decode(),
        "b64 " + base64.b64encode(b"the code is Lantern42 ok").decode(),
        "b64 " + base64.b64encode(b"a code: Lantern42").decode(),
        "hex " + b"Lantern42".hex(),
        "hex " + b"Lantern42".hex(" "),
        "Ｌantern４２",
    ],
)
def test_a_value_is_found_in_every_disguise(text):
    assert find_values(text, [secret(value="Lantern42")]) == ("door_code",)


@pytest.mark.parametrize(
    "text",
    ["4821", "4 8 2 1", "48-21", "1284", base64.b64encode(b"4821").decode(), b"4821".hex(), "a 48 21."],
)
def test_a_short_code_is_found_in_every_disguise(text):
    assert find_values(f"It is {text} today", [secret(value="4821")]) == ("door_code",)


@pytest.mark.parametrize(
    "text", ["148213 people", "Rue 4, 8th floor, 21 h", "Please take tram C at 14:48.", ""]
)
def test_other_numbers_are_no_code(text):
    assert find_values(text, [secret(value="4821")]) == ()


def test_a_secrets_representation_does_not_show_its_value():
    assert "48#21" not in repr(listing())


def test_check_in_at_another_time_moves_the_window():
    house = listing(secret("check_in", "check_out"), check_in=time(18))
    assert not placeholders(house, STAY, at(12, 17))[0].available
    assert placeholders(house, STAY, at(12, 18))[0].available
