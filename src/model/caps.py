"""How often a reply may go out without a person's eyes, and whether it looks as if two machines were talking. Pure.

Two auto-responders answer each other for ever: every message is new, so nothing that looks for repetitions of one
message stops them. RFC 3834 ("mail loops") is the oldest answer to it: count, and stop. The default numbers are
judgements, made so that a host's own correspondence stays below them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from src.model.inbox import GUEST_SIDE, HOST_SIDE, MessageKind
from src.model.same_reply import nearly_equal, normalised

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PROMPT = timedelta(minutes=15)
"""A guest's message that comes sooner after our reply may be a machine's; one that comes later, a person writes."""
_NUMBERS = re.compile(r"\d+")
_ASSISTANT = "assistant"


class HoldReason(StrEnum):
    """Why a reply of the AI waits for a person although the mode is ``auto``. Stored as ``queue_outbox.reason``."""

    CONVERSATION_HOUR = "cap_conversation_hour"
    """REPLY_CAP_CONVERSATION_HOUR: this conversation got that many replies within an hour."""
    CONVERSATION_DAY = "cap_conversation_day"
    """REPLY_CAP_CONVERSATION_DAY: the same within 24 hours."""
    ACCOUNT_HOUR = "cap_account_hour"
    """REPLY_CAP_ACCOUNT_HOUR: this inbox sent that many replies within an hour."""
    ROUNDS = "cap_rounds"
    """REPLY_CAP_ROUNDS: that many quick exchanges in a row without a person of the host's side."""
    SAME_MESSAGE = "same_message_again"
    """REPLY_CAP_SAME_MESSAGE: the guest's side writes the same again and again."""
    SAME_REPLY = "same_reply_again"
    """REPLY_CAP_SAME_REPLY: the AI says the same in this conversation again and again."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The settings: from this many on, the next reply waits for a person."""

    conversation_hour: int = 6
    conversation_day: int = 20
    account_hour: int = 60
    rounds: int = 8
    same_message: int = 3
    same_reply: int = 3
    """Unlike the others: this many equal replies within 24 hours, the next one among them."""


@dataclass(frozen=True, slots=True)
class Replies:
    """How many replies went out, or are about to, without a person having approved them."""

    conversation_hour: int
    conversation_day: int
    account_hour: int


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a conversation, as far as a loop can be seen in it."""

    origin: str
    """As in ``messages.origin``."""
    kind: str
    text: str
    at: datetime
    approved: bool = False
    """A reply of ours that a person has approved."""


def over_cap(caps: Caps, replies: Replies, lines: Sequence[Line], equal: int = 0) -> HoldReason | None:
    """Why the next reply must wait for a person; None if it may go. ``lines``: the newest ones, oldest first.

    ``equal``: how many replies of the last day in this conversation said the same as the next one.
    """
    if replies.conversation_hour >= caps.conversation_hour:
        return HoldReason.CONVERSATION_HOUR
    if replies.conversation_day >= caps.conversation_day:
        return HoldReason.CONVERSATION_DAY
    if replies.account_hour >= caps.account_hour:
        return HoldReason.ACCOUNT_HOUR
    if quick_rounds(lines) >= caps.rounds:
        return HoldReason.ROUNDS
    if same_again(lines) >= caps.same_message:
        return HoldReason.SAME_MESSAGE
    if equal + 1 >= caps.same_reply:
        return HoldReason.SAME_REPLY
    return None


def count_equal(text: str, said: Sequence[str]) -> int:
    """How many of these replies are the same as ``text``, but for white space and invisible signs."""
    wanted = normalised(text)
    return sum(normalised(one) == wanted for one in said)


def quick_rounds(lines: Sequence[Line]) -> int:
    """Replies of ours in a row, each followed promptly by the guest's side, with no person on the host's side.

    Ends where the host wrote or approved a reply, and where the guest took longer than PROMPT: that is how people
    write.
    """
    rounds = 0
    follows: datetime | None = None
    for line in reversed(lines):
        if line.origin in GUEST_SIDE:
            follows = line.at
        elif line.origin == _ASSISTANT:
            if line.approved or follows is None or follows - line.at > PROMPT:
                break
            rounds += 1
            follows = None
        elif _is_person(line):
            break
    return rounds


def same_again(lines: Sequence[Line]) -> int:
    """How many times the guest's side said what it said last, counted in turns with our replies between them.

    A turn is all that came between two replies. Long texts need not be equal, only nearly, with the same
    numbers in them: another date or time is another question. A person of the host's side who wrote, or approved
    a reply, ends the counting.
    """
    turns: list[list[str]] = [[]]
    for line in reversed(lines):
        if line.origin in GUEST_SIDE and line.kind == MessageKind.TEXT:
            turns[-1].append(line.text)
        elif line.origin == _ASSISTANT and not line.approved:
            turns.append([])
        elif line.origin == _ASSISTANT or _is_person(line):
            break
    said = [normalised("\n".join(turn[::-1])).casefold() for turn in turns if turn]
    return sum(_alike(said[0], one) for one in said) if said else 0


def _is_person(line: Line) -> bool:
    return line.origin in HOST_SIDE and line.kind in (MessageKind.TEXT, MessageKind.MEDIA)


def _alike(one: str, other: str) -> bool:
    if one == other:
        return True
    return _NUMBERS.findall(one) == _NUMBERS.findall(other) and nearly_equal(one, other)
