"""What is known of a listing itself: `listing.toml`, `secrets.toml` and its calendars. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from src.assistant.knowledge.calendar import Calendar
from src.assistant.knowledge.documents import FileError, read_language, unknown_key
from src.assistant.secrets import SHORTEST, Secret, is_reversed, read_edge
from src.assistant.values import Stay
from src.languages import sentence as _
from src.model.secrets import PLACEHOLDER

KEYS = ("name", "time_zone", "check_in", "check_out", "max_guests", "languages", "emergency")
_SECRET_KEYS = ("label", "value", "from", "until")
_CHECK_IN, _CHECK_OUT = time(15), time(11)
_EDGE = _(
    "%(key)s cannot be read; write check_in, check_out or booking, maybe with a distance, like check_in - 24h"
)
_UTC = ZoneInfo("UTC")
_AT = re.compile(r"at line (\d+)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What `listing.toml` says; each has a default."""

    name: str | None = None
    time_zone: str | None = None  # a name of the IANA database
    check_in: time = _CHECK_IN  # local
    check_out: time = _CHECK_OUT
    max_guests: int | None = None
    languages: tuple[str, ...] = ()  # of the host
    emergency: str | None = None  # the number to call


@dataclass(frozen=True, slots=True)
class Listing:
    """One folder below `listings/`."""

    id: str
    folder: str  # its name below `listings/`
    facts: Facts = field(default_factory=Facts)
    calendar: Calendar = field(default_factory=Calendar)
    secrets: tuple[Secret, ...] = ()
    times_known: bool = True
    """False while `listing.toml` is there and cannot be read: no window is open then."""

    @property
    def name(self) -> str | None:
        return self.facts.name

    @property
    def time_zone(self) -> str:
        """UTC where none is written down."""
        return self.facts.time_zone or _UTC.key

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def check_in(self) -> time:
        return self.facts.check_in

    @property
    def check_out(self) -> time:
        return self.facts.check_out

    @property
    def max_guests(self) -> int | None:
        return self.facts.max_guests

    @property
    def languages(self) -> tuple[str, ...]:
        return self.facts.languages

    @property
    def emergency(self) -> str | None:
        return self.facts.emergency

    def dates_of(self, stay: Stay) -> tuple[date | None, date | None]:
        """Check-in and check-out: the stay's own, else the calendar's by the confirmation code."""
        if stay.check_in is not None and stay.check_out is not None:
            return stay.check_in, stay.check_out
        begin, end = self.calendar.stays.get(stay.confirmation_code or "", (None, None))
        return stay.check_in or begin, stay.check_out or end


def read_listing(text: str) -> Facts:
    """The text of a `listing.toml`. Raises FileError."""
    given = _toml(text)
    _check_keys(given, KEYS)
    found: dict[str, Any] = {}
    for key, value in given.items():
        try:
            found[key] = _READERS[key](key, value)
        except FileError as error:
            raise error.at(_line_of(text, key)) from None
    return Facts(**found)


def read_secrets(text: str) -> tuple[Secret, ...]:
    """The text of a `secrets.toml`. Raises FileError, in which no value is quoted."""
    found = []
    for name, given in _toml(text).items():
        line = _line_of(text, f"[{name}]")
        if not isinstance(given, dict):
            raise FileError(
                _("%(name)s must be a table: [%(name)s], and below it label, value, from and until"),
                line,
                name=name,
            )
        try:
            found.append(_secret(name, given))
        except FileError as error:
            raise error.at(line, f"[{name}]") from None
    return tuple(found)


def _secret(name: str, given: Mapping[str, Any]) -> Secret:
    if not PLACEHOLDER.fullmatch(f"{{{{{name}}}}}"):
        raise FileError(_("is no name; use letters, digits and _, like door_code"))
    _check_keys(given, _SECRET_KEYS)
    for key in _SECRET_KEYS:
        if key != "label" and key not in given:
            raise FileError(_("%(key)s is missing"), key=key)
    value = given["value"]
    value = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if len(value) < SHORTEST or "\n" in value or "{{" in value:
        raise FileError(
            _('value must be one line of at least %(shortest)s characters, between " "'), shortest=SHORTEST
        )
    edges = {}
    for key in ("from", "until"):
        try:
            edges[key] = read_edge(str(given[key]))
        except ValueError:
            raise FileError(_EDGE, key=key) from None
    if is_reversed(edges["from"], edges["until"]):
        raise FileError(_("from is not before until"))
    label = str(given.get("label") or name.replace("_", " "))
    return Secret(name, label, value, edges["from"], edges["until"])


# -- TOML ----------------------------------------------------------------------------------------------------


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _AT.search(str(error))
        # What the parser says may quote the file, and the file may hold secrets.
        raise FileError(
            _('cannot be read; write lines like  name = "value"'), int(at[1]) if at else None
        ) from None


def _check_keys(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            raise unknown_key(key, known)


def _line_of(text: str, begin: str) -> int | None:
    return next((i for i, line in enumerate(text.split("\n"), 1) if line.strip().startswith(begin)), None)


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        raise FileError(_('%(key)s must be a text, between " "'), key=key)
    return str(value).strip()


def _zone(key: str, value: Any) -> str:
    try:
        return ZoneInfo(_text(key, value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FileError(_("%(key)s is no time zone; write a name like Europe/Paris"), key=key) from None


def _time(key: str, value: Any) -> time:
    try:
        found = value if isinstance(value, time) else time.fromisoformat(_text(key, value).zfill(5))
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise FileError(_('%(key)s is no time of the day; write it like "15:00"'), key=key)
    return found


def _guests(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise FileError(_("%(key)s must be a whole number of people"), key=key)
    return value


def _languages(key: str, value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [value]
    return tuple(read_language(_text(key, one)) for one in given)


_READERS: Mapping[str, Any] = {
    "name": _text,
    "time_zone": _zone,
    "check_in": _time,
    "check_out": _time,
    "max_guests": _guests,
    "languages": _languages,
    "emergency": _text,
}
