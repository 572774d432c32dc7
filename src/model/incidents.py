"""What a person should know about: the kinds of incidents, and how patient each is. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class IncidentKind(StrEnum):
    """One kind of thing that needs a person, or may soon."""

    HALTED = "halted"
    """A challenge, a login page or a block: nothing works until a person acts."""
    PAGE_CHANGED = "page_changed"
    """The site looks different from what is known: nothing works until somebody looks."""
    NOTHING_READ = "nothing_read"
    """The inbox could not be read for too long. A quiet inbox does not count."""
    NOTHING_TOLD = "nothing_told"
    """Replies go out, and the service tells nothing of them or of anything else: its calls do not reach us."""
    AI_UNREACHABLE = "ai_unreachable"
    """The AI has not taken a request several times in a row."""
    UNCONFIRMED = "unconfirmed"
    """Send was pressed for a reply and the proof is missing."""
    DRAFT = "draft"
    """A reply waits for a person's approval."""
    UNANSWERED = "unanswered"
    """A guest's message is left to a person: the AI says so, or no answer came."""
    URGENT = "urgent"
    """A guest's message about danger, an injury or a closed door is left to a person."""
    UNREADABLE = "unreadable"
    """A guest's photo or card, or something else that no machine reads."""
    INQUIRY_WAITS = "inquiry_waits"
    """The first message of an inquiry or a request has waited for half of its 24 hours."""
    INQUIRY = "inquiry"
    """A guest's message is unanswered and its 24 hours are nearly over."""
    STUCK = "stuck"
    """A reply does not get out: a text of somebody else in the composer, or try after try that fails."""
    NOT_UNDERSTOOD = "not_understood"
    """A call of a channel's service was genuine, but something in it is not known; what it said is kept."""
    FAILED = "failed"
    """A reply could not be delivered."""
    OVER_BUDGET = "over_budget"
    """The built-in assistant has used up its tokens of the day: a person answers until tomorrow (UTC)."""


ARE_URGENT = frozenset({IncidentKind.URGENT, IncidentKind.INQUIRY})
"""Told of as urgent: a phone may let them through at night."""
END_THE_WORK = frozenset({IncidentKind.HALTED, IncidentKind.PAGE_CHANGED})
"""Told in quiet hours, too, but not again: the program may end with them, so that nobody is left to tell later."""
URGENT_CLASSES = frozenset({"safety", "medical", "access"})
"""What a guest's message is about (``hard_class``) that cannot wait for the morning."""


_AT_ONCE = timedelta(0)

_PATIENCE = {
    IncidentKind.UNCONFIRMED: timedelta(minutes=10),
    IncidentKind.STUCK: timedelta(minutes=10),
    IncidentKind.UNREADABLE: timedelta(minutes=10),
}
"""How long it must last before an alert: these often settle by themselves."""

_SURE_AFTER = {
    IncidentKind.NOTHING_READ: timedelta(minutes=5),
    IncidentKind.AI_UNREACHABLE: timedelta(minutes=5),
    IncidentKind.NOT_UNDERSTOOD: timedelta(
        days=1
    ),  # a moment, and no state that somebody could look at again
}
"""How long all must be well before it counts as over: these come and go."""

NOT_TOLD_WHEN_OVER = frozenset(
    {IncidentKind.DRAFT, IncidentKind.FAILED, IncidentKind.UNANSWERED, IncidentKind.UNREADABLE}
    | {IncidentKind.NOT_UNDERSTOOD, IncidentKind.URGENT, IncidentKind.INQUIRY_WAITS, IncidentKind.OVER_BUDGET}
)
"""Their end is a person's own doing, or only the passing of a day."""


def patience(kind: IncidentKind) -> timedelta:
    return _PATIENCE.get(kind, _AT_ONCE)


def sure_after(kind: IncidentKind) -> timedelta:
    return _SURE_AFTER.get(kind, _AT_ONCE)


@dataclass(frozen=True, slots=True)
class Found:
    """Something that is so now. ``subject`` tells several of a kind apart; ``detail`` is a stable word."""

    kind: IncidentKind
    subject: str = ""
    detail: str = ""
    since: datetime | None = None
    """When it began, if that is known better than by when it was noticed."""
