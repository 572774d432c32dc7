"""What is said between SEND and a channel about one reply: the press, what the remote answered, what was found.

Plain values; nothing here names a site.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Delivery(StrEnum):
    """What became of a reply at the remote, where the remote says it. It only rises; FAILED from any but READ."""

    ACCEPTED = "accepted"
    """The remote took the message."""
    SERVER = "server"
    """The service's server has it."""
    DELIVERED = "delivered"
    """It is on the person's device."""
    READ = "read"
    """The person has seen it."""
    FAILED = "failed"
    """The remote could not deliver it."""


_RISING = (None, Delivery.ACCEPTED, Delivery.SERVER, Delivery.DELIVERED, Delivery.READ)


def deliveries_before(delivery: Delivery) -> frozenset[Delivery | None]:
    """What a reply's delivery may be for ``delivery`` to take its place; None where nothing was said yet."""
    if delivery is Delivery.FAILED:
        return frozenset(_RISING) - {Delivery.READ}
    return frozenset(_RISING[: _RISING.index(delivery)])


@dataclass(frozen=True, slots=True)
class Press:
    """One press of Send."""

    key: str
    """The job's id: the same for the same reply, whatever happens. A remote that dedupes by a key gets this one."""
    after: str | None
    """The newest message when Send was armed (the site's id): the reply answers what stands up to there."""
    armed_at: datetime | None = None
    """When Send was armed; None: now."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The remote has our message and says under which id; or, FAILED, that it will never deliver it."""

    external_id: str
    """The message, by the remote's id; '' where it was refused before it had one."""
    sent_at: datetime | None = None
    """By the remote's clock; None if it does not say."""
    standing: Delivery = Delivery.ACCEPTED
    error: str | None = None
    """Why it could not be delivered, by the remote's own code, where ``standing`` is FAILED."""
    held: str | None = None
    """Where ``standing`` is FAILED and a person can still do something: the reason for which the reply waits."""
    is_settled: bool = False
    """The remote is our own database: message and end of the reply were stored together by the press itself."""


class Finding(StrEnum):
    """What is found out about a press whose end nobody saw."""

    SENT = "sent"
    """The remote has the message."""
    NOT_SENT = "not_sent"
    """It has it not and will never have it, beyond doubt."""
    UNKNOWN = "unknown"
    """It does not say: the conversation has to be read."""
