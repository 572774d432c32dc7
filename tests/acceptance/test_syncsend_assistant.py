"""``syncsend`` with the built-in assistant, from outside: a simulated inbox, a model server, the real command."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.house import CANARIES, House, wait_until
from tests.support.assistant import FILES, write_folder
from tests.support.model_answers import good_triage
from tests.support.model_server import ModelServer

pytestmark = [pytest.mark.acceptance, pytest.mark.browser, pytest.mark.timeout(240)]

LISTING = "4711"
KETTLE = "Good morning! Where is the kettle in your kitchen, please?"
ANSWER = "The kettle stands in the kitchen cupboard."


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def with_assistant(house: House, server: ModelServer, tmp_path: Path) -> House:
    house.changes |= {
        "AI_WEBHOOK_URL": "",
        "ASSISTANT_BASE_URL": server.base_url,
        "ASSISTANT_MODEL": "main",
        "ASSISTANT_KNOWLEDGE_DIR": str(write_folder(tmp_path / "knowledge", FILES)),
        "ASSISTANT_AGENTS_DIR": str(tmp_path / "agents"),
        "ASSISTANT_TIMEOUT_SEC": "10",
    }
    return house


def call(house: House, path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"x-api-key": CANARIES[1], "content-type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{house.port}{path}", data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def test_a_guests_question_becomes_a_draft_with_its_sources_and_is_sent_once_approved(
    with_assistant: House, server: ModelServer
) -> None:
    house = with_assistant
    thread = house.site.inbox.add_thread(guest="Ines", says=KETTLE, listing_id=LISTING)
    process = house.start("syncsend")
    wait_until(lambda: house.rows("SELECT 1 FROM queue_outbox WHERE status = 'draft'"), "a draft")
    ((job_id, text, sources, confidence),) = house.rows(
        "SELECT id, text, sources, confidence FROM queue_outbox"
    )
    assert text.startswith(ANSWER)
    assert json.loads(sources) == [{"title": "Kettle", "id": "listings/4711-attic/attic.md#kettle"}]
    assert confidence == 0.95
    assert house.presses() == 0
    assert house.one("SELECT state FROM assistant_runs") == "done"
    assert server.steps()[:2] == ["triage", "draft"]

    call(house, f"/api/outbox/{job_id}/approve", {})
    wait_until(lambda: house.rows("SELECT 1 FROM queue_outbox WHERE status = 'sent'"), "sent")
    assert house.accepted_texts() == [(thread.number, text)]
    code, output = house.stop(process)
    assert code == 0, output
    assert house.presses() == 1


def test_in_auto_mode_an_answer_that_nothing_held_is_sent_by_itself(
    with_assistant: House, server: ModelServer
) -> None:
    house = with_assistant
    house.changes |= {"REPLY_MODE": "auto"}
    thread = house.site.inbox.add_thread(guest="Ines", says=KETTLE, listing_id=LISTING)
    process = house.start("syncsend")
    wait_until(lambda: house.rows("SELECT 1 FROM queue_outbox WHERE status = 'sent'"), "sent")
    ((number, text),) = house.accepted_texts()
    assert number == thread.number
    assert text.startswith(ANSWER)
    assert "utomatic" in text, "the first reply says that it is automatic"
    assert house.stop(process)[0] == 0
    assert house.presses() == 1
    assert server.steps() == ["triage", "draft", "check"]


def test_what_a_person_must_answer_stays_escalated_and_the_guest_gets_one_holding_text(
    with_assistant: House, server: ModelServer
) -> None:
    house = with_assistant
    house.changes["REPLY_MODE"] = "auto"
    server.script["triage"] = lambda asked: {**good_triage(asked), "classes": ["complaint"]}
    house.site.inbox.add_thread(
        guest="Ines", says="The lamp on the balcony looks odd, what now?", listing_id=LISTING
    )
    process = house.start("syncsend")
    wait_until(lambda: house.rows("SELECT 1 FROM queue_outbox WHERE status = 'sent'"), "the holding text")
    assert house.rows("SELECT status, reason, hard_class FROM queue_inbox") == [
        ("escalated", "complaint", "complaint")
    ]
    cycles = "SELECT cycles FROM workers WHERE worker = 'sync'"
    before = house.one(cycles)
    wait_until(lambda: house.one(cycles) > before + 2, "a few cycles")
    assert house.stop(process)[0] == 0
    assert house.presses() == 1
    assert house.one("SELECT kind FROM queue_outbox") == "holding"


def test_a_crash_while_the_model_thinks_loses_nothing_and_the_start_asks_at_once(
    with_assistant: House, server: ModelServer
) -> None:
    house = with_assistant
    server.ways = ["hanging"]
    house.site.inbox.add_thread(guest="Ines", says=KETTLE, listing_id=LISTING)
    process = house.start("syncsend")
    wait_until(lambda: server.calls, "the model is asked")
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)
    server.ways = ["good"]
    second = house.start("syncsend")
    wait_until(lambda: house.rows("SELECT 1 FROM queue_outbox WHERE status = 'draft'"), "a draft")
    assert house.stop(second)[0] == 0
    assert house.one("SELECT COUNT(*) FROM queue_outbox") == 1
    assert house.one("SELECT COUNT(*) FROM assistant_runs") == 1


def test_a_key_that_is_refused_shows_in_health_and_asks_a_person(
    with_assistant: House, server: ModelServer
) -> None:
    house = with_assistant
    server.ways = ["http_401"]
    house.site.inbox.add_thread(guest="Ines", says=KETTLE, listing_id=LISTING)
    process = house.start("syncsend")
    wait_until(lambda: house.rows("SELECT 1 FROM queue_inbox WHERE status = 'escalated'"), "escalated")
    wait_until(lambda: "assistant_model_key_refused" in call(house, "/health")["problems"], "told in /health")
    assert call(house, "/health")["status"] == "degraded"
    assert house.stop(process)[0] == 0
    assert len(server.calls) == 1
