"""A listing's secrets: when they may be told, their placeholders, and finding their values in a text. Pure.

A model and the database only ever see ``{{door_code}}``. The value is filled in while the reply is typed, if its
window is open then, and taken out again of every text that is read back.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from src.assistant.values import Stage, Stay
from src.model.secrets import PLACEHOLDER

SHORTEST = 3
"""Characters of a value; a shorter one would be found in every other text."""

_EDGE = re.compile(r"(check_in|check_out|booking)(?:\s*([+-])\s*(\d{1,5})\s*([mhd]))?")
_SHORT = 6
"""Characters up to which a value counts only where it stands alone: "4821" is not in "148213"."""
_LEAST_BASE64 = 4
"""Letters of a piece of base64 that are looked for; fewer stand in ordinary words."""
_BETWEEN = r"[\s\-‐‑‒–—−_.·]*"
_TOLD_AT = frozenset({Stage.BOOKED, Stage.STAYING, Stage.PAST})


class NotDue(Exception):
    """The window of a secret is closed. ``args[0]`` is its name."""


class UnknownPlaceholder(Exception):
    """A text names a placeholder that the listing does not have. ``args[0]`` is the name."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One end of a window: an event of the stay, moved by an amount of minutes, hours or days."""

    event: Literal["check_in", "check_out", "booking"]
    amount: int = 0
    unit: Literal["m", "h", "d"] = "h"


@dataclass(frozen=True, slots=True)
class Secret:
    """One table of `secrets.toml`. The value never appears in its representation."""

    name: str
    label: str
    value: str = field(repr=False)
    opens: Edge
    closes: Edge


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What a model may know of a secret."""

    name: str
    label: str
    available: bool
    available_from: datetime | None  # in the listing's time zone; None: not known, or not for this guest


class HasSecrets(Protocol):
    """What is needed of a listing here."""

    @property
    def zone(self) -> ZoneInfo: ...
    @property
    def check_in(self) -> time: ...
    @property
    def check_out(self) -> time: ...
    @property
    def secrets(self) -> tuple[Secret, ...]: ...
    @property
    def times_known(self) -> bool: ...


def read_edge(text: str) -> Edge:
    """An end of a window: ``check_in``, ``check_out`` or ``booking``, each with ``± N`` and m, h or d.

    ValueError says how one is written.
    """
    match = _EDGE.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("write check_in, check_out or booking, maybe with a distance, like check_in - 24h")
    event, sign, amount, unit = match.groups()
    return Edge(event, int(f"{sign or ''}{amount or 0}"), unit or "h")  # type: ignore[arg-type]


def placeholders(
    listing: HasSecrets | None, stay: Stay, now: datetime, stage: Stage | None = None
) -> tuple[Placeholder, ...]:
    """Each secret of the listing as a model may know it. ``now`` is aware; ``stage`` defaults to the stay's."""
    if listing is None:
        return ()
    return tuple(
        Placeholder(
            one.name,
            one.label,
            is_open(one, listing, stay, now, stage),
            _told_from(one, listing, stay, stage or stay.stage),
        )
        for one in listing.secrets
    )


def is_open(
    secret: Secret, listing: HasSecrets, stay: Stay, now: datetime, stage: Stage | None = None
) -> bool:
    """Whether the secret may be told at this moment. What is not known counts as closed.

    Without dates a window is open only for a guest who stays now, and only if it spans the whole stay.
    """
    stage = stage or stay.stage
    if stage not in _TOLD_AT or not listing.times_known:
        return False
    opens, closes = (
        _at(secret.opens, listing, stay, first=True),
        _at(secret.closes, listing, stay, first=False),
    )
    if opens is not None and closes is not None:
        return opens <= now < closes
    undated = stay.check_in is None and stay.check_out is None
    return undated and stage is Stage.STAYING and _spans_the_stay(secret)


def fill(text: str, listing: HasSecrets | None, stay: Stay, now: datetime, stage: Stage | None = None) -> str:
    """The text with every placeholder replaced by its value. Raises UnknownPlaceholder and NotDue."""
    known = {one.name: one for one in listing.secrets} if listing else {}
    for name in names_in(text):
        if name not in known:
            raise UnknownPlaceholder(name)
        if listing is None or not is_open(known[name], listing, stay, now, stage):
            raise NotDue(name)
    return PLACEHOLDER.sub(lambda match: known[match.group(1)].value, text)


def names_in(text: str) -> tuple[str, ...]:
    """The placeholders that a text names, each once, in their order."""
    return tuple(dict.fromkeys(match.group(1) for match in PLACEHOLDER.finditer(text)))


# -- values in a text ----------------------------------------------------------------------------------------


