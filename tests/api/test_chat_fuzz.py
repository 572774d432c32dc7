"""The chat's paths under made-up calls: a documented answer to each, and nothing stored that was refused.

As in ``test_fuzz.py``: ``FUZZ_SEED`` makes the same calls again, ``FUZZ_CALLS`` makes it thorough.
"""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from loguru import logger
from schemathesis import GenerationMode

from tests.api.test_fuzz import CALLS, SEED
from tests.support.api import sqlite_db as db  # noqa: F401
from tests.support.chat import KEY, Chat

OPERATIONS = (
    ("post", "/chat"),
    ("post", "/whatsapp"),
    ("post", "/api/chat"),
    ("get", "/api/rate-limit/{conversation_id}"),
)


@pytest.fixture
def asked(db, clock):
    print(f"FUZZ_SEED={SEED}")
    chat = Chat(db, clock, api_key=KEY, wait_sec=0.01)
    faults: list[str] = []
    sink = logger.add(lambda message: faults.append(str(message)), level="ERROR")
    yield chat
    logger.remove(sink)
    chat.wakeup.close()
    assert faults == [], "an error within the API"


def attack(chat: Chat, operation: Any, mode: GenerationMode, answers: Counter[int]) -> None:
    documented = set(operation.definition.raw["responses"])

    @seed(SEED)
    @settings(
        max_examples=CALLS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one_call(case: Any) -> None:
        before = len(chat.messages())
        response = case.call(headers={"x-api-key": KEY})
        answers[response.status_code] += 1
        assert str(response.status_code) in documented, f"{response.status_code} is not documented"
        response.json()
        if response.status_code not in (200, 504):
            assert len(chat.messages()) == before, "what was refused is not stored"

    one_call()


@pytest.mark.timeout(60 * CALLS)
def test_whatever_is_asked_gets_a_documented_answer_and_breaks_nothing(asked):
    made = schemathesis.openapi.from_asgi("/openapi.json", asked.app).get_all_operations()
    operations = {(one.ok().method, one.ok().path): one.ok() for one in made}
    answers: Counter[int] = Counter()
    for key in OPERATIONS:
        attack(asked, operations[key], GenerationMode.POSITIVE, answers)
        if key[0] == "post":  # no text is wrong as a name in the path
            attack(asked, operations[key], GenerationMode.NEGATIVE, answers)
    assert answers[504] + answers[200], "some calls get through"
    assert answers[422], "some do not"
