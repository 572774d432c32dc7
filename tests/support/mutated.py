"""Responses that are wrong somewhere: every place in one, and what may stand there in place of the right thing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

Json = Any
Place = tuple[str | int, ...]

REMOVED = object()
JUNK: tuple[object, ...] = (
    REMOVED,
    None,
    True,
    False,
    0,
    -1,
    7.5,
    10**40,
    "",
    "x",
    "TEXT_CONTENT",
    "USER",
    "YES",
    "TEXT",
    [],
    [None],
    [7],
    ["x"],
    {},
    {"node": None},
    {"x": []},
)


def places(value: Json, place: Place = ()) -> Iterator[Place]:
    """The way to each value within this one."""
    if place:
        yield place
    parts: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, part in parts:
        yield from places(part, (*place, key))


def mutated(payload: Json, place: Place, junk: object) -> Json:
    """A copy with junk at this place; the same if an earlier change took the place away."""
    changed = copy.deepcopy(payload)
    holder: Any = changed
    for key in place[:-1]:
        if not _has(holder, key):
            return changed
        holder = holder[key]
    last: Any = place[-1]
    if _has(holder, last):
        if junk is REMOVED:
            del holder[last]
        else:
            holder[last] = copy.deepcopy(junk)
    return changed


def _has(holder: Any, key: Any) -> bool:
    if isinstance(holder, dict):
        return key in holder
    return isinstance(holder, list) and isinstance(key, int) and key < len(holder)
