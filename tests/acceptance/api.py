"""The API of a running command, asked as from outside."""

from __future__ import annotations

import urllib.error
import urllib.request

from tests.acceptance.house import House


def health(house: House) -> str | None:
    """The body of ``GET /health``; None while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{house.port}/health", timeout=5) as response:
            body: str = response.read().decode()
            return body
    except (urllib.error.URLError, OSError):
        return None
