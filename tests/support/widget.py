"""A site with the widget: the API, visitors who call it as the script does, an AI, and SEND on the real channel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from httpx import ASGITransport

from src.account import Account, AccountSettings
from src.api.server import serve
from src.channels import registry
from src.channels.base import Place
from src.channels.widget.channel import WidgetChannel
from src.channels.widget.settings import WidgetSettings
from src.commands.serving import make_app
from src.db import conversations, inbox_queue, outbox_views
from src.db.wakeup import Wakeup
from src.model.answer import Answer
from src.model.statuses import OPEN_INBOX
from src.services.answers import take_answer
from src.services.intake import Rules
from src.services.send import Pace, Send
from src.services.store import StoredHere
from src.settings import Settings
from tests.support.ports import free_port

ACCOUNT, SITE, PAGE = "my-shop", "shop", "https://shop.example"
BASE = f"/api/widget/{SITE}"


class RealClock:
    """The machine's, where a browser waits."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Nobody can."""


class Shop:
    """One site's widget, in one process."""

    def __init__(self, db: Any, clock: Any, folder: Path, *, mode: str = "auto", **own: Any) -> None:
        self.db, self.clock, self.wakeup = db, clock, Wakeup(db)
        given = {"site": SITE, "origins": PAGE, "title": "Rosa", **own}
        settings = AccountSettings(
            ai_webhook_url="http://127.0.0.1:9/ai", reply_mode=mode, grouping_delay_sec=0, grouping_max_sec=0
        ).without_default_caps()
        self.account = Account(
            ACCOUNT, "widget", folder / "session", settings, WidgetSettings(**given), ai="webhook"
        )
        self.settings = Settings(listed=(self.account,))
        self.app = self.new_app()
        self.client = self.from_address("192.0.2.1")
        self.rules = Rules.of(settings)
        store = StoredHere(db, ACCOUNT, self.rules, clock)
        place = Place(account=ACCOUNT, session_dir=folder, evidence_dir=folder, store=store)
        self.channel = WidgetChannel(self.account.own, place)
        self.send = self.new_send()

    def new_app(self) -> Any:
        """The API as one more process has it."""
        return make_app(self.settings, self.db, self.wakeup, clock=self.clock)

    def new_send(self) -> Send:
        return Send(
            self.db,
            account=ACCOUNT,
            owner=f"worker-{uuid4()}",
            rules=self.rules,
            wakeup=self.wakeup,
            clock=self.clock,
            pace=Pace(proof=0.0),
        )

    async def close(self) -> None:
        await self.client.aclose()
        await self.channel.close()
        self.wakeup.close()

    def from_address(self, address: str, page: str | None = PAGE) -> httpx.AsyncClient:
        transport = ASGITransport(self.app, client=(address, 50_000))
        headers = {"origin": page} if page else {}
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers)

    # --- visitors ----------------------------------------------------------------------------------------

    async def say(
        self,
        text: str = "Is it blue?",
        token: str | None = None,
        client_id: str | None = None,
        client: httpx.AsyncClient | None = None,
    ) -> httpx.Response:
        said = {"text": text, "client_id": client_id or str(uuid4())}
        return await (client or self.client).post(f"{BASE}/messages", json=said, headers=bearer(token))

    async def visitor(self, text: str = "Is it blue?") -> str:
        """The token of a new visitor, who has written this."""
        response = await self.say(text)
        assert response.status_code == 202, response.text
        return str(response.json()["visitor"])

    async def shown(self, token: str, after: int = 0) -> list[dict[str, Any]]:
        """What the visitor is shown."""
        response = await self.client.get(f"{BASE}/messages", params={"after": after}, headers=bearer(token))
        assert response.status_code == 200, response.text
        return list(response.json()["messages"])

    # --- the AI and SEND ---------------------------------------------------------------------------------

    def open_requests(self) -> list[Any]:
        with self.db.read() as conn:
            found = conversations.list_recent(conn, ACCOUNT, 500)
            return [one for c in found if (one := inbox_queue.open_request(conn, c.id))]

    def answer(self, text: str = "Yes, it is.", **more: Any) -> list[Any]:
        """The AI answers everything that is open; returns the replies."""
        self.clock.advance(1)
        jobs = []
        for request in self.open_requests():
            assert request.status in OPEN_INBOX
            with self.db.read() as conn:
                home = conversations.get(conn, request.conversation_id).external_id
            outcome = take_answer(
                self.db,
                self.wakeup,
                Answer(home, request.id, message=text, **more),
                accounts={ACCOUNT: self.account},
                now=self.clock(),
                is_conversation_id=lambda name, one: registry.find(name).is_conversation_id(one),
            )
            jobs.append(outcome.job)
        return jobs

    async def deliver(self) -> int:
        """One run of SEND."""
        await self.channel.open()
        return await self.send.run_once(self.channel)

    async def answered(self, text: str = "Yes, it is.", **more: Any) -> None:
        self.answer(text, **more)
        await self.deliver()

    # --- looking -----------------------------------------------------------------------------------------

    def jobs(self) -> list[Any]:
        with self.db.read() as conn:
            return outbox_views.list_jobs(conn, ACCOUNT, None, 1000)

    def conversations(self) -> list[Any]:
        with self.db.read() as conn:
            return conversations.list_recent(conn, ACCOUNT, 1000)

    def messages(self) -> list[Any]:
        with self.db.read() as conn:
            return [m for c in self.conversations() for m in conversations.messages_of(conn, c.id, 1000)]

    @asynccontextmanager
    async def served(self, port: int | None = None) -> AsyncIterator[str]:
        """On a real socket, for what a client cannot have of an application in memory: a stream."""
        stop, port, app = asyncio.Event(), port or free_port(), self.new_app()
        started = asyncio.Event()
        serving = asyncio.create_task(
            serve(
                app,
                "127.0.0.1",
                port,
                stop=stop,
                on_started=lambda _: started.set(),
                on_ending=app.state.streams.end,
            )
        )
        await started.wait()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            stop.set()
            await serving


def bearer(token: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token is not None else {}


class Stream:
    """A visitor's open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()
        self.last_id = ""

    async def next(self) -> dict[str, Any]:
        """The next message."""
        kind, data = "", ""
        async for line in self._lines:
            name, _, value = line.partition(":")
            match name:
                case "event":
                    kind = value.strip()
                case "data":
                    data = value.strip()
                case "id":
                    self.last_id = value.strip()
                case "" if line == "":
                    if kind == "message":
                        return dict(json.loads(data))
                    kind = data = ""
        raise EOFError

    async def texts(self, number: int) -> list[str]:
        return [(await self.next())["text"] for _ in range(number)]


@asynccontextmanager
async def streaming(url: str, token: str, after: str = "") -> AsyncIterator[Stream]:
    headers = {"origin": PAGE, **bearer(token), **({"last-event-id": after} if after else {})}
    async with (
        httpx.AsyncClient(timeout=15) as client,
        client.stream("GET", f"{url}{BASE}/events", headers=headers) as response,
    ):
        yield Stream(response)
