"""The host's listings, for pages and for what an AI gets: the port ``model.listings.Listings`` on the folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from src.assistant.knowledge import LiveFolder
    from src.assistant.knowledge.listings import Listing


class HostListings:
    """`listing.toml` and the calendars of the knowledge folder, as they are now."""

    def __init__(self, live: Callable[[], LiveFolder | None]) -> None:
        """``live`` gives the folder; None while there is none."""
        self._live = live

    def name_of(self, listing_id: str | None) -> str | None:
        """As the port says."""
        listing = self._listing(listing_id)
        return listing.name if listing else None

    def add_to(self, stay: Mapping[str, Any], listing_id: str | None) -> dict[str, Any]:
        """As the port says."""
        listing = self._listing(listing_id)
        if listing is None:
            return dict(stay)
        from src.assistant.burst import read_stay  # noqa: PLC0415 - as little as can be without a folder

        check_in, check_out = listing.dates_of(read_stay(stay))
        known = {"check_in": check_in, "check_out": check_out}
        dates = {name: day.isoformat() for name, day in known.items() if day is not None}
        return {**dates, **stay, **({"listing_name": listing.name} if listing.name else {})}

    def _listing(self, listing_id: str | None) -> Listing | None:
        live = self._live() if listing_id else None
        return live.current().listing(listing_id) if live is not None else None
