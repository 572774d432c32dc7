"""The API of a running command, asked as from outside."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def health(port: int) -> dict[str, Any] | None:
    """What ``GET /health`` says; None while nobody answers."""
    try:
        with _DIRECT.open(f"http://127.0.0.1:{port}/health", timeout=5) as response:
            said: dict[str, Any] = json.load(response)
            return said
    except OSError:
        return None
