"""A login seen and driven from far away: pictures of it, and what a person does to it. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from src.account import Login
from src.errors import NightporterError

NAMED_KEYS = frozenset(
    {
        "Enter",
        "Tab",
        "Backspace",
        "Delete",
        "Escape",
        "ArrowUp",
        "ArrowDown",
        "ArrowLeft",
        "ArrowRight",
        "Home",
        "End",
        "PageUp",
        "PageDown",
    }
)
"""Keys that are pressed by name; everything that makes a character comes as text."""
LETTERS_WITH_CONTROL = frozenset("acxz")
"""Select all, copy, cut, undo. What is pasted comes as text: the far clipboard is another one."""
LONGEST_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class Picture:
    """What is shown now: a JPEG or PNG, and the size of what it shows in its own pixels."""

    image: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Mouse:
    """The mouse at ``x``, ``y`` (0 to 1, from the left and the top); ``dx``, ``dy`` in pixels for the wheel."""

    kind: Literal["move", "down", "up", "wheel"]
    x: float
    y: float
    dx: float = 0.0
    dy: float = 0.0


@dataclass(frozen=True, slots=True)
class Touch:
    """One finger at ``x``, ``y`` (0 to 1)."""

    kind: Literal["start", "move", "end"]
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Key:
    """A key of ``NAMED_KEYS``, or a letter of ``LETTERS_WITH_CONTROL`` with ``control``."""

    name: str
    shift: bool = False
    control: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Text:
    """Characters typed, or pasted as a whole. Its words are nobody's business: they are not in its repr."""

    text: str
    pasted: bool = False

    def __repr__(self) -> str:
        return f"Text({len(self.text)} characters)"


@dataclass(frozen=True, slots=True)
class Size:
    """The page is to be as large as the screen that shows it, in pixels."""

    width: int
    height: int


Gesture = Mouse | Touch | Key | Text | Size


class Stage(StrEnum):
    """How far a reconnect by the remote view has come."""

    CLOSED = "closed"
    """Nobody is at it: no browser runs, the site gets no request."""
    OPENING = "opening"
    """The browser is started on the saved login and goes to the inbox."""
    SHOWING = "showing"
    """The person sees and drives it."""
    CHECKING = "checking"
    """The person's browser is closed; the inbox is opened headless, as the workers do."""
    DONE = "done"
    """The inbox was readable, and the halt is over."""
    FAILED = "failed"
    """It was not, or the person went away: see the reason. The halt stands."""


@dataclass(frozen=True, slots=True)
class RemoteState:
    """What the viewer is told beside the pictures."""

    stage: Stage
    reason: str = ""
    """With FAILED: the kind of a halt, ``too_late``, ``viewer_gone``, ``browser_in_use`` or ``not_readable``."""
    place: str = ""
    """Scheme and host of the page that is shown."""
    released: int = 0
    stale: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Link:
    """Lets one person in, once, until it expires. Its holder controls the browser."""

    token: str
    expires_at: datetime
    login: Login = "browser"
    """What the person is going to see."""


Refused = Literal["unknown", "used", "expired", "over", "busy", "not_halted", "not_yours"]
"""``over``: the halt for which the link or the key was given has ended. The others say what they mean."""


class LinkRefused(NightporterError):
    """The link for the remote view is not good (any more)."""

    def __init__(self, reason: Refused) -> None:
        super().__init__(f"the remote view is refused: {reason}")
        self.reason = reason
