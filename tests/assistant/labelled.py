"""The labelled messages of tests/assistant/cases, one JSON object a line."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

CASES = Path(__file__).with_name("cases")


@cache
def all_cases() -> tuple[dict[str, Any], ...]:
    return tuple(
        json.loads(line)
        for path in sorted(CASES.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    )
