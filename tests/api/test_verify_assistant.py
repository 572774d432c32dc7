"""``POST /api/ai/verify`` where the built-in assistant answers: its model is tried, and what it says is true."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

import pytest

from tests.support.api import client, inbox  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.assistant import settings_for
from tests.support.model_server import ModelServer


@pytest.fixture
def server():
    with ModelServer(script={"doctor": {"word": "lamp"}}) as running:
        yield running


async def test_a_model_that_answers_is_a_success(client, server):
    found = await client(assistant=settings_for(server)).post("/api/ai/verify")
    assert found.status_code == 200
    said = found.json()
    assert (said["success"], said["ai"], said["model"], said["outcome"]) == (
        True, "assistant", "main", "answers",
    )  # fmt: skip
    assert len(server.calls) == 1


async def test_a_refused_key_is_said_and_no_success(client, server):
    server.ways = ["http_401"]
    found = await client(assistant=settings_for(server)).post("/api/ai/verify")
    assert (found.status_code, found.json()["outcome"]) == (502, "model_key_refused")
    assert "http_401" in found.json()["error"]
