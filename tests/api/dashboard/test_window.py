"""How long a reply may still go out stands where a person decides about it: only where the service sets a time."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from pathlib import Path

import pytest

from src.account import Account, AccountSettings
from src.channels.whatsapp.settings import WhatsappSettings
from tests.support.api import client, inbox  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401

GERDA = "33612345678"
LEFT, OVER = "A reply may go out here for another", "The 24 hours after the person"


@pytest.fixture
def pages(client, inbox, clock):
    """The conversation's page and the list of drafts of an account of this mode, some hours later."""

    async def get(mode: str, hours: float) -> list[str]:
        own = WhatsappSettings(mode=mode)
        settings = AccountSettings(reply_mode="draft", ai_webhook_url="http://127.0.0.1:9/ai")
        account = Account("default", "whatsapp", Path("s"), settings, own, ai="webhook")
        one = client(listed=(account,))
        said = {"conversation_id": GERDA, "sender": "Gerda", "message": "Yes, it is."}
        asked = await one.post(inbox.url(inbox.waiting(GERDA)), json=said)
        assert asked.status_code in (200, 202), asked.text
        clock.advance(hours * 3600)
        return [(await one.get(path)).text for path in (f"/conversations/{GERDA}", "/outbox?state=draft")]

    return get


async def test_the_time_left_stands_on_the_conversation_and_at_its_draft(pages):
    for page in await pages("cloud", 3):
        assert LEFT in page
        assert page.partition(LEFT)[2].strip().startswith(("21 h", "20 h"))
        assert OVER not in page


async def test_that_the_time_is_over_is_said(pages):
    for page in await pages("cloud", 25):
        assert OVER in page
        assert LEFT not in page


async def test_a_gateway_has_no_such_time(pages):
    for page in await pages("waha", 3):
        assert LEFT not in page
        assert OVER not in page
