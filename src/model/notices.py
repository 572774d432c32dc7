"""What goes out without a question: a confirmation, made of the host's own template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Notice:
    """A template with its data: nothing of it is made again later."""

    text: str
    """Subject and words, as the channel writes them."""
    html: str | None
    """The same as a page."""


class BadNotice(ValueError):
    """It cannot be made; ``field`` of the call says what is wrong."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(what)
        self.field = field


Fill = Callable[[str, Mapping[str, Value]], Notice]
"""A template's name and its data; BadNotice if they do not fit. Blocks."""
