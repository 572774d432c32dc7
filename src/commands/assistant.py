"""``assistant``: the built-in assistant alone, served over HTTP."""

from __future__ import annotations


def run_assistant() -> int:
    """Serve until a signal. Exit code."""
    raise NotImplementedError
