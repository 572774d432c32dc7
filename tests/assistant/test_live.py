"""The assistant while the program runs: its runs, its budget, and a model service that is away for long."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text as sql

from src.assistant.live import LiveAssistant
from src.db import knowledge, missing_facts, runs
from src.db.engine import Database
from tests.support.assistant import FILES, HOLDING, PARTS, settings_for, write_folder
from tests.support.model_answers import good_draft
from tests.support.model_server import ModelServer
from tests.support.waiting import until

KETTLE = "Where is the kettle in your kitchen, please?"
PAYLOAD = {
    "conversation_id": "c1",
    "request_id": "r1",
    "sender": "Camille Guest",
    "message": KETTLE,
    "property_id": "4711",
}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
async def live(server, db, clock, tmp_path) -> AsyncIterator[Callable[..., LiveAssistant]]:
    made = []
    write_folder(tmp_path / "knowledge", FILES)

    def make(**given):
        folders = {
            "assistant_knowledge_dir": tmp_path / "knowledge",
            "assistant_agents_dir": tmp_path / "agents",
        }
        settings = settings_for(server, **folders, **given)
        made.append(LiveAssistant(settings, db, clock=clock, parts=PARTS))
        return made[-1]

    yield make
    for one in made:
        await one.close()


def run_of(db: Database, request_id: str = "r1"):
    with db.read() as conn:
        return runs.of_request(conn, request_id)


async def test_a_run_says_how_the_decision_came_about(live, server, db, clock):
    server.cost = 0.001
    said = await live().respond(PAYLOAD)
    assert said.body["message"] == "The kettle stands in the kitchen cupboard."
    assert said.body["sources"] == [{"title": "Kettle", "id": "listings/4711-attic/attic.md#kettle"}]
    run = run_of(db)
    assert (run.state, run.action, run.agent, run.language, run.kind) == (
        "done",
        "answer",
        "host",
        "en",
        "live",
    )
    assert [step["name"] for step in json.loads(run.steps)] == [
        "read", "rules", "triage", "facts", "draft", "gate", "check", "decide",
    ]  # fmt: skip
    assert run.prompt_tokens > 0
    assert run.cost == pytest.approx(0.003)
    assert (run.created_at, run.finished_at) == (clock(), clock())


async def test_a_run_is_the_accounts_that_the_payload_names(live, db):
    await live().respond({**PAYLOAD, "account": "villa"})
    assert run_of(db).account == "villa"


async def test_nothing_that_a_guest_wrote_is_in_a_run(live, db):
    await live().respond(PAYLOAD)
    with db.read() as conn:
        (row,) = conn.execute(sql("SELECT * FROM assistant_runs")).mappings()
    assert "kettle in your kitchen" not in str(dict(row))
    assert "Camille" not in str(dict(row))


async def test_a_model_that_is_down_is_tried_for_ten_minutes_and_then_a_person_is_asked(
    live, server, db, clock
):
    server.ways = ["http_503"]
    assistant = live()
    for _ in range(3):
        said = await assistant.respond(PAYLOAD)
        assert (said.body, said.trouble) == (None, "model_down")
        assert run_of(db).state == "put_off"
        clock.advance(200)
    said = await assistant.respond(PAYLOAD)
    assert said.body["action"] == "escalate"
    assert (said.body["reason"], said.body["holding_message"]) == ("model_down", HOLDING)
    assert said.trouble == "model_down"
    run = run_of(db)
    assert (run.state, run.reason) == ("done", "model_down")
    assert len([step for step in json.loads(run.steps) if step["name"] == "triage"]) == 4


async def test_a_model_that_comes_back_answers_the_request_that_was_put_off(live, server, db, clock):
    server.ways = ["http_503", "good"]
    assistant = live()
    assert (await assistant.respond(PAYLOAD)).body is None
    clock.advance(5)
    said = await assistant.respond(PAYLOAD)
    assert said.body["message"]
    assert said.trouble is None
    assert run_of(db).state == "done"


async def test_a_request_that_is_asked_again_later_has_its_ten_minutes_anew(live, server, clock):
    assistant = live()
    await assistant.respond(PAYLOAD)
    clock.advance(3600)
    server.ways = ["http_503"]
    assert (await assistant.respond(PAYLOAD)).body is None
    clock.advance(599)
    assert (await assistant.respond(PAYLOAD)).body is None
    clock.advance(2)
    assert (await assistant.respond(PAYLOAD)).body["reason"] == "model_down"


async def test_where_somebody_waits_a_model_that_is_down_ends_it_at_once(live, server):
    server.ways = ["http_503"]
    said = await live().respond({**PAYLOAD, "channel": "chat"})
    assert said.body["reason"] == "model_down"


async def test_a_refused_key_is_told_with_every_answer_and_makes_no_further_call(live, server):
    server.ways = ["http_401"]
    assistant = live()
    for number in range(4):
        said = await assistant.respond({**PAYLOAD, "request_id": f"r{number}"})
        assert (said.body["reason"], said.trouble) == ("model_key_refused", "model_key_refused")
    assert len(server.calls) == 1
    assert list(assistant.refused_services.values()) == ["http_401"]


async def test_a_request_that_no_model_was_asked_about_does_not_end_the_trouble(live, server):
    server.ways = ["http_401"]
    assistant = live()
    await assistant.respond(PAYLOAD)
    said = await assistant.respond({**PAYLOAD, "message": "refund please", "request_id": "r2"})
    assert (said.body["reason"], said.trouble) == ("refund", "model_key_refused")


async def test_over_the_days_budget_no_model_is_asked_until_the_next_day(live, server, clock):
    assistant = live(assistant_tokens_day=100)
    assert "message" in (await assistant.respond(PAYLOAD)).body
    asked = len(server.calls)
    said = await assistant.respond({**PAYLOAD, "request_id": "r2"})
    assert said.body["reason"] == "over_budget"
    assert len(server.calls) == asked
    clock.advance(24 * 3600)
    assert "message" in (await assistant.respond({**PAYLOAD, "request_id": "r3"})).body


async def test_a_look_stores_nothing_and_ends_at_once(live, server, db):
    server.ways = ["http_503"]
    decision = await live().decide(PAYLOAD)
    assert decision.reason == "model_down"
    assert run_of(db) is None


async def test_a_file_that_is_changed_is_used_for_the_next_answer(live, server, tmp_path):
    assistant = live()
    await assistant.respond(PAYLOAD)
    (tmp_path / "knowledge" / "new.md").write_text("# Trampoline\nThe trampoline is red.\n", encoding="utf-8")
    assistant._folder.current(at_once=True)
    said = await assistant.respond(
        {**PAYLOAD, "message": "Which colour has the trampoline, is it red?", "request_id": "r2"}
    )
    assert said.body["message"] == "The trampoline is red."


async def test_a_conversation_that_is_forgotten_is_nowhere_in_the_runs(live, db, clock):
    await live().respond(PAYLOAD)
    with db.write() as conn:
        assert runs.forget(conn, "default", "c1") == 1
        assert runs.forget(conn, "default", "c1") == 0
    assert run_of(db).conversation_id is None


async def test_a_question_that_no_fact_answers_is_on_the_list_of_missing_facts_once(live, server, db):
    nothing = {"action": "escalate", "message": "", "missing": ["Is there a blender?"]}
    server.script["draft"] = lambda call: {**good_draft(call), **nothing}
    assistant = live()
    first = await assistant.respond(PAYLOAD)
    await assistant.respond(PAYLOAD)
    await assistant.respond({**PAYLOAD, "request_id": "r2"})

    assert first.body["reason"] == "missing_fact"
    with db.read() as conn:
        (fact,) = missing_facts.list_facts(conn)
        assert missing_facts.requests_of(conn, fact.id) == ["r1", "r2"]
    assert (fact.listing_id, fact.question, fact.asked) == ("4711", "Is there a blender?", 2)


async def test_the_tables_follow_the_folder_while_nobody_asks(live, db):
    beside = asyncio.ensure_future(live().work_beside())
    try:
        await until(lambda: "listings/4711-attic/attic.md" in stored_documents(db))
    finally:
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)


def stored_documents(db: Database) -> set[str]:
    with db.read() as conn:
        return {one.path for one in knowledge.documents(conn)}


async def test_word_lists_are_compiled_and_asked_beside_the_loop(live, server):
    """The first text of a language has its lists compiled: that takes a second, and the loop goes on meanwhile."""
    threads = set()

    def find_classes(text, language):
        threads.add(threading.current_thread())
        return []

    assistant = live()
    parts = replace(PARTS, find_classes=find_classes)
    slow = LiveAssistant(assistant._settings, parts=parts)
    await slow.decide(PAYLOAD)
    await slow.close()
    assert threads
    assert threading.main_thread() not in threads


async def test_an_answer_goes_to_a_thread_only_to_read_to_apply_the_rules_and_for_the_gate(
    live, server, monkeypatch
):
    """Each way to a thread and back costs more than most of what is done there."""
    assistant = live()
    await assistant.decide(PAYLOAD)  # imports what is heavy
    ways, to_thread = [], asyncio.to_thread

    async def counted(work, *given):
        ways.append(work.__name__)
        return await to_thread(work, *given)

    monkeypatch.setattr(asyncio, "to_thread", counted)
    assert (await assistant.decide(PAYLOAD)).message
    # The day's budget is a look into the database.
    assert ways == ["_spent", "_read", "find_classes", "inspect"]
