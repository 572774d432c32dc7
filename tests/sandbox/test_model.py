"""The demo's scripted model: it answers from facts that it is shown, and from nothing else."""

from __future__ import annotations

import pytest

from sandbox.model import NAME, SandboxModel
from src.assistant.live import LiveAssistant
from src.assistant.values import Action
from src.assistant_settings import AssistantSettings
from tests.assistant.knowledge.folders import write

HOUSE = {
    "house.md": "# Parking\nParking is free of charge in the street in front of the house.\n",
    "learned.csv": "question,answer\nIs there a blender in the kitchen?,Under the sink.\n",
}


@pytest.fixture
def model():
    with SandboxModel() as running:
        yield running


@pytest.fixture
async def ask(model, tmp_path):
    settings = AssistantSettings(
        assistant_base_url=model.base_url,
        assistant_model=NAME,
        assistant_knowledge_dir=write(tmp_path / "knowledge", HOUSE),
        assistant_agents_dir=tmp_path / "agents",
        assistant_embeddings="off",
        assistant_disclosure="off",
    )
    assistant = LiveAssistant(settings)

    async def asked(message):
        return await assistant.decide({"message": message, "sender": "Emma", "conversation_id": "c"})

    yield asked
    await assistant.close()


async def test_an_answer_rests_on_the_fact_that_was_shown(ask, model):
    found = await ask("Hello! Is there parking near the house?")
    assert (found.action, found.hold, found.topic) == (Action.ANSWER, None, "parking")
    assert [source.id for source in found.sources] == ["house.md#parking"]
    assert model.steps == ["triage", "draft", "check"]


async def test_a_fact_that_the_host_gave_in_one_line_is_found_by_its_question(ask):
    found = await ask("Hello! Is there a blender in the kitchen?")
    assert (found.action, found.message) == (Action.ANSWER, "Hello! Under the sink.")


@pytest.mark.parametrize("message", ["Hello! Is there wifi?", "Is there a balcony?"])
async def test_what_no_fact_says_is_missing(ask, message):
    found = await ask(message)
    assert (found.action, found.reason) == (Action.ESCALATE, "missing_fact")
    assert found.missing
