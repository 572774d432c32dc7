"""One read-only look at the inbox: prints the unanswered guest messages. Stores nothing, sends nothing.

    python3 scripts/check_new_messages.py

Only the list is looked at; no conversation is opened, so nothing is marked as read.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv" / "bin" / "python"
sys.path[:] = [str(ROOT), *(p for p in sys.path if Path(p or ".").resolve() != ROOT / "scripts")]
os.umask(0o077)

if __name__ == "__main__":
    try:
        from src.commands.edge import to_the_end
        from src.commands.look import run_look
    except ModuleNotFoundError:
        if VENV.exists() and Path(sys.prefix) != VENV.parent.parent:
            # Started with the system's Python: go on with the project's own.
            os.execv(VENV, [str(VENV), *sys.argv])  # noqa: S606 (our own script, our own interpreter)
        raise
    sys.exit(to_the_end(run_look))
