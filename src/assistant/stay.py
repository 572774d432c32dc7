"""What the model is told of the stay and the clock, in the listing's own time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from src.assistant.knowledge.listings import Listing
from src.assistant.secrets import Placeholder
from src.assistant.values import Stage, Stay


def with_dates(stay: Stay, listing: Listing | None) -> Stay:
    """The stay with the dates that the listing's calendar has for its confirmation code, where it has none."""
    if listing is None:
        return stay
    check_in, check_out = listing.dates_of(stay)
    return replace(stay, check_in=check_in, check_out=check_out)


def lay_stay(stay: Stay, listing: Listing | None, now: datetime, secrets: Sequence[Placeholder]) -> str:
    """Lines for the prompt. ``now`` is aware. Other guests and other nights are not in it."""
    return "\n".join(f"- {line}" for line in _lines(stay, listing, now, secrets))


def _lines(
    stay: Stay, listing: Listing | None, now: datetime, secrets: Iterable[Placeholder]
) -> Iterator[str]:
    local = now.astimezone(listing.zone) if listing else now
    zone = listing.time_zone if listing else "UTC"
    yield f"now: {local:%A %Y-%m-%d %H:%M} ({zone})"
    if listing is not None and listing.name:
        yield f"listing: {listing.name}"
    yield f"stage of the stay: {stay.stage}"
    if stay.check_in:
        yield f"check-in: {stay.check_in:%A %Y-%m-%d}"
    if stay.check_out:
        yield f"check-out: {stay.check_out:%A %Y-%m-%d}"
        nights = (stay.check_out - local.date()).days
        if stay.stage is Stage.STAYING and nights >= 0:
            yield f"nights left: {nights}"
    if stay.guests:
        yield f"guests: {stay.guests}"
    if listing is not None and stay.stage in {Stage.BOOKED, Stage.STAYING}:
        if stay.check_in and listing.calendar.is_taken(stay.check_in - timedelta(days=1)):
            yield "the night before the check-in is taken"
        if stay.check_out and listing.calendar.is_taken(stay.check_out):
            yield "the night after the check-out is taken"
    for secret in secrets:
        yield f"{{{{{secret.name}}}}} ({secret.label}): {_availability(secret)}"


def _availability(secret: Placeholder) -> str:
    if secret.available:
        return "available now, write the placeholder"
    if secret.available_from is not None:
        return f"not available yet, only from {secret.available_from:%A %Y-%m-%d %H:%M}; do not write it"
    return "not available for this guest; do not write it"
