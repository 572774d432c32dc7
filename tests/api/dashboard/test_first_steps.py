"""A fresh installation says what to do; numbers come with the first conversation."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from src.db import accounts
from src.errors import ExitCode
from tests.support.api import ACCOUNT, client, inbox  # noqa: F401
from tests.support.dashboard import at_work, words_of

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_fresh_installation_shows_first_steps_in_place_of_zeros(client):
    shown = words_of(await client().get("/"))
    assert "First steps Say who answers" in shown
    assert "Start Nightporter At the machine: python src/main.py syncsend" in shown
    assert "In the queues" not in shown
    assert "The last seven days" not in shown
    assert shown.count("python src/main.py syncsend") == 1


async def test_what_is_done_of_the_first_steps_is_said(client, db, clock):
    one = client(ai_webhook_url="http://127.0.0.1:9/hook", alert_webhook_url="http://127.0.0.1:9/alert")
    shown = words_of(await one.get("/"))
    assert "Say who answers done Start Nightporter At the machine" in shown
    assert "Have your phone ring when you are needed done" in shown
    with db.write() as conn:
        accounts.ensure(conn, ACCOUNT, clock())
        accounts.halt(
            conn, ACCOUNT, "logged_out", "a login page", int(ExitCode.HALTED_PERSON_NEEDED), None, clock()
        )
    halted = await one.get("/")
    assert "Start Nightporter done Log in to Airbnb, once" in words_of(halted)
    assert halted.text.count('href="/reconnect"') == 2
    with db.write() as conn:
        accounts.clear_halt(conn, ACCOUNT, clock())
    at_work(db, clock)
    reads = words_of(await one.get("/"))
    assert "Log in to Airbnb, once done" in reads
    assert "Nothing. Everything is answered" in reads


async def test_the_first_steps_go_with_the_first_conversation(client, inbox):
    inbox.conversation()
    shown = words_of(await client().get("/"))
    assert "First steps" not in shown
    assert "In the queues" in shown
