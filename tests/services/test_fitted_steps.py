"""The steps of confidence are fitted to what a host made of the assistant's drafts."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from datetime import timedelta

import pytest

from src.assistant.live import LiveAssistant
from src.model import confidence_steps
from src.model.confidence_steps import Steps
from tests.services.test_autonomy import Host, host, wakeup  # noqa: F401
from tests.support.api import inbox  # noqa: F401
from tests.support.assistant import FILES, PARTS, settings_for, write_folder
from tests.support.assistant_runs import add_run
from tests.support.model_answers import good_draft
from tests.support.model_server import ModelServer

KETTLE = {
    "conversation_id": "c1",
    "request_id": "r1",
    "sender": "Camille Guest",
    "message": "Where is the kettle in your kitchen, please?",
    "property_id": "4711",
}


@pytest.fixture
def server():
    with ModelServer() as running:
        running.script["draft"] = lambda call: {**good_draft(call), "confidence": 0.7}
        yield running


@pytest.fixture
async def live(server, db, clock, tmp_path):
    made = []
    write_folder(tmp_path / "knowledge", FILES)

    def make(**given):
        folders = {
            "assistant_knowledge_dir": tmp_path / "knowledge",
            "assistant_agents_dir": tmp_path / "agents",
        }
        made.append(LiveAssistant(settings_for(server, **folders, **given), db, clock=clock, parts=PARTS))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch):
    """Here four drafts count as a hundred; tests/model/test_confidence_steps.py has the real numbers."""
    monkeypatch.setattr(confidence_steps, "ENOUGH", 4)
    monkeypatch.setattr(confidence_steps, "_GROUP", 4)
    monkeypatch.setattr(confidence_steps, "GOOD", 0.5)


def judge_drafts(host: Host, number: int, confidence: float, **run) -> None:
    """Drafts of the assistant that were this sure, and that the host let go out as they were."""
    for _ in range(number):
        job = host.answered()
        add_run(host.db, host.clock(), job.request_id, confidence=confidence, **run)
        host.approve(job)


async def test_after_enough_good_drafts_an_answer_as_sure_as_they_were_may_go_out(live, host, clock):
    assistant = live()
    judge_drafts(host, 3, 0.7, hold="low_confidence")
    said = await assistant.respond(KETTLE)
    assert (said.body["confidence"], said.body["hold"]) == (0.7, "low_confidence")
    judge_drafts(host, 1, 0.7, hold="low_confidence")
    clock.advance(timedelta(hours=1, seconds=1).total_seconds())
    said = await assistant.respond({**KETTLE, "request_id": "r2"})
    assert (said.body["confidence"], said.body.get("hold")) == (0.7, None)


async def test_a_step_that_the_host_has_set_is_not_fitted(live, host):
    judge_drafts(host, 4, 0.7)
    assert live(assistant_send_from=0.9).confidence_steps("default") == Steps(0.5, 0.9)
    assert live().confidence_steps("default") == Steps(0.5, 0.7)


async def test_drafts_that_something_else_held_and_those_of_others_do_not_count(live, host):
    judge_drafts(host, 4, 0.7, hold="promise")
    assert live().confidence_steps("default") == Steps(0.5, 0.8)
    judge_drafts(host, 4, 0.7, kind="replay")
    assert live().confidence_steps("default") == Steps(0.5, 0.8)
    judge_drafts(host, 4, 0.7)
    assert live().confidence_steps("another") == Steps(0.5, 0.8)
