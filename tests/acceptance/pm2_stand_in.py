"""Stands in for the product under PM2: starts, and does one of a few things that show how PM2 treats it.

Every start and every signal becomes a line in the file that STAND_IN_DIARY names. STAND_IN_PLOT says what happens:

    exit=N    ends at once with that code
    work      starts a child, as the product starts a browser, and waits for SIGINT; then finishes its work,
              which takes STAND_IN_WORK_SEC (asleep) and needs the child, and exits 0

The child ends when its parent does, or at once if a signal reaches it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

DIARY = Path(os.environ["STAND_IN_DIARY"])
PLOT = os.environ["STAND_IN_PLOT"]


def note(line: str) -> None:
    with DIARY.open("a", encoding="utf-8") as diary:
        diary.write(f"{line}\n")


def child() -> int:
    def die(number: int, _frame: FrameType | None) -> None:
        note(f"child got {signal.Signals(number).name}")
        os._exit(1)

    signal.signal(signal.SIGINT, die)
    signal.signal(signal.SIGTERM, die)
    note("child started")
    sys.stdin.read()
    return 0


def work() -> int:
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell)  # each signal that has a handler becomes a byte
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    with subprocess.Popen([sys.executable, __file__, "child"], stdin=subprocess.PIPE) as helper:
        note(f"got {signal.Signals(os.read(told, 1)[0]).name}")
        time.sleep(float(os.environ.get("STAND_IN_WORK_SEC", "0")))
        note("work finished" if helper.poll() is None else "the child died early")
    return 0


def main() -> int:
    if sys.argv[1] == "child":
        return child()
    note(f"started with {' '.join(sys.argv[1:])}")
    return int(PLOT.removeprefix("exit=")) if PLOT.startswith("exit=") else work()


if __name__ == "__main__":
    sys.exit(main())
