"""Where a guest's stay stands, from what the inbox shows of it. Pure.

The words are those of Airbnb's inbox (tags of a conversation; the statuses are guesses, and read by their parts).
What is unknown, or said in two ways that disagree, is an inquiry: the stage that is told least.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STAGES = ("inquiry", "request", "booked", "staying", "past", "cancelled")
"""In the order in which one stay goes through them; it never goes back."""

_TRIP_STAGES = {
    "CURRENTLY_HOSTING": "staying",
    "UPCOMING_RESERVATIONS": "booked",
    "PAST_RESERVATIONS": "past",
    "CANCELED_RESERVATIONS": "cancelled",
}
_STATUSES = (  # the most careful first
    (("cancel", "declin", "denied", "expire", "timed", "withdrawn", "not_possible"), "cancelled"),
    (("inquiry", "preapprov", "special_offer"), "inquiry"),
    (("pending", "request", "checkpoint", "awaiting"), "request"),
    (("accept", "confirm", "booked"), "booked"),
)


def may_be_same_stay(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether what the inbox shows now can still be the stay of before: a guest who asks anew is at another one."""
    return STAGES.index(stage_of(before)) <= STAGES.index(stage_of(now))


def stage_of(stay: Mapping[str, Any]) -> str:
    """One of ``STAGES``: ``stage`` if it is given, else from ``trip_stage`` and ``reservation_status``."""
    stage = stay.get("stage")
    if isinstance(stage, str) and stage.lower() in STAGES:
        return stage.lower()
    status = str(stay.get("reservation_status") or stay.get("status") or "").lower()
    by_status = next((stage for parts, stage in _STATUSES if any(part in status for part in parts)), None)
    words = {word.strip().upper() for word in str(stay.get("trip_stage") or "").split(",") if word.strip()}
    if not words:
        return by_status or "inquiry"
    stages = {_TRIP_STAGES[word] for word in words if word in _TRIP_STAGES}
    if len(stages) != 1:
        return "inquiry"
    by_trip = stages.pop()
    # A request has dates, too, before it is accepted.
    return by_status if by_trip == "booked" and by_status is not None else by_trip
