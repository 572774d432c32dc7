"""Starts the product's real commands as processes of their own, forked from one that has loaded the program."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.faults.worker_process import main
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
_FORKS = multiprocessing.get_context("forkserver")


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """What a command is told, with quick clocks; ``changes`` has at least the addresses of AI, site and database."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PLAYWRIGHT_SESSION_DIR": str(folder / "session"),
        "LOG_DIR": str(folder / "logs"),
        "SCRAPE_INTERVAL_SEC": "0.1",
        "SEND_WORKER_INTERVAL_SEC": "0.1",
        "GROUPING_DELAY_SEC": "0",
        "GROUPING_MAX_SEC": "1",
        "HUMAN_PAUSE_MIN": "0",
        "CRASH_LOOP_STARTS": "1000",
        "API_PORT": str(free_port()),  # trials run beside each other
        **changes,
    }


def start(
    arguments: list[str], told: Mapping[str, str], address: str | None, folder: Path, *, browser: bool = False
) -> BaseProcess:
    """The command, running. Its steps are announced at ``address``; with ``browser`` it has the real channel."""
    os.environ["PYTHONPATH"] = str(ROOT)  # the process that is forked from starts with nothing else of ours
    _FORKS.set_forkserver_preload(["tests.faults.worker_process", "pytest"])
    output = str(folder / "output")
    process = _FORKS.Process(target=main, args=(arguments, dict(told), address, output, browser))
    process.start()
    return process
