"""What the host's own files say of a listing and of a stay in it: the port ``Listings``. Pure.

A site's inbox shows little of both. Where the files are, and how they are read, is behind the port.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Listings(Protocol):
    """Blocking; may be asked from any thread."""

    def name_of(self, listing_id: str | None) -> str | None:
        """How the host calls the listing; None where nothing says it."""
        ...

    def add_to(self, stay: Mapping[str, Any], listing_id: str | None) -> dict[str, Any]:
        """The facts of a stay (``conversations.stay``) with what the host's files add.

        ``listing_name``, as the host calls it; by the booking's ``confirmation_code`` ``check_in`` and
        ``check_out`` (days in ISO 8601, in the listing's own time zone), where the inbox does not show them.
        """
        ...


class NoListings:
    """There are no such files."""

    def name_of(self, listing_id: str | None) -> str | None:  # noqa: ARG002
        return None

    def add_to(self, stay: Mapping[str, Any], listing_id: str | None) -> dict[str, Any]:  # noqa: ARG002
        return dict(stay)


NO_LISTINGS: Listings = NoListings()
