"""After ``forget`` and ``purge`` no byte that the product has written holds a guest's words or name."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sandbox.ai import Plan
from tests.acceptance.house import House, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(300)]

NAME, ASKED, SAID, WHY = "Kanarienvogel", "Zwetschgenkuchen", "Pustekuchenrezept", "donaudampfschiff"
WORDS = (NAME, ASKED, SAID, WHY)


def held_in(folder: Path) -> dict[str, list[str]]:
    """By file: which of the words it holds, however they are written there."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        held = path.read_bytes().lower()
        words = [w for w in WORDS if w.lower().encode() in held or w.lower().encode("utf-16-le") in held]
        if words:
            found[str(path.relative_to(folder))] = words
    return found


def answer_all(house: House) -> subprocess.Popen[str]:
    """One conversation is answered, another one is escalated with one word as the reason; it still runs."""
    inbox = house.site.inbox
    inbox.add_thread(guest=NAME, says=f"{ASKED}, please?")
    house.ai.script(Plan(text=SAID))
    process = house.start("syncsend")
    wait_until(lambda: house.rows("SELECT 1 FROM queue_outbox WHERE status = 'sent'"), "sent", 90)
    house.ai.script(Plan("escalate", reason=WHY))
    inbox.add_thread(guest=NAME, says=f"And {ASKED} again?")
    wait_until(lambda: house.rows("SELECT 1 FROM queue_inbox WHERE status = 'escalated'"), "escalated", 90)
    return process


def conversations(house: House) -> list[str]:
    return [str(row[0]) for row in house.rows("SELECT external_id FROM conversations")]


def clear(house: House, command: str) -> None:
    done = house.run(command, *(["--days", "0"] if command == "purge" else conversations(house)))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", ["forget", "purge"])
def test_nothing_written_holds_a_guests_words_after_the_work(house: House, command: str) -> None:
    process = answer_all(house)
    assert house.stop(process)[0] == 0
    assert held_in(house.folder), "there was something to forget"
    clear(house, command)
    assert held_in(house.folder) == {}
    again = house.start("syncsend")  # the login is still there, and nothing is answered twice
    cycles = "SELECT cycles FROM workers WHERE worker = 'sync'"
    before = house.one(cycles)
    wait_until(lambda: house.one(cycles) > before + 1, "it reads the inbox again")
    assert house.stop(again)[0] == 0
    assert house.presses() == 1


def test_forgetting_beside_the_workers_makes_them_close_their_browser_first(house: House) -> None:
    process = answer_all(house)
    clear(house, "forget")
    cycles = "SELECT cycles FROM workers WHERE worker = 'sync'"
    before = house.one(cycles)
    wait_until(lambda: house.one(cycles) > before + 1, "they go on")
    assert house.stop(process)[0] == 0
    assert house.presses() == 1
    assert not any(SAID in words for words in held_in(house.folder).values())


def test_what_a_killed_browser_left_is_forgotten_too(house: House) -> None:
    process = answer_all(house)
    house.kill_all()
    process.wait(timeout=30)
    profile = house.folder / "session" / "profile" / "Default"
    assert not (profile / "Cache").exists(), "the cache is in memory"
    assert (profile / "History").exists()
    (profile / "Sessions" / "Session_1").write_text(f"{NAME}: {ASKED}?", encoding="utf-16-le")
    clear(house, "forget")
    assert held_in(house.folder) == {}
    assert not (profile / "History").exists()
    assert (profile / "Cookies").exists()
