"""Several numbers of one app: the service calls one address, and each message goes to the account of its number."""

from __future__ import annotations

import time

import httpx
import pytest
from httpx import ASGITransport
from pydantic import SecretStr

from sandbox.whatsapp import bodies
from src.channels.base import Place
from src.channels.whatsapp.channel import WhatsappChannel
from src.channels.whatsapp.settings import WhatsappSettings
from src.commands.serving import make_app
from src.db import accounts, conversations
from src.db.wakeup import Wakeup
from src.services.hearing import Hearing
from src.settings import Settings
from tests.support.house import RULES
from tests.support.whatsapp import GERDA

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NUMBERS = {
    "first": ("111", "the-apps-secret"),
    "second": ("222", "the-apps-secret"),
    "strange": ("333", "another"),
}


@pytest.fixture
async def call(db, clock, tmp_path):
    """``call(account, *changes)``: what the service hears back."""
    wakeup = Wakeup(db)
    hearing = {}
    with db.write() as conn:
        for name in NUMBERS:
            accounts.ensure(conn, name, clock())
    for name, (number, secret) in NUMBERS.items():
        settings = WhatsappSettings(
            phone_id=number,
            token=SecretStr("t"),
            app_secret=SecretStr(secret),
            verify_token=SecretStr(f"word of {name}"),
        )
        place = Place(account=name, session_dir=tmp_path, evidence_dir=tmp_path)
        hearing[name] = Hearing(name, WhatsappChannel(settings, place), RULES, tmp_path)
    app = make_app(Settings(), db, wakeup, clock=clock, hearing=hearing)
    transport = ASGITransport(app, client=("192.0.2.7", 50_000))

    async def made(account: str, *changes: dict, secret: str = "the-apps-secret") -> int:
        body = bodies.encoded(bodies.webhook(*changes))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return (
                await client.post(f"/hooks/{account}", content=body, headers=bodies.signed(body, secret))
            ).status_code

    yield made
    wakeup.close()


def said(number: str, wamid: str) -> dict:
    return bodies.change(
        number, messages=[bodies.message(GERDA, wamid, int(time.time()), body=f"To {number}")]
    )


def texts(db) -> dict[str, list[str | None]]:
    found: dict[str, list[str | None]] = {}
    with db.read() as conn:
        for name in NUMBERS:
            for one in conversations.list_recent(conn, name, 10):
                found[name] = [m.text for m in conversations.messages_of(conn, one.id, 10)]
    return found


async def test_a_message_goes_to_the_account_of_its_number_whichever_was_called(db, call):
    assert await call("first", said("222", "w1")) == 200
    assert texts(db) == {"second": ["To 222"]}


async def test_one_call_may_tell_of_several_numbers(db, call):
    assert await call("first", said("111", "w1"), said("222", "w2"), said("999", "w3")) == 200
    assert texts(db) == {"first": ["To 111"], "second": ["To 222"]}


async def test_a_number_of_nobody_is_401_and_leaves_no_row(db, call):
    assert await call("first", said("999", "w1")) == 401
    assert texts(db) == {}


async def test_a_number_of_another_app_is_not_let_in_by_this_ones_secret(db, call):
    assert await call("first", said("333", "w1")) == 401
    assert await call("strange", said("333", "w1")) == 401
    assert texts(db) == {}
    assert await call("strange", said("333", "w1"), secret="another") == 200
    assert texts(db) == {"strange": ["To 333"]}