def mask(text: str, secrets: Iterable[Secret]) -> str:
    """The text with every value replaced by its placeholder, in any case of its letters. Repeatable."""
    folded = text.casefold()
    for secret in sorted(secrets, key=lambda one: -len(one.value)):
        if secret.value.casefold() in folded:
            text = _alone(re.escape(secret.value), secret.value).sub(f"{{{{{secret.name}}}}}", text)
    return text


def find_values(text: str, secrets: Iterable[Secret], *, encoded: bool = True) -> tuple[str, ...]:
    """The names of the secrets whose value is in the text.

    Found as it is, in another case, and with blanks or dashes between its characters; with ``encoded`` also
    reversed, in base64 and in hexadecimal.
    """
    plain = unicodedata.normalize("NFKC", text)
    return tuple(one.name for one in secrets if _is_in(plain, one.value, encoded=encoded))


def _is_in(text: str, value: str, *, encoded: bool) -> bool:
    wanted = unicodedata.normalize("NFKC", value)
    if _spaced(wanted).search(text):
        return True
    if not encoded:
        return False
    if _spaced(wanted[::-1]).search(text):
        return True
    dense = re.sub(r"[\s\-_.:,]+", "", text)
    if wanted.encode().hex() in re.sub(r"0x|\\x|%", "", dense.lower()):
        return True
    return any(part in dense.replace("-", "+").replace("_", "/") for part in _base64_of(wanted))


def _spaced(value: str) -> re.Pattern[str]:
    """The value with blanks or dashes anywhere in it; its own count for nothing."""
    letters = re.sub(_BETWEEN, "", value) or value
    return _alone(_BETWEEN.join(re.escape(letter) for letter in letters), letters)


def _alone(pattern: str, value: str) -> re.Pattern[str]:
    before = r"(?<![^\W_])" if len(value) <= _SHORT and value[:1].isalnum() else ""
    after = r"(?![^\W_])" if len(value) <= _SHORT and value[-1:].isalnum() else ""
    return re.compile(f"{before}{pattern}{after}", re.IGNORECASE)


def _base64_of(value: str) -> list[str]:
    """The letters of the value's base64 that do not depend on what stands before and after it."""
    found = []
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + value.encode()).decode().rstrip("=")
        begin = (0, 2, 3)[shift]
        whole = (shift + len(value.encode())) * 8 // 6
        part = encoded[begin:whole]
        if len(part) >= _LEAST_BASE64:
            found.append(part)
    return found


# -- windows -------------------------------------------------------------------------------------------------


def _at(edge: Edge, listing: HasSecrets, stay: Stay, *, first: bool) -> datetime | None:
    """The moment of an edge, in the listing's time zone; None if the stay does not tell it.

    When a stay was booked is not known. It was before the check-in, so a window that opens N after the booking is
    open N after the check-in at the latest, and one that opens with the booking is open for everybody who booked.
    """
    if edge.event == "booking":
        if first and edge.amount <= 0:
            return datetime.min.replace(tzinfo=UTC)
        if not first or stay.check_in is None:
            return None
        return _moved(datetime.combine(stay.check_in, listing.check_in, listing.zone), edge)
    day = stay.check_in if edge.event == "check_in" else stay.check_out
    if day is None:
        return None
    at = listing.check_in if edge.event == "check_in" else listing.check_out
    return _moved(datetime.combine(day, at, listing.zone), edge)


def _moved(event: datetime, edge: Edge) -> datetime:
    """Days are days of the calendar; hours and minutes are counted, also where the clock is put forward or back."""
    if edge.unit == "d":
        return event + timedelta(days=edge.amount)
    distance = timedelta(hours=edge.amount) if edge.unit == "h" else timedelta(minutes=edge.amount)
    return (event.astimezone(UTC) + distance).astimezone(event.tzinfo)


def _spans_the_stay(secret: Secret) -> bool:
    opens, closes = secret.opens, secret.closes
    from_the_start = opens.event in {"check_in", "booking"} and opens.amount <= 0
    return from_the_start and closes.event == "check_out" and closes.amount >= 0


def _told_from(secret: Secret, listing: HasSecrets, stay: Stay, stage: Stage) -> datetime | None:
    if stage not in _TOLD_AT or not listing.times_known:
        return None
    opens = _at(secret.opens, listing, stay, first=True)
    return None if opens is None or opens.year == 1 else opens


def is_reversed(opens: Edge, closes: Edge) -> bool:
    """Whether the window can never be open, as far as that is to be seen without dates."""
    if opens.event == closes.event:
        return _minutes(opens) >= _minutes(closes)
    return opens.event == "check_out" and closes.event == "booking"


def _minutes(edge: Edge) -> int:
    return edge.amount * {"m": 1, "h": 60, "d": 1440}[edge.unit]
