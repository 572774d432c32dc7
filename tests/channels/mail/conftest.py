"""A mail server, and everything between a job and it, on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sandbox.mail.server import MailServer
from src.account import AccountSettings
from src.channels.base import Place
from src.channels.mail.channel import MailChannel
from src.channels.mail.settings import MailSettings
from src.channels.mail.templates import fill
from src.db import accounts, outbox_views
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.model.rows import Job
from src.services.intake import Rules
from src.services.notices import enqueue_notice
from src.services.send import Send
from src.services.store import StoredHere

ACCOUNT = "mail"


@dataclass
class Office:
    """One account of mails, its server, and what a worker does."""

    db: Database
    server: MailServer
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.wakeup = Wakeup(self.db)
        self.rules = Rules.of(AccountSettings())
        with self.db.write() as conn:
            accounts.ensure(conn, ACCOUNT, self.now())
        (self.folder / "hello.txt").write_text("Subject: Hello {{ name }}\n\nDear {{ name }}\n")

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)

    def ask(self, to: str = "ana@mail.example", *, key: str | None = None, name: str = "Ana") -> Job:
        return enqueue_notice(
            self.db,
            self.wakeup,
            ACCOUNT,
            fill=partial(fill, self.folder),
            template="hello",
            to=to,
            data={"name": name},
            key=key,
            now=self.now(),
        )

    def make_channel(self) -> MailChannel:
        given = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "tls": "none",
            "from_": "porter@house.example",
        }
        settings = MailSettings(**{**given, **self.settings})
        store = StoredHere(self.db, ACCOUNT, self.rules, self.now)
        evidence = self.folder / "logs" / "evidence"
        return MailChannel(
            settings, Place(account=ACCOUNT, session_dir=self.folder, evidence_dir=evidence, store=store)
        )

    async def send(self, channel: MailChannel | None = None) -> int:
        """One run of a new worker, as after a start."""
        channel = channel or self.make_channel()
        await channel.open()
        send = Send(
            self.db,
            account=ACCOUNT,
            owner=f"worker-{id(channel)}",
            rules=self.rules,
            wakeup=self.wakeup,
            clock=self.now,
        )
        try:
            return await send.run_once(channel)
        finally:
            await channel.close()

    def job(self, job_id: str) -> Job:
        with self.db.read() as conn:
            found = outbox_views.get(conn, job_id)
        assert found is not None
        return found


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as made:
        yield made


@pytest.fixture
def office(sqlite_template: Path, tmp_path: Path, server: MailServer) -> Iterator[Office]:
    path = tmp_path / "inbox.db"
    path.write_bytes(sqlite_template.read_bytes())
    db = Database.open(f"sqlite:///{path}")
    made = Office(db, server, tmp_path)
    yield made
    made.wakeup.close()
    db.close()


SECRET = SecretStr("a-password")
