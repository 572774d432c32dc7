"""A person logs in, or solves the challenge, in a visible browser on the product's own profile.

    python3 scripts/reconnect_airbnb.py           a window opens; log in until the inbox shows
    python3 scripts/reconnect_airbnb.py --remote  no screen: shown on a page, by a link that works once
    python3 scripts/reconnect_airbnb.py --check   no person, no window: is the inbox readable again?

Success is proven by opening the inbox once more headless; only then the halt is cleared.
Exit codes: 0 readable, halt cleared · 10 not readable · 2 configuration.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *(p for p in sys.path if Path(p or ".").resolve() != ROOT / "scripts")]
os.umask(0o077)

from src.commands.edge import run_script


def load() -> Callable[[], int]:
    from src.commands.reconnect import main  # noqa: PLC0415 (it needs the packages)

    return lambda: main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run_script(load))
