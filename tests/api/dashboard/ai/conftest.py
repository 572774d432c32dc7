"""The pages of a program with the built-in assistant on a port, with drafts, questions and a model server of tests."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest_asyncio
from sqlalchemy import select

from benchmarks.crowd import fill
from src.api.server import serve
from src.assistant.live import LiveAssistant
from src.assistant_settings import AssistantSettings
from src.commands.serving import make_app
from src.db import missing_facts, outbox_views
from src.db.engine import Database
from src.db.statements import INBOX
from src.db.wakeup import Wakeup
from src.model.statuses import OutboxStatus
from src.settings import Settings
from tests.assistant.knowledge.folders import LISTING, SECRETS, write
from tests.support.assistant_runs import add_run
from tests.support.model_server import ModelServer

HOUSE = "---\ntitle: House\n---\n# Kettle\nThe kettle stands in the kitchen.\n"
SOURCES = ({"title": "Kettle", "id": "house.md#kettle"},)


@dataclass(frozen=True)
class AssistantHouse:
    """Where the pages are, and what they are about."""

    url: str
    db: Database
    model: ModelServer
    folder: Path
    draft: str
    """The id of a draft that can still be sent."""
    question: str
    """The id of a missing fact."""


@pytest_asyncio.fixture
async def assistant_house(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[AssistantHouse]:
    path, stop, now = tmp_path / "house.db", asyncio.Event(), datetime.now(UTC)
    shutil.copy(sqlite_template, path)
    folder = write(
        tmp_path / "knowledge",
        {
            "house.md": HOUSE,
            "old.md": "---\nvalid_until: 2020-01-01\n---\n# Pool\nOpen.\n",
            "listings/4711-attic/listing.toml": LISTING,
            "listings/4711-attic/secrets.toml": SECRETS,
        },
    )
    with ModelServer() as model:
        db = Database.open(f"sqlite:///{path}")
        fill(db, now, 400)
        with db.read() as conn:
            drafts = outbox_views.list_jobs(conn, "default", OutboxStatus.DRAFT, 20)
            late = {one for (one,) in conn.execute(select(INBOX.c.id).where(INBOX.c.reply_by < now))}
            left = conn.execute(select(INBOX.c.id).where(INBOX.c.status == "escalated").limit(1)).scalar_one()
        for job in drafts:
            add_run(db, now, job.request_id, language="de", sources=SOURCES, hold="low_confidence")
        add_run(db, now, left, action="escalate", reason="missing_fact", hard_class="missing_fact")
        with db.write() as conn:
            fact = missing_facts.ask(
                conn, "4711", "kitchen", "Gibt es einen Mixer?", request_id=left, now=now
            )
        assistant = AssistantSettings(
            assistant_base_url=model.base_url,
            assistant_model="main",
            assistant_knowledge_dir=folder,
            assistant_agents_dir=tmp_path / "agents",
            assistant_embeddings="off",
        )
        live, wakeup = LiveAssistant(assistant, db), Wakeup(db)
        settings = Settings(assistant=assistant, reply_mode="draft", time_zone="Europe/Paris")
        app = make_app(settings, db, wakeup, is_conversation_id=lambda *_: True, assistant=live)
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            serve(
                app, "127.0.0.1", 0, stop=stop, on_started=address.set_result, on_ending=app.state.streams.end
            )
        )
        fresh = next(job.id for job in drafts if job.request_id and job.request_id not in late)
        yield AssistantHouse(await address, db, model, folder, fresh, fact.id)
        stop.set()
        await serving
        await live.close()
        wakeup.close()
        db.close()
