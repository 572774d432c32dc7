"""Folders of invented knowledge for tests."""

from __future__ import annotations

import textwrap
from pathlib import Path

LISTING = """
    name = "The attic"
    time_zone = "Europe/Paris"
    check_in = "15:00"
    check_out = "11:00"
    max_guests = 4
    languages = ["en", "fr"]
    emergency = "112"
"""
SECRETS = """
    [door_code]
    label = "Code of the front door"
    value = "48#21"
    from = "check_in - 24h"
    until = "check_out"
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write the files below the folder; secrets are closed to others."""
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        place.chmod(0o600 if place.name == "secrets.toml" else 0o644)
    return folder
