"""What an AI says beside its answer: in a response it is read with patience, in a callback it has to be right."""

from __future__ import annotations

import json

import pytest

from src.model.answer import Action
from src.services.ai_exchange import parse_answer

SOURCE = {"title": "Kettle", "id": "a.md#kettle", "more": 1}


def parsed(**body):
    return parse_answer(json.dumps(body).encode(), "thread", "request")


def test_everything_that_a_response_may_say_is_read():
    answer = parsed(
        message="Yes.", agent="host", confidence=1, topic="kitchen", sources=[SOURCE], hold="unsure"
    )
    assert (answer.message, answer.hold) == ("Yes.", "unsure")
    said = answer.said
    assert (said.agent, said.topic, said.confidence) == ("host", "kitchen", 1.0)
    assert json.loads(said.sources) == [{"title": "Kettle", "id": "a.md#kettle"}]


def test_an_escalation_may_say_its_class_and_a_holding_text():
    body = {"reason": "asks for money", "class": "refund", "holding_message": "A person reads it."}
    answer = parsed(action="escalate", **body)
    assert answer.action is Action.ESCALATE
    assert (answer.reason, answer.hard_class, answer.holding_message) == tuple(body.values())


def test_parts_are_one_message_and_the_message_is_not_used_then():
    assert parsed(message="other", messages=["One.", " ", "Two. "]).message == "One.\n\nTwo."


@pytest.mark.parametrize(
    "odd",
    [
        {"agent": 7, "confidence": "high", "topic": ["x"], "sources": "none", "messages": 3},
        {"confidence": 7, "sources": [3], "messages": []},
        {"confidence": True, "agent": "\n", "messages": ["x", 2]},
    ],
)
def test_fields_of_another_kind_in_a_response_are_left_out(odd):
    answer = parsed(message="Yes.", **odd)
    assert (answer.message, answer.hold) == ("Yes.", None)
    assert (answer.said.agent, answer.said.confidence, answer.said.sources) == (None, None, None)


@pytest.mark.parametrize("hold", [True, 1, ["x"], "a\nb"])
def test_a_hold_that_is_not_understood_still_holds(hold):
    assert parsed(message="Yes.", hold=hold).hold == "held_by_ai"


@pytest.mark.parametrize("hold", [None, False, "", 0])
def test_an_empty_hold_holds_nothing(hold):
    assert parsed(message="Yes.", hold=hold).hold is None
