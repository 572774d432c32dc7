"""The desk of the chat without HTTP: several processes at once."""

from __future__ import annotations

from src.db import conversations
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.model.values import utc_now
from src.services.chat import Call, Desk, RateLimited
from src.settings import Settings

LIMIT = 10
PROCESSES = 4


def ask_again_and_again(number: int, url: str) -> tuple[int, int]:
    """How many of this process's messages in one conversation were let in, and how many were not."""
    db = Database.open(url)
    account = Settings().chat
    assert account is not None
    desk = Desk(db, account, utc_now)
    wakeup = Wakeup(db)
    let_in = refused = 0
    for turn in range(LIMIT):
        try:
            desk.hear(wakeup, Call("anna", f"Question {turn} of process {number}"))
        except RateLimited:
            refused += 1
        else:
            let_in += 1
    wakeup.close()
    db.close()
    return let_in, refused


def test_over_four_processes_exactly_as_many_are_let_in_as_the_limit_says(database_url, in_processes):
    Database.open(database_url).close()
    found = in_processes(PROCESSES, ask_again_and_again, database_url)
    assert sum(let_in for let_in, _ in found) == LIMIT
    assert sum(refused for _, refused in found) == PROCESSES * LIMIT - LIMIT
    db = Database.open(database_url)
    with db.read() as conn:
        home = conversations.by_external_id(conn, "chat", "anna")
        assert home is not None
        stored = conversations.messages_of(conn, home.id, 100)
        assert len(stored) == LIMIT
        assert sorted(m.sequence or 0 for m in stored) == list(range(1, LIMIT + 1)), "each has its number"
    db.close()


def test_over_four_processes_copies_of_one_call_are_one_message(database_url, in_processes):
    Database.open(database_url).close()
    ids = in_processes(PROCESSES, _say_the_same, database_url)
    assert len(set(ids)) == 1


def _say_the_same(_number: int, url: str) -> str:
    db = Database.open(url)
    account = Settings().chat
    assert account is not None
    wakeup = Wakeup(db)
    said = Desk(db, account, utc_now).hear(wakeup, Call("anna", "Is it free?", key="one"))
    wakeup.close()
    db.close()
    return said
