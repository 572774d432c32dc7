"""What an AI inside this process says to a request. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """``body`` is what an AI's webhook would respond; None: nobody could be asked, try again later.

    ``retry_after`` are seconds that a service asked for; ``trouble`` is a short stable word, None if all is well.
    """

    body: dict[str, Any] | None
    trouble: str | None = None
    retry_after: float | None = None
