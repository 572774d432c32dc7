"""One read-only look at the inbox: prints the unanswered guest messages. Stores nothing, sends nothing.

    python3 scripts/check_new_messages.py

Only the list is looked at; no conversation is opened, so nothing is marked as read.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *(p for p in sys.path if Path(p or ".").resolve() != ROOT / "scripts")]
os.umask(0o077)

from src.commands.edge import run_script


def load() -> Callable[[], int]:
    from src.commands.look import run_look  # noqa: PLC0415 (it needs the packages)

    parser = argparse.ArgumentParser(
        description="Print the unanswered guest messages; store and send nothing."
    )
    parser.add_argument("--account", help="only this account's inbox; without it all of them")
    name = parser.parse_args().account
    return lambda: run_look(name)


if __name__ == "__main__":
    sys.exit(run_script(load))
