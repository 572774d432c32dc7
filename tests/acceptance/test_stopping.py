"""A stop that is asked for is 0, whenever it is asked for and however often."""

from __future__ import annotations

import itertools
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.acceptance.house import House, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

BOTH = (signal.SIGINT, signal.SIGTERM)


def hammer(process: subprocess.Popen[str], numbers: tuple[signal.Signals, ...]) -> None:
    """These signals in turn, every millisecond or two, until the process has gone."""
    for number in itertools.cycle(numbers):
        process.send_signal(number)
        try:
            process.wait(timeout=0.001)
        except subprocess.TimeoutExpired:
            continue
        return


def has_open(process: subprocess.Popen[str], path: Path) -> bool:
    return str(path) in [file.path for file in psutil.Process(process.pid).open_files()]


@pytest.mark.parametrize("numbers", [(signal.SIGINT,), (signal.SIGTERM,), BOTH], ids=str)
@pytest.mark.parametrize("halt_wait", ["false", "true"])
def test_any_number_of_signals_while_stopping_ends_with_0(
    house: House, numbers: tuple[signal.Signals, ...], halt_wait: str
) -> None:
    house.changes["HALT_WAIT"] = halt_wait
    process = house.start("api")
    log = house.folder / "logs" / "app.log"
    wait_until(lambda: log.exists() and "Dashboard and API at" in log.read_text(), "it serves")
    hammer(process, numbers)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert "KeyboardInterrupt" not in output


@pytest.mark.browser
def test_three_ctrl_c_while_the_browser_is_at_work_end_with_0(house: House) -> None:
    house.site.inbox.add_thread(guest="Ines", says="Is there a lift?")
    process = house.start("syncsend")

    def press_three_times(_: object) -> None:
        for _ in range(3):
            process.send_signal(signal.SIGINT)

    house.site.faults.on_event("before_send", press_three_times)
    wait_until(lambda: house.rows("SELECT 1 FROM queue_outbox WHERE status = 'sent'"), "sent")
    hammer(process, BOTH)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "Stopped (0)" in output
    assert house.presses() == 1


@pytest.mark.parametrize("number", BOTH)
@pytest.mark.parametrize("command", ["api", "syncsend"])
def test_a_stop_while_it_still_starts_is_0_too(house: House, command: str, number: signal.Signals) -> None:
    house.run("forget", "nobody")  # makes the database
    with closing(sqlite3.connect(house.folder / "inbox.db", isolation_level=None)) as locked:
        locked.execute("BEGIN EXCLUSIVE")
        process = house.start(command)
        wait_until(lambda: has_open(process, house.folder / "inbox.db"), "it waits for the database")
        process.send_signal(number)
        locked.execute("ROLLBACK")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "Stopped (0)" in output
    assert "Traceback" not in output
    assert house.presses() == 0
