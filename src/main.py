"""Launcher: ``python src/main.py <command>``, from anywhere.

Python puts this file's folder on ``sys.path``; the root of the repository takes its place, so that every module is
``src.something`` and none can be loaded under two names.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

_SOURCE = Path(__file__).resolve().parent
sys.path[:] = [str(_SOURCE.parent), *(p for p in sys.path if Path(p or ".").resolve() != _SOURCE)]
os.umask(0o077)  # whatever is written, a login above all, is the owner's alone

if __name__ == "__main__":
    from src.cli import main

    code = main()
    # The code stands. Python's own end gives signals their deadly meaning back, except to those that are ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)
