"""What the tests of the AI's side share: a guest's message in the database, and a look at what became of it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx import ASGITransport

from src.assistant_settings import AssistantSettings
from src.commands.serving import make_app
from src.db import conversations, inbox_queue, outbox_views
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.model.inbox import AuthorRole, SeenConversation, SeenMessage
from src.model.rows import Job, Request
from src.model.values import Direction
from src.services import tokens
from src.settings import Settings

ACCOUNT = "default"
WEBHOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CALLBACK = "/api/ai/webhook-simple"
KEY = "a-long-random-key"


def thread_id(number: int = 1234567) -> str:
    """A conversation id in the form that the site uses."""
    return base64.b64encode(f"MessageThread:{number}".encode()).decode()


def is_conversation_id(*channel_and_id: str) -> bool:
    """The form check of a channel, in short; the channel may be left out."""
    text = channel_and_id[-1]
    try:
        return base64.b64decode(text, validate=True).decode("ascii").startswith("MessageThread:")
    except ValueError:
        return False


class Inbox:
    """Puts guests' messages where SYNC would have put them."""

    account = ACCOUNT
    """Of whom rows are made; a test may change it."""

    def __init__(
        self,
        db: Database,
        clock: Any,
        make_message: Callable[..., SeenMessage],
        make_conversation: Callable[..., SeenConversation],
    ) -> None:
        self.db = db
        self.clock = clock
        self._make_message = make_message
        self._make_conversation = make_conversation

    def conversation(self, external_id: str = "", *messages: SeenMessage, **fields: Any) -> str:
        """Store a conversation with its messages; returns our id."""
        seen = self._make_conversation(*messages, external_id=external_id or thread_id(), **fields)
        with self.db.write() as conn:
            stored = conversations.upsert_seen(
                conn, self.account, seen, skip_reason=None, fingerprint=None, now=self.clock()
            )
            for message in messages:
                inbound = message.role in {AuthorRole.GUEST, AuthorRole.COTRAVELLER}
                conversations.insert_message(
                    conn,
                    self.account,
                    stored.id,
                    message,
                    direction=Direction.INBOUND if inbound else Direction.OUTBOUND,
                    origin=str(message.role),
                    skip_reason=None,
                    now=self.clock(),
                )
        return stored.id

    def request(
        self, external_id: str = "", *texts: str, due_in: float = 0, reply_in: float = 3600, **fields: Any
    ) -> Request:
        """A pending request with these messages of a guest."""
        messages = [self._make_message(text) for text in texts or ("Is there a cot?",)]
        conversation_id = self.conversation(external_id, *messages, **fields)
        now = self.clock()
        with self.db.write() as conn:
            request = inbox_queue.create(
                conn,
                self.account,
                conversation_id,
                newest_external_id=messages[-1].external_id,
                due_at=now + timedelta(seconds=due_in),
                burst_until=now + timedelta(seconds=60),
                reply_by=now + timedelta(seconds=reply_in),
                now=now,
            )
            mine = {m.external_id for m in messages}
            ids = [
                m.id for m in conversations.messages_of(conn, conversation_id, 100) if m.external_id in mine
            ]
            conversations.attach_to_request(conn, ids, request.id)
        return request

    def waiting(self, external_id: str = "", *texts: str, **fields: Any) -> Request:
        """A request that the AI has accepted."""
        made = self.request(external_id, *texts, **fields)
        with self.db.write() as conn:
            inbox_queue.claim_due(
                conn, self.account, owner="w", lease_until=self.clock.later(60), now=self.clock(), limit=100
            )
            return inbox_queue.accepted(conn, made.id, "w", self.clock())

    def now_of(self, request: Request) -> Request:
        with self.db.read() as conn:
            found = inbox_queue.get(conn, request.id)
        assert found is not None
        return found

    def jobs(self) -> list[Job]:
        with self.db.read() as conn:
            return outbox_views.list_jobs(conn, self.account, None, 500)

    def token(self, request: Request) -> str:
        return tokens.make(self.db.secret, request.id)

    def url(self, request: Request) -> str:
        return f"{CALLBACK}?token={self.token(request)}"


def body(message: Any = "Oui, bien sûr.", **fields: Any) -> dict[str, Any]:
    """What an AI sends to the callback."""
    return {"conversation_id": thread_id(), "message": message, "sender": "Gerda Guest", **fields}


@pytest.fixture
def inbox(db, clock, make_message, make_conversation):
    return Inbox(db, clock, make_message, make_conversation)


@pytest.fixture
def sqlite_db(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """For what has nothing to do with the kind of database; to be imported as ``db``."""
    path = tmp_path / "data" / "inbox.db"
    path.parent.mkdir(mode=0o700)
    shutil.copy(sqlite_template, path)
    opened = Database.open(f"sqlite:///{path}")
    yield opened
    opened.close()


@pytest.fixture
async def client(db: Database, clock: Any, tmp_path: Path) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """Makes clients of an application with these settings; by default one on this machine without credentials."""
    made: list[httpx.AsyncClient] = []
    wakeup = Wakeup(db)

    def make(
        *,
        peer: str = "127.0.0.1",
        base_url: str = "http://127.0.0.1:8000",
        headers: dict[str, str] | None = None,
        browser_state: Callable[[], str] | None = None,
        **settings: Any,
    ) -> httpx.AsyncClient:
        folders = AssistantSettings(
            assistant_knowledge_dir=tmp_path / "knowledge",
            assistant_agents_dir=tmp_path / "agents",
            assistant_embeddings="off",
        )
        app = make_app(
            Settings(**{"assistant": folders, **settings}),
            db,
            wakeup,
            is_conversation_id=is_conversation_id,
            clock=clock,
            browser_state=browser_state,
        )
        transport = ASGITransport(app, client=(peer, 50_000))
        made.append(httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers))
        return made[-1]

    yield make
    for one in made:
        await one.aclose()
    wakeup.close()
