"""The dashboard of a program whose assistant asks a model server of tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx import ASGITransport

from src.assistant.live import LiveAssistant
from src.assistant_settings import AssistantSettings
from src.commands.serving import make_app
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.settings import Settings
from tests.support.api import is_conversation_id
from tests.support.model_server import ModelServer


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
async def trial(
    db: Database, tmp_path: Path, model: ModelServer, clock: Any
) -> AsyncIterator[Callable[..., httpx.AsyncClient]]:
    """Makes clients of an application whose assistant asks ``model``; knowledge is in ``tmp_path/knowledge``."""
    wakeup, made, lives = Wakeup(db), list[httpx.AsyncClient](), list[LiveAssistant]()

    def start(assistant: dict[str, Any] | None = None, **given: Any) -> httpx.AsyncClient:
        settings = AssistantSettings(
            **{
                "assistant_base_url": model.base_url,
                "assistant_model": "main",
                "assistant_knowledge_dir": tmp_path / "knowledge",
                "assistant_agents_dir": tmp_path / "agents",
                "assistant_embeddings": "off",
                "assistant_disclosure": "off",
                **(assistant or {}),
            }
        )
        lives.append(LiveAssistant(settings, db, clock=clock))
        app = make_app(
            Settings(assistant=settings, **given),
            db,
            wakeup,
            is_conversation_id=is_conversation_id,
            clock=clock,
            assistant=lives[-1],
        )
        transport = ASGITransport(app, client=("127.0.0.1", 50_000))
        made.append(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000"))
        return made[-1]

    yield start
    for one in made:
        await one.aclose()
    for live in lives:
        await live.close()
    wakeup.close()
