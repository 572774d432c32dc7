"""Why something that came in from outside is not done. The API turns each into its status code."""

from __future__ import annotations

from src.errors import NightporterError


class Malformed(NightporterError):
    """What was sent cannot be used; ``field`` names the part that is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class HoldsSecret(Malformed):
    """A text that is to be kept has the value of a secret in it; ``name`` is the placeholder to write instead."""

    def __init__(self, field: str, name: str) -> None:
        super().__init__(field, f"holds the value of a secret; write {{{{{name}}}}} in its place")
        self.name = name


class Conflict(NightporterError):
    """It was understood but does not fit the state of things; ``reason`` is a stable word, ``state`` the status."""

    def __init__(self, reason: str, message: str, *, state: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.state = state


class NotFound(NightporterError):
    """There is nothing with this id."""
