"""The API as callers of `chat` use it, and an AI that answers when the test says so."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from httpx import ASGITransport

from src.channels.chat.settings import ChatSettings
from src.commands.serving import make_app
from src.db import conversations, inbox_queue, outbox_views
from src.db.wakeup import Wakeup
from src.model.answer import Answer
from src.services.answers import take_answer
from src.settings import Settings
from tests.support.waiting import until

KEY = "a-key-of-enough-letters"
ACCOUNT = "chat"


class Chat:
    """The API, a caller, and an AI that answers when the test says so."""

    def __init__(self, db, clock, **own: Any) -> None:
        self.db, self.clock, self.wakeup = db, clock, Wakeup(db)
        self.settings = Settings(
            channels=(ChatSettings(wait_sec=own.pop("wait_sec", 10), **own),), chat_reply_mode="auto"
        )
        self.app = make_app(
            self.settings,
            db,
            self.wakeup,
            is_conversation_id=lambda *_: True,
            clock=clock,
            chat=self.settings.chat,
        )
        self.client = self.from_address("127.0.0.1")

    def from_address(self, address: str) -> httpx.AsyncClient:
        transport = ASGITransport(self.app, client=(address, 50_000))
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")

    async def ask(self, message: str = "Is it free?", user: str = "u1", **headers: str) -> httpx.Response:
        said = {"user_id": user, "message": message}
        return await self.client.post("/chat", json=said, headers=headers)

    def open_requests(self):
        with self.db.read() as conn:
            found = conversations.list_recent(conn, ACCOUNT, 200)
            return [one for c in found if (one := inbox_queue.open_request(conn, c.id))]

    def conversations(self):
        with self.db.read() as conn:
            return conversations.list_recent(conn, ACCOUNT, 200)

    def texts(self, request):
        with self.db.read() as conn:
            return [m.text for m in conversations.messages_of_request(conn, request.id)]

    def jobs(self):
        with self.db.read() as conn:
            return outbox_views.list_jobs(conn, ACCOUNT, None, 500)

    def messages(self):
        with self.db.read() as conn:
            found = conversations.list_recent(conn, ACCOUNT, 200)
            return [m for c in found for m in conversations.messages_of(conn, c.id, 500)]

    async def asked(self, number: int = 1):
        """So many requests wait for the AI."""
        await until(lambda: len(self.open_requests()) == number)
        return self.open_requests()

    def answer(self, request, message: str | None = "Yes.", **more: Any):
        self.clock.advance(1)
        with self.db.read() as conn:
            home = conversations.get(conn, request.conversation_id).external_id
        return take_answer(
            self.db,
            self.wakeup,
            Answer(home, request.id, message=message, **more),
            accounts=self.settings.asked,
            now=self.clock(),
            is_conversation_id=lambda *_: True,
        )

    async def answered(
        self, message: str = "Is it free?", reply: str = "Yes.", **more: Any
    ) -> httpx.Response:
        call = asyncio.create_task(self.ask(message, **more))
        (request,) = await self.asked()
        self.answer(request, reply)
        return await call


@pytest.fixture
async def chat(db, clock):
    made = Chat(db, clock)
    yield made
    await made.client.aclose()
    made.wakeup.close()
