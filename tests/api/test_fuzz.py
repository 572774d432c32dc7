"""Whatever comes in at the doors: an answer that the API itself has documented, and nothing stored that was refused.

The calls are made up by schemathesis from our own OpenAPI description, both fitting and not fitting it. A failure
prints its seed; ``FUZZ_SEED=… python -m pytest tests/api/test_fuzz.py`` makes the same calls again.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from loguru import logger
from schemathesis import GenerationMode

from src.account import Account
from src.assistant_settings import AssistantSettings
from src.commands.serving import make_app
from src.db import outbox_views
from src.db.wakeup import Wakeup
from src.model.notices import BadNotice, Notice, Value
from src.settings import Settings
from tests.support.api import ACCOUNT, CALLBACK

KEY = "fuzz-key-that-is-long-enough"
SEED = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(2**32))
CALLS = int(os.environ.get("FUZZ_CALLS") or 5)
"""For each operation, fitting and not fitting alike; more by hand with FUZZ_CALLS, which takes its time."""
OPERATIONS = {
    ("post", CALLBACK),
    ("post", "/api/mail"),
    ("get", "/api/outbox"),
    ("get", "/api/conversations"),
    ("get", "/api/conversations/{conversation_id}"),
    ("post", "/api/conversations/{conversation_id}/seen-to"),
    ("post", "/api/conversations/{conversation_id}/messages"),
    ("post", "/api/outbox/{job_id}/approve"),
    ("post", "/api/outbox/{job_id}/reject"),
    ("put", "/api/mode"),
    ("get", "/api/knowledge"),
    ("get", "/api/knowledge/{document_id}"),
    ("post", "/api/knowledge"),
    ("post", "/api/knowledge/search"),
    ("get", "/api/autonomy"),
    ("put", "/api/autonomy"),
    ("get", "/api/missing-facts"),
    ("post", "/api/missing-facts/{fact_id}/answer"),
}
"""Those that take something in."""


def _may_be_an_id(*channel_and_id: str) -> bool:
    """As loose as a channel may be; none lets in what cannot be stored."""
    text = channel_and_id[-1]
    return len(text) > 2 and "\0" not in text


def _fill(template: str, data: Mapping[str, Value]) -> Notice:
    """Any template there is, but none without a name."""
    if not template.isalnum():
        raise BadNotice("template", "is not there")
    return Notice(f"Subject: {template}\n\n{sorted(data)}", None)


class Doors:
    """The API on a database, its operations, and what was answered."""

    def __init__(self, db: Any, clock: Any, folder: Path) -> None:
        self.db = db
        self.wakeup = Wakeup(db)
        folders = AssistantSettings(
            assistant_knowledge_dir=folder / "knowledge",
            assistant_agents_dir=folder / "agents",
            assistant_embeddings="off",
        )
        app = make_app(
            Settings(api_key=KEY, assistant=folders),
            db,
            self.wakeup,
            is_conversation_id=_may_be_an_id,
            clock=clock,
            mail=Account("mail", "mail", folder, listed=False),
            fill=_fill,
        )
        made = schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations()
        self.operations = {(one.ok().method, one.ok().path): one.ok() for one in made}
        self.answers: Counter[int] = Counter()
        self.faults: list[str] = []

    def jobs(self) -> int:
        with self.db.read() as conn:
            return len(outbox_views.list_jobs(conn, ACCOUNT, None, 10_000))

    def attack(self, operation: Any, mode: GenerationMode, calls: int) -> None:
        documented = set(operation.definition.raw["responses"])

        @seed(SEED)
        @settings(
            max_examples=calls,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one_call(case: Any) -> None:
            before = self.jobs()
            response = case.call(headers={"x-api-key": KEY})
            self.answers[response.status_code] += 1
            assert str(response.status_code) in documented, f"{response.status_code} is not documented"
            body = response.json()
            if response.status_code not in (200, 202):
                assert body["success"] is False
                assert 0 < len(body["error"]) < 300
                assert self.jobs() == before
            elif operation.path == CALLBACK and body["outbox_id"]:
                assert self.jobs() >= before

        one_call()


@pytest.fixture
def doors(db, clock, tmp_path):
    print(f"FUZZ_SEED={SEED}")
    made = Doors(db, clock, tmp_path)
    sink = logger.add(lambda message: made.faults.append(str(message)), level="ERROR")
    yield made
    logger.remove(sink)
    made.wakeup.close()


def test_every_operation_that_takes_something_in_is_attacked(doors):
    known = {
        key
        for key, one in doors.operations.items()
        if one.definition.raw.get("requestBody") or (key[0] == "get" and one.definition.raw.get("parameters"))
    }
    assert {key for key in known if key[1].startswith("/api/")} == OPERATIONS


@pytest.mark.timeout(60 * CALLS)
def test_whatever_comes_in_gets_a_documented_answer_and_breaks_nothing(doors):
    for key in sorted(OPERATIONS):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            doors.attack(doors.operations[key], mode, CALLS)
    assert doors.faults == [], "an error within the API"
    assert doors.answers[200], "some calls get through"
    assert doors.answers[422], "some do not"
