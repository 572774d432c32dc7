"""``POST /api/mail``: what is taken, what is refused and with which field, and that nothing else leads there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from httpx import ASGITransport

from src.channels.registry import find
from src.commands.serving import make_app, make_fill
from src.db import accounts, outbox_views
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.settings import Settings, load_settings
from tests.support.api import CALLBACK

KEY = "a-key-of-the-mail-test"
GOOD = {"template": "hello", "to": "ana@mail.example", "data": {"name": "Ana"}}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "hello.txt").write_text("Subject: Hello {{ name }}\n\nDear {{ name }}\n")
    return load_settings(
        tmp_path,
        {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_FROM": "porter@house.example",
            "SMTP_TLS": "none",
            "SMTP_TEMPLATES_DIR": str(tmp_path),
            "API_KEY": KEY,
        },
    )


@pytest.fixture
def wakeup(db: Database) -> Iterator[Wakeup]:
    made = Wakeup(db)
    yield made
    made.close()


def client_of(settings: Settings, db: Database, wakeup: Wakeup, clock: Any) -> httpx.AsyncClient:
    app = make_app(
        settings,
        db,
        wakeup,
        is_conversation_id=lambda channel, text: find(channel).is_conversation_id(text),
        clock=clock,
        mail=settings.mail,
        fill=make_fill(settings.mail),
    )
    for account in settings.asked.values():
        with db.write() as conn:
            accounts.ensure(conn, account.name, clock())
    return httpx.AsyncClient(
        transport=ASGITransport(app, client=("192.0.2.7", 1)),
        base_url="http://127.0.0.1:8000",
        headers={"X-API-KEY": KEY},
    )


@pytest_asyncio.fixture
async def client(settings: Settings, db: Database, wakeup: Wakeup, clock: Any) -> Any:
    async with client_of(settings, db, wakeup, clock) as made:
        yield made


def jobs(db: Database) -> list[Any]:
    with db.read() as conn:
        return list(outbox_views.list_jobs(conn, "mail", None, 50))


async def test_a_mail_is_stored_and_named(client: httpx.AsyncClient, db: Database):
    answer = await client.post("/api/mail", json=GOOD)
    assert answer.status_code == 202
    (job,) = jobs(db)
    assert answer.json()["outbox_id"] == job.id
    assert (job.status, job.kind, job.text) == ("pending", "notice", "Subject: Hello Ana\n\nDear Ana")


async def test_the_same_key_is_the_same_mail(client: httpx.AsyncClient, db: Database):
    headers = {"Idempotency-Key": "order-7"}
    ids = {(await client.post("/api/mail", json=GOOD, headers=headers)).json()["outbox_id"] for _ in range(3)}
    assert len(ids) == len(jobs(db)) == 1
    other = await client.post("/api/mail", json=GOOD, headers={"Idempotency-Key": "order-8"})
    assert other.json()["outbox_id"] not in ids


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"template": "nobody"}, "template"),
        ({"template": "../hello"}, "template"),
        ({"data": {}}, "data"),
        ({"data": {"name": "Ana\r\nBcc: eve@mail.example"}}, "data"),
        ({"to": "ana@mail.example\r\nBcc: eve@mail.example"}, "to"),
        ({"to": "Ana"}, "to"),
        ({"to": 7}, "to"),
        ({"message": "free text"}, "message"),
    ],
)
async def test_what_does_not_fit_is_422_naming_the_field(
    client: httpx.AsyncClient, db: Database, changes: dict[str, Any], field: str
):
    answer = await client.post("/api/mail", json=GOOD | changes)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert jobs(db) == []


async def test_without_a_key_nobody_sends(client: httpx.AsyncClient, db: Database):
    answer = await client.post("/api/mail", json=GOOD, headers={"X-API-KEY": "another-key-altogether"})
    assert answer.status_code == 401
    assert jobs(db) == []


async def test_without_a_server_it_says_which_variable(
    tmp_path: Path, db: Database, wakeup: Wakeup, clock: Any
):
    bare = load_settings(tmp_path, {"API_KEY": KEY})
    async with client_of(bare, db, wakeup, clock) as client:
        answer = await client.post("/api/mail", json=GOOD)
    assert answer.status_code == 503
    assert "SMTP_HOST" in answer.json()["error"]


async def test_an_ai_cannot_write_a_mail(client: httpx.AsyncClient, db: Database):
    answer = await client.post(
        CALLBACK,
        json={"conversation_id": "ana@mail.example", "message": "Subject: x\n\ny", "account": "mail"},
    )
    assert answer.status_code in (404, 422)
    assert jobs(db) == []


async def test_nobody_writes_free_words_by_mail(client: httpx.AsyncClient, db: Database):
    await client.post("/api/mail", json=GOOD)
    path = "/api/conversations/ana@mail.example/messages?account=mail"
    refused = await client.post(path, json={"message": "Hello Ana"})
    assert refused.status_code == 404
    assert len(jobs(db)) == 1
