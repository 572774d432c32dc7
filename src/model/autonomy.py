"""What may be answered without a person, by listing and topic: counted, earned, lost at once. Pure.

A record has a level. ``reason`` says who set it; None: nobody yet, and the account's reply mode decides. A topic
that was lost waits for a person in every mode; one that was allowed goes out in the mode ``draft``, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Literal

from src.model.rows import TopicRecord

TOPICS = (
    "parking", "wifi", "check_in", "check_out", "access", "luggage", "heating_cooling", "kitchen", "appliances",
    "bathroom", "bedding", "cleaning", "laundry", "trash", "pets", "children", "smoking", "noise", "transport",
    "location", "restaurants", "activities", "amenities", "house_rules", "other",
)  # fmt: skip
"""The subjects that autonomy is earned by."""

DRAFT, AUTO = "draft", "auto"
"""The levels: a person looks; it goes out by itself."""
FIRST, STAY = "inquiry", "stay"
"""The stages: the first answer to an inquiry or a request; everything else. Each is earned for itself."""
BY_HOST = "host"
"""The reason of a level that the host has set."""
NEEDS_APPROVAL = "topic_needs_approval"
"""Why a reply waits whose topic is not allowed to go out by itself."""

ENOUGH_IN_A_ROW, ENOUGH_CONVERSATIONS = 10, 5
SLIGHT = 0.15
"""An edit that changes up to this share of the characters is a slight one."""
CORRECTED_WITHIN = timedelta(minutes=30)
"""A person who writes so soon after our reply corrects it."""

Policy = Literal["ask", "earned", "full"]
"""Who allows a topic (ASSISTANT_AUTONOMY): the host, its record, or nobody needs to."""


class Judgement(StrEnum):
    """What a person made of a draft."""

    UNCHANGED = "unchanged"
    EDITED = "edited"
    REWRITTEN = "rewritten"
    REJECTED = "rejected"


SENT_AS_DRAFTED = (Judgement.UNCHANGED, Judgement.EDITED)
"""What a person made of a draft that was good, or nearly."""


class Loss(StrEnum):
    """Why a topic is back at ``draft``."""

    REWRITTEN = "rewritten"
    REJECTED = "rejected"
    RECALLED = "recalled"
    CORRECTED = "corrected"
    COMPLAINT = "complaint"


def judge(drafted: str, approved: str) -> Judgement:
    """What a person did to a draft before it went out.

    The changed characters are counted as difflib finds them, which may be more than the fewest possible: in
    doubt an edit counts as a rewrite.
    """
    if drafted == approved:
        return Judgement.UNCHANGED
    longest = max(len(drafted), len(approved))
    share = _changed(drafted, approved) / longest
    return Judgement.EDITED if share <= SLIGHT else Judgement.REWRITTEN


def _changed(before: Sequence[str], after: Sequence[str]) -> int:
    parts = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return sum(max(b - a, d - c) for tag, a, b, c, d in parts if tag != "equal")


def is_earned(record: TopicRecord) -> bool:
    """Enough drafts in a row went out unchanged, in enough conversations: the host may be asked."""
    return record.in_a_row >= ENOUGH_IN_A_ROW and record.conversations >= ENOUGH_CONVERSATIONS


def is_offered(record: TopicRecord, policy: Policy) -> bool:
    """Whether the host should be asked now."""
    return policy == "ask" and record.level != AUTO and is_earned(record)


def permission(record: TopicRecord | None, policy: Policy) -> bool | None:
    """True: it may go out by itself. False: it waits for a person. None: nobody has said, the mode decides."""
    if record is not None:
        if record.level == AUTO or (policy != "ask" and is_earned(record)):
            return True
        if record.reason is not None:
            return False
    return True if policy == "full" else None
