"""Each row of the table of failures, from the payload to what the guest and the host get, with the product's own looks.

What a model service does in detail is in test_models.py, what the queue makes of it in test_syncsend_assistant.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from src.assistant.holding import shipped_texts
from src.assistant.live import PUT_OFF_AT_MOST, LiveAssistant
from src.db import missing_facts
from tests.support.assistant import FILES, settings_for, write_folder
from tests.support.model_answers import good_draft
from tests.support.model_server import ModelServer

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

KETTLE = "Where is the kettle in your kitchen, please?"
HOLDING = shipped_texts()["en"]["default"]
PAYLOAD = {
    "conversation_id": "c1",
    "request_id": "r1",
    "sender": "Camille",
    "message": KETTLE,
    "property_id": "4711",
    "stay": {"stage": "booked"},
}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
async def make(server, db, clock, tmp_path) -> AsyncIterator[Callable[..., LiveAssistant]]:
    made = []

    def make(files=FILES, **given):
        folders = {
            "assistant_knowledge_dir": write_folder(tmp_path / "knowledge", files),
            "assistant_agents_dir": tmp_path / "agents",
            "assistant_timeout_sec": 0.5,
            **given,
        }
        made.append(LiveAssistant(settings_for(server, **folders), db, clock=clock))
        return made[-1]

    yield make
    for one in made:
        await one.close()


def handed_over(said, reason):
    assert said.body["action"] == "escalate", said.body
    assert (said.body["reason"], said.body["holding_message"]) == (reason, HOLDING)


async def test_a_model_that_is_slow(make, server):
    server.ways = ["hanging"]
    handed_over(await make().respond(PAYLOAD), "model_slow")


@pytest.mark.parametrize(
    "way", ["http_408", "http_500", "http_503", "closed", "dropped", "html", "error_in_200", "choiceless"]
)
async def test_a_model_that_is_down(make, server, clock, way):
    server.ways = [way]
    assistant = make()
    assert (await assistant.respond(PAYLOAD)).body is None, "the queue asks again"
    clock.advance(PUT_OFF_AT_MOST.total_seconds() + 1)
    handed_over(await assistant.respond(PAYLOAD), "model_down")
    server.ways = ["good"]
    said = await assistant.respond({**PAYLOAD, "request_id": "r2"})
    assert said.body["message"].startswith("The kettle stands in the kitchen cupboard.")
    assert said.trouble is None, "over when a call succeeds"


async def test_429_alone(make, server):
    server.ways, server.retry_after = ["http_429"], "17"
    said = await make().respond(PAYLOAD)
    assert (said.body, said.retry_after) == (None, 17.0)


@pytest.mark.parametrize("way", ["http_401", "http_402", "http_403"])
async def test_a_key_that_is_refused_or_without_credit(make, server, way):
    server.ways = [way]
    assistant = make()
    for _ in range(3):
        handed_over(await assistant.respond(PAYLOAD), "model_key_refused")
    assert len(server.calls) == 1
    assert assistant.trouble == "model_key_refused"


async def test_an_unknown_model(make, server):
    server.ways = ["http_404"]
    handed_over(await make().respond(PAYLOAD), "model_unknown")


@pytest.mark.parametrize("way", ["refused", "filtered"])
async def test_a_model_that_refuses(make, server, way):
    server.ways = [way]
    handed_over(await make().respond(PAYLOAD), "model_refused")


@pytest.mark.parametrize("way", ["malformed", "empty", "cut", "other_schema"])
async def test_an_output_that_cannot_be_read(make, server, way):
    server.ways = [way]
    handed_over(await make().respond(PAYLOAD), "model_unreadable")


async def test_the_wrong_language(make, server):
    french = "La bouilloire se trouve dans le placard de la cuisine, à côté de la fenêtre."
    server.script["draft"] = lambda call: {**good_draft(call), "message": french}
    said = await make().respond(PAYLOAD)
    assert said.body["hold"] == "language"
    assert server.steps().count("draft") == 2, "one second try, with the language named"


async def test_what_the_gate_hits(make, server):
    server.script["draft"] = lambda call: {
        **good_draft(call),
        "message": "The kettle, see www.kettle.example",
    }
    said = await make().respond(PAYLOAD)
    assert (said.body["hold"], "holding_message" in said.body) == ("contact", False)


async def test_over_the_days_budget(make, server):
    handed_over(await make(assistant_tokens_day=0).respond(PAYLOAD), "over_budget")
    assert server.calls == []


async def test_a_fact_that_is_missing(make, server, db):
    question = "Is there a trampoline in the park, please?"
    server.script["draft"] = lambda call: {
        **good_draft(call),
        "action": "escalate",
        "message": "",
        "sources": [],
        "missing": [question],
    }
    said = await make().respond({**PAYLOAD, "message": question})
    handed_over(said, "missing_fact")
    with db.read() as conn:
        (row,) = missing_facts.list_facts(conn)
    assert (row.question, row.listing_id, row.asked) == (question, "4711", 1)


async def test_facts_that_contradict(make):
    files = {
        **FILES,
        "listings/4711-attic/other.md": "# Check-in\nCheck-in is from 16:00.\n",
    }
    said = await make(files).respond({**PAYLOAD, "message": "When is the check-in, please?"})
    assert said.body["hold"] == "contradiction", said.body
    assert said.body["holding_message"] == HOLDING


async def test_no_facts_at_all_for_the_listing(make):
    files = {"listings/4711-attic/listing.toml": FILES["listings/4711-attic/listing.toml"]}
    said = await make(files).respond(PAYLOAD)
    assert (said.body["action"], said.body["reason"]) == ("escalate", "missing_fact")


async def test_a_code_is_asked_for_and_the_dates_are_unknown(make, server, tmp_path):
    secrets = '[door_code]\nlabel = "door"\nvalue = "4821#"\nfrom = "check_in - 24h"\nuntil = "check_out"\n'
    files = {
        **FILES,
        "listings/4711-attic/secrets.toml": secrets,
        "listings/4711-attic/door.md": "# Door\nThe code of the door is {{door_code}}.\n",
    }
    write_folder(tmp_path / "knowledge", files)
    (tmp_path / "knowledge/listings/4711-attic/secrets.toml").chmod(0o600)
    server.script["draft"] = lambda call: {
        **good_draft(call),
        "message": "The code of the door is {{door_code}}.",
    }
    said = await make(files).respond({**PAYLOAD, "message": "What do we need for the door of the house?"})
    assert said.body["hold"] == "secret_not_due", said.body
    assert said.body["holding_message"] == HOLDING
    assert "4821" not in str(said.body) + "".join(call.text for call in server.calls)
