"""Which house, when, and who: what a row says of a stay. Pure but for the host's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from src.model.listings import Listings
from src.model.stages import stage_of

_SAYS_STAGE = ("stage", "trip_stage", "reservation_status", "status")


@dataclass(frozen=True, slots=True)
class StayFacts:
    """Each is None where nobody says it."""

    house: str | None
    """The host's name for the listing, else the site's, else its id."""
    check_in: date | None
    check_out: date | None
    guests: int | None
    stage: str | None
    """A key of ``words.STAGES``."""
    summary: str | None
    """The site's own line, where there are no dates: it has them in words."""

    @property
    def is_known(self) -> bool:
        return any((self.house, self.check_in, self.guests, self.stage, self.summary))


def read_facts(listings: Listings, listing_id: str | None, stay: Mapping[str, Any]) -> StayFacts:
    """The facts of a stay. Blocking: may read the host's files."""
    known = listings.add_to(stay, listing_id)
    house = listings.name_of(listing_id) or known.get("listing_name") or listing_id
    check_in, check_out = _day(known.get("check_in")), _day(known.get("check_out"))
    both = check_in is not None and check_out is not None
    guests = str(known.get("guests") or "")
    return StayFacts(
        house,
        check_in if both else None,
        check_out if both else None,
        int(guests) if guests.isascii() and guests.isdecimal() and 0 < int(guests) < _MOST_GUESTS else None,
        stage_of(known) if any(known.get(name) for name in _SAYS_STAGE) else None,
        None if both else known.get("summary"),
    )


_MOST_GUESTS = 1000


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text)[:10]) if text else None
    except ValueError:
        return None
