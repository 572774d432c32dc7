"""The reservation panel beside a conversation: the name of the listing, and how many guests. Pure.

The panel comes after the conversation, and may still show another one's reservation. So a name counts only for the
listing whose number stands in the same panel, and a number of guests only for the booking whose code stands there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from src.model.inbox import SeenConversation

_LONGEST_NAME = 120
_NUMBER = re.compile(r"\d+")
_MOST_GUESTS = 100


def with_panel(view: SeenConversation, panel: Mapping[str, Any] | None) -> SeenConversation:
    """The conversation with what the panel says of its own stay. ``panel``: the answer of ``probes.PANEL``."""
    if panel is None or view.listing_id is None or panel.get("listing") != view.listing_id:
        return view
    facts = dict(view.stay)
    if name := " ".join(str(panel.get("name") or "").split())[:_LONGEST_NAME]:
        facts["listing_name"] = name
    code = view.stay.get("confirmation_code")
    numbers = _NUMBER.findall(str(panel.get("guests") or ""))
    if code and panel.get("code") == code and len(numbers) == 1 and 0 < int(numbers[0]) < _MOST_GUESTS:
        facts["guests"] = numbers[0]
    return replace(view, stay=facts)
