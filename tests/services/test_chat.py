"""The desk of the chat without HTTP: several processes at once."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest
from sqlalchemy import event

from src.account import Account
from src.channels import registry
from src.db import conversations
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.model.values import utc_now
from src.services.ai_webhook import AiWebhook
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


@pytest.fixture
def chat() -> Account:
    account = Settings.model_validate({"ai_webhook_url": "https://ai.example.com/hook"}).chat
    assert account is not None
    return replace(account, ai="webhook")


async def test_the_whole_way_of_a_message_takes_few_transactions_and_statements(db, chat, monkeypatch):
    """Counted as the API and the AI's worker do it, from a caller's message to the reply that is handed over."""
    desk, wakeup = Desk(db, chat, utc_now), Wakeup(db)
    webhook = AiWebhook(
        db,
        wakeup,
        {chat.name: chat},
        callback_base_url="http://127.0.0.1:1",
        secret=None,
        owner="test-1-1",
        is_conversation_id=lambda channel, name: registry.find(channel).is_conversation_id(name),
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"message": "Yes, it is."})),
    )

    async def go(user: str) -> None:
        message_id = desk.hear(wakeup, Call(user, "Is it free?", None, user))
        assert (await webhook.run_once()).total() == 1
        ready = desk._look([message_id])[message_id]
        reply = desk.deliver(ready.job)
        assert reply is not None
        assert reply.text == "Yes, it is."

    await go("first")  # makes the account's row, and notes that the AI answers
    begun, said, waited = [], [], []
    event.listen(db._engine, "begin", lambda _: begun.append(1))
    event.listen(db._engine, "before_cursor_execute", lambda _c, _k, sql, *_: said.append(sql))
    write = db.write

    def writing(*, durable: bool = True):
        waited.append(durable)
        return write(durable=durable)

    monkeypatch.setattr(db, "write", writing)
    await go("second")
    await webhook.close()
    wakeup.close()
    # Heard, answered, sent; and a look for leases that are over, which changes nothing.
    assert waited.count(True) == 4
    # On a server each lock is a statement, and so is each note to other processes with its transaction.
    on_a_server = db.path is None
    assert len(begun) <= (9 if on_a_server else 8)
    assert len(said) <= (58 if on_a_server else 49)
