"""The webhook's payload as the assistant reads it: what is missing or odd counts as unknown."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from src.assistant.burst import read_burst, read_stay
from src.assistant.values import Stage, Stay, Turn


@pytest.mark.parametrize(
    ("stay", "stage"),
    [
        ({}, Stage.INQUIRY),
        ({"trip_stage": "CURRENTLY_HOSTING"}, Stage.STAYING),
        ({"trip_stage": "UPCOMING_RESERVATIONS"}, Stage.BOOKED),
        ({"trip_stage": "PAST_RESERVATIONS"}, Stage.PAST),
        ({"trip_stage": "CANCELED_RESERVATIONS"}, Stage.CANCELLED),
        ({"trip_stage": "SOMETHING_NEW", "reservation_status": "accepted"}, Stage.INQUIRY),
        ({"trip_stage": "CURRENTLY_HOSTING, PAST_RESERVATIONS"}, Stage.INQUIRY),
        ({"trip_stage": "UPCOMING_RESERVATIONS", "reservation_status": "PENDING"}, Stage.REQUEST),
        ({"trip_stage": "", "reservation_status": "ACCEPTED"}, Stage.BOOKED),
        ({"reservation_status": "pending"}, Stage.REQUEST),
        ({"reservation_status": "canceled_by_guest"}, Stage.CANCELLED),
        ({"reservation_status": "not_possible"}, Stage.CANCELLED),
        ({"reservation_status": "anything"}, Stage.INQUIRY),
        ({"stage": "staying", "trip_stage": "PAST_RESERVATIONS"}, Stage.STAYING),
        ({"stage": "unheard of", "trip_stage": "PAST_RESERVATIONS"}, Stage.PAST),
    ],
)
def test_the_stage_is_made_from_what_the_inbox_shows_and_in_doubt_is_an_inquiry(stay, stage):
    assert read_stay(stay).stage is stage


def test_dates_are_read_and_reversed_ones_are_unknown():
    found = read_stay({"check_in": "2027-03-01", "check_out": "2027-03-04T11:00:00", "guests": "3"})
    assert (found.check_in, found.check_out, found.guests) == (date(2027, 3, 1), date(2027, 3, 4), 3)
    wrong = read_stay({"check_in": "2027-03-04", "check_out": "2027-03-01", "guests": -1})
    assert (wrong.check_in, wrong.check_out, wrong.guests) == (None, None, None)


def test_a_payload_of_the_webhook_is_read_whole():
    burst = read_burst(
        {
            "conversation_id": "c1",
            "sender": "Camille\u200b\nMartin",
            "message": "One\r\ntwo",
            "property_id": 4711,
            "request_id": "r1",
            "messages": [{"id": "m1", "text": "One", "sent_at": "2027-03-02T09:00:00+01:00"}],
            "history": [
                {"role": "host", "text": "Welcome"},
                {"role": "somebody", "text": "?"},
                {"role": "guest"},
                "no turn",
            ],
            "reply_by": "2027-03-03T09:00:00Z",
        }
    )
    assert (burst.text, burst.guest_name, burst.listing_id) == ("One\ntwo", "Camille Martin", "4711")
    assert burst.history == (Turn("host", "Welcome"),)
    assert burst.first_sent_at == datetime(2027, 3, 2, 8, 0, tzinfo=UTC)
    assert burst.reply_by == datetime(2027, 3, 3, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"message": 7, "history": "x", "stay": [], "messages": {}, "guest": "x", "reply_by": 9},
        {"message": None, "messages": [{"text": 1}, None], "history": [None], "stay": {"check_in": "soon"}},
    ],
)
def test_whatever_is_odd_in_a_payload_is_left_out(payload):
    burst = read_burst(payload)
    assert burst.text == ""
    assert burst.history == ()
    assert burst.stay == Stay()
