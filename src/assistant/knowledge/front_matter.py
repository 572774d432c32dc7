"""The lines between `---` at the top of a Markdown file: keys and values, all optional. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import yaml

from src.assistant.knowledge.documents import (
    FileError,
    Terms,
    check_days,
    read_audience,
    read_day,
    read_language,
    unknown_key,
)
from src.languages import sentence as _

KEYS = ("title", "agent", "audience", "language", "valid_from", "valid_until", "reviewed", "listings")
_FENCE = "---"
_UNREADABLE = _("the front matter cannot be read; write lines like  audience: booked")


def read_front_matter(text: str, listing_id: str | None) -> tuple[Terms, str, int]:
    """The terms, the text below them, and the number of that text's first line.

    ``listing_id`` is the listing whose folder the file lies in, if any. Raises FileError with the line.
    """
    given, lines, body, first_line = split_front_matter(text)
    own = Terms(listings=(listing_id,) if listing_id else ())
    terms = own
    for key, value in given.items():
        try:
            terms = _with(terms, str(key), value)
        except FileError as error:
            raise error.at(lines.get(str(key), 2)) from None
    if listing_id and terms.listings != own.listings:
        raise FileError(
            _("listings is for files outside of listings/; by its place this file is for %(listing)s"),
            lines.get("listings"),
            listing=listing_id,
        )
    try:
        return check_days(terms), body, first_line
    except FileError as error:
        raise error.at(lines.get("valid_from")) from None


def split_front_matter(text: str) -> tuple[dict[Any, Any], dict[str, int], str, int]:
    """What is given, the line of each key, the text below, and the number of its first line. Raises FileError."""
    lines = text.split("\n")
    if lines[0].rstrip() != _FENCE:
        return {}, {}, text, 1
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise FileError(_("the front matter has no end; write a line --- after its last key"), 1)
    try:
        given = yaml.safe_load("\n".join(lines[1:end])) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise FileError(_UNREADABLE, mark.line + 2 if mark else 2) from None
    except ValueError:  # a date that the calendar does not have
        raise FileError(
            _("the front matter has a date that does not exist; write it like 2027-05-31"), 2
        ) from None
    if not isinstance(given, dict):
        raise FileError(_UNREADABLE, 2)
    places = {line.partition(":")[0].strip(): i for i, line in enumerate(lines[:end], 1) if ":" in line}
    return given, places, "\n".join(lines[end + 1 :]), end + 2


def _with(terms: Terms, key: str, value: Any) -> Terms:
    if key not in KEYS:
        raise unknown_key(key, KEYS)
    if value is None:
        return terms
    return replace(terms, **{key: _READERS[key](key, value)})


def _word(key: str, value: Any) -> str:
    if isinstance(value, (dict, list)) or not str(value).strip():
        raise FileError(_("%(key)s must be one word or sentence"), key=key)
    return str(value).strip()


def _language(key: str, value: Any) -> str:
    # YAML reads an unquoted "no" (Norwegian) as false.
    return "no" if value is False else read_language(_word(key, value))


def _day(key: str, value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else read_day(key, _word(key, value))


def _listings(key: str, value: Any) -> tuple[str, ...]:
    ids = value if isinstance(value, list) else str(value).split(",")
    found = tuple(_word(key, one) for one in ids)
    if not found:
        raise FileError(
            _("%(key)s is empty; write the ids of listings, or leave the key out for all of them"), key=key
        )
    return found


_READERS: Mapping[str, Any] = {
    "title": _word,
    "agent": _word,
    "audience": lambda key, value: read_audience(_word(key, value)),
    "language": _language,
    "valid_from": _day,
    "valid_until": _day,
    "reviewed": _day,
    "listings": _listings,
}
