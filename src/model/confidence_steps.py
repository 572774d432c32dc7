"""From which confidence on an answer may go out by itself, and from which on it is worth a draft. Pure.

A model that says 0.8 means something else with each model and each host. So the steps that are set hold until a
host has judged enough drafts; from then on they are fitted to what became of those. In doubt they stay:

* the upper step goes down only past drafts that were surely good, and up past those that surely were not;
* the lower step only goes up, past drafts that were of no use: below it there is nothing that could be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf, nextafter, sqrt

ENOUGH = 100
"""So many judged drafts, and the steps are fitted."""
NEWEST = 400
"""So many of the newest are looked at: an older model's record fades."""
_GROUP = 25
"""So many drafts of neighbouring confidence are looked at together."""
GOOD, USEFUL = 0.9, 0.5
"""The share that went out unchanged or slightly edited, for what goes out by itself, and for a draft at all."""
LOWEST = 0.55
"""No answer below goes out by itself: what was not clear is cut to 0.5, and that never does."""
NEVER = 1.01
"""The upper step where nothing goes out by itself, since 1 is a confidence that models say."""
_Z = 1.645
"""One-sided 95 %."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Both are confidences, 0 to 1 (``send_from`` may be NEVER)."""

    draft_from: float
    send_from: float


@dataclass(frozen=True, slots=True)
class JudgedDraft:
    """A draft that a person judged, and that nothing but its confidence may have held."""

    confidence: float
    good: bool
    """It went out as it was or slightly edited."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Drafts of neighbouring confidence. The share of good ones is surely at least ``low`` and at most ``high``."""

    begin: float
    above: float
    """The least confidence that is in no draft of it nor below."""
    low: float
    high: float


def fit_steps(judged: Sequence[JudgedDraft], given: Steps) -> Steps:
    """The steps for a host whose newest judged drafts are these; ``given`` as long as there are not ENOUGH."""
    if len(judged) < ENOUGH:
        return given
    send_from = _fit_send(judged, given)
    return Steps(_fit_draft(judged, given, send_from), send_from)


def _fit_send(judged: Sequence[JudgedDraft], given: Steps) -> float:
    above = _groups([one for one in judged if one.confidence >= given.send_from])
    bad = [i for i, group in enumerate(above) if group.high < GOOD]
    if bad:
        after = bad[-1] + 1
        return above[after].begin if after < len(above) else NEVER
    step = given.send_from
    lowest = max(LOWEST, given.draft_from)
    below = _groups([one for one in judged if lowest <= one.confidence < given.send_from])
    for group in reversed(below):
        if group.low < GOOD:
            break
        step = group.begin
    return step


def _fit_draft(judged: Sequence[JudgedDraft], given: Steps, send_from: float) -> float:
    step = given.draft_from
    for group in _groups([one for one in judged if given.draft_from <= one.confidence < send_from]):
        if group.high >= USEFUL:
            break
        step = group.above
    return step


def _groups(judged: Sequence[JudgedDraft]) -> list[_Group]:
    """In the order of confidence. The same confidence is never in two; too few for a group make none."""
    groups: list[list[JudgedDraft]] = [[]]
    for _, same in groupby(sorted(judged, key=_confidence), key=_confidence):
        if len(groups[-1]) >= _GROUP:
            groups.append([])
        groups[-1].extend(same)
    if len(groups) > 1 and len(groups[-1]) < _GROUP:
        last = groups.pop()
        groups[-1].extend(last)
    return [_group(members) for members in groups if len(members) >= _GROUP]


def _confidence(draft: JudgedDraft) -> float:
    return draft.confidence


def _group(members: Sequence[JudgedDraft]) -> _Group:
    """With Wilson's interval, which is right for few drafts and for shares near 1, too."""
    number = len(members)
    share = sum(one.good for one in members) / number
    middle = share + _Z * _Z / (2 * number)
    around = _Z * sqrt(share * (1 - share) / number + _Z * _Z / (4 * number * number))
    scale = 1 + _Z * _Z / number
    above = nextafter(members[-1].confidence, inf)
    return _Group(members[0].confidence, above, (middle - around) / scale, (middle + around) / scale)
