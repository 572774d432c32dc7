"""A chat on the pages of a site. The remote is our own database: what a visitor is shown is what is stored here.

It offers what ``src/channels/registry.py`` asks of a channel's folder. The script of the pages is in ``static``;
its calls come in at ``src/api/widget``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from src.channels.base import Capabilities, Place
from src.channels.widget.settings import WidgetSettings

if TYPE_CHECKING:
    from src.channels.widget.channel import WidgetChannel

SETTINGS = WidgetSettings
CAPABILITIES = Capabilities(
    watches=False,
    has_history=False,
    longest_text=4000,
    takes_key=True,
    compares=True,
    takes_operator=True,
    at_once=8,
    ids_are_personal=True,
)
"""``longest_text``: as for what a visitor writes. ``at_once`` is ours."""
SCRIPT = Path(__file__).with_name("static") / "widget.js"

_VISITOR = re.compile(r"[vu]-[0-9a-f]{32}")
"""``v-``: a browser; ``u-``: somebody whom the site knows (``services/visitors.py``)."""


def is_conversation_id(external_id: str) -> bool:
    """Whether the text can name a visitor."""
    return _VISITOR.fullmatch(external_id) is not None


def build(settings: WidgetSettings, place: Place) -> WidgetChannel:
    """The channel of one account; opens nothing."""
    from src.channels.widget.channel import WidgetChannel

    return WidgetChannel(settings, place)
