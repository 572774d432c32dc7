"""The ladder: what each bad answer of a model service leads to."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from src.assistant.models import FailureKind, Ladder, ModelFailure, Reply
from src.assistant.structured import Shape, Unreadable, an_object, the_only_object
from src.assistant_settings import ModelAddress
from tests.support.model_server import ModelServer

SHAPE = Shape("triage", an_object({"topic": {"type": "string"}, "confidence": {"type": "number"}}))
GOOD = {"topic": "parking", "confidence": 0.9}


class Triaged(BaseModel):
    model_config = ConfigDict(extra="ignore")

    topic: str
    confidence: float


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(script={"triage": GOOD}) as running:
        yield running


@pytest.fixture
async def ladder() -> AsyncIterator[Ladder]:
    one = Ladder(timeout_sec=5.0)
    yield one
    await one.close()


def rung(server, name="main", key="sk-invented"):
    return ModelAddress(name, server.base_url, SecretStr(key) if key else None)


async def ask(ladder, *rungs, seconds=20.0):
    return await ladder.ask(
        SHAPE, Triaged, rungs=rungs, system="SYSTEM", user="{}", deadline=time.monotonic() + seconds
    )


def models_of(server):
    return [call.model for call in server.calls]


async def test_an_object_comes_back_with_its_tokens_and_cost(server, ladder):
    server.cost = 0.0021
    reply = await ask(ladder, rung(server))
    assert isinstance(reply, Reply)
    assert (reply.value.topic, reply.model) == ("parking", "main")
    (step,) = reply.steps
    assert (step.name, step.outcome, step.cost) == ("triage", "ok", 0.0021)
    assert step.prompt_tokens > 0
    assert server.calls[0].headers["authorization"] == "Bearer sk-invented"


async def test_a_call_is_on_the_wire_what_the_clients_own_method_sends(server, ladder):
    await ask(ladder, rung(server))
    (ours,) = server.calls
    client = ladder._client(rung(server))
    await client.chat.completions.create(**ours.body)
    theirs = server.calls[1]
    assert theirs.body == ours.body
    assert theirs.headers == ours.headers


@pytest.mark.parametrize("way", ["prose", "fence"])
async def test_prose_or_a_fence_around_one_object_is_peeled_off(server, ladder, way):
    server.ways = [way]
    assert isinstance(await ask(ladder, rung(server)), Reply)
    assert len(server.calls) == 1


@pytest.mark.parametrize("way", ["malformed", "cut", "empty", "null", "other_schema", "list", "two_objects"])
async def test_what_cannot_be_read_is_asked_once_more_with_what_was_wrong(server, ladder, way):
    server.ways = [way, "good"]
    assert isinstance(await ask(ladder, rung(server)), Reply)
    assert "could not be used" in server.calls[1].users[1]


@pytest.mark.parametrize("way", ["malformed", "cut", "empty", "null", "other_schema"])
async def test_what_cannot_be_read_twice_goes_to_the_next_model_then_to_a_person(server, ladder, way):
    server.ways_of = {"main": [way]}
    assert isinstance(await ask(ladder, rung(server), rung(server, "second")), Reply)
    assert models_of(server) == ["main", "main", "second"]
    failure = await ask(ladder, rung(server))
    assert isinstance(failure, ModelFailure)
    assert failure.kind is FailureKind.UNREADABLE
    assert not failure.kind.later


@pytest.mark.parametrize(
    "way",
    [
        "http_408",
        "http_500",
        "http_503",
        "closed",
        "dropped",
        "html",
        "error_in_200",
        "choiceless",
        "no_json",
    ],
)
async def test_a_service_that_is_down_is_left_for_the_next_model_at_once(server, ladder, way):
    server.ways_of = {"main": [way]}
    assert isinstance(await ask(ladder, rung(server), rung(server, "second")), Reply)
    assert models_of(server) == ["main", "second"]
    failure = await ask(ladder, rung(server))
    assert failure.kind is FailureKind.DOWN
    assert failure.kind.later


async def test_a_service_that_nobody_runs_is_down(ladder, server):
    nowhere = ModelAddress("main", "http://127.0.0.1:1/v1", None)
    assert (await ask(ladder, nowhere)).kind is FailureKind.DOWN
    assert isinstance(await ask(ladder, nowhere, rung(server)), Reply)


async def test_a_slow_model_is_left_for_the_next(server):
    ladder = Ladder(timeout_sec=0.3)
    server.ways_of = {"main": ["hanging"]}
    assert isinstance(await ask(ladder, rung(server), rung(server, "second")), Reply)
    assert (await ask(ladder, rung(server))).kind is FailureKind.SLOW
    await ladder.close()


async def test_after_the_deadline_no_model_is_asked(server):
    ladder = Ladder(timeout_sec=5.0)
    server.ways = ["hanging"]
    failure = await ask(ladder, rung(server), rung(server, "second"), seconds=0.3)
    assert failure.kind is FailureKind.SLOW
    assert models_of(server) == ["main"]
    await ladder.close()


async def test_a_busy_service_says_when_to_come_again(server, ladder):
    server.ways, server.retry_after = ["http_429"], "17"
    failure = await ask(ladder, rung(server))
    assert (failure.kind, failure.retry_after) == (FailureKind.BUSY, 17.0)
    assert len(server.calls) == 1
    server.ways_of = {"second": ["good"]}
    assert isinstance(await ask(ladder, rung(server), rung(server, "second")), Reply)


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_refused_key_puts_the_service_out_and_makes_no_retry_storm(server, ladder, status):
    server.ways = [f"http_{status}"]
    for _ in range(5):
        assert (await ask(ladder, rung(server), rung(server, "second"))).kind is FailureKind.KEY_REFUSED
    assert len(server.calls) == 1
    assert ladder.refused_services == {server.base_url: f"http_{status}"}
    with ModelServer(script={"triage": GOOD}) as other:
        assert isinstance(await ask(ladder, rung(server), rung(other)), Reply)


async def test_an_unknown_model_is_left_for_the_next(server, ladder):
    server.ways_of = {"main": ["http_404"]}
    assert isinstance(await ask(ladder, rung(server), rung(server, "second")), Reply)
    assert (await ask(ladder, rung(server))).kind is FailureKind.UNKNOWN


@pytest.mark.parametrize("way", ["refused", "filtered"])
async def test_a_refusal_is_taken_to_one_more_model_and_no_further(server, ladder, way):
    server.ways = [way]
    failure = await ask(ladder, rung(server), rung(server, "second"), rung(server, "third"))
    assert failure.kind is FailureKind.REFUSED
    assert models_of(server) == ["main", "second"]


@pytest.mark.parametrize("form", ["json_schema", "tool", "json_object"])
async def test_what_a_server_can_do_is_found_at_the_first_call_and_remembered(server, ladder, form):
    server.forms = (form,)
    assert isinstance(await ask(ladder, rung(server)), Reply)
    first = len(server.calls)
    assert isinstance(await ask(ladder, rung(server)), Reply)
    assert len(server.calls) == first + 1
    assert server.calls[-1].form == form
    assert server.calls[-1].step == "triage"


async def test_a_server_that_takes_no_form_at_all_is_left_for_the_next(server, ladder):
    server.forms = ()
    assert (await ask(ladder, rung(server))).kind is FailureKind.UNKNOWN
    assert [call.form for call in server.calls] == ["json_schema", "tool", "json_object"]


async def test_the_environments_own_openai_settings_are_not_taken(server, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "foreign")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Foreign: foreign")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    ladder = Ladder(timeout_sec=5.0)
    assert isinstance(await ask(ladder, rung(server, key=None)), Reply)
    await ladder.close()
    assert "foreign" not in str(server.calls[0].headers)


@pytest.mark.parametrize("text", ["", "[]", "no", '{"a": NaN}', '{"a": 1', '{"a": 1} {"b": 2}', "{" * 5000])
def test_only_one_whole_object_is_an_answer(text):
    with pytest.raises(Unreadable):
        the_only_object(text)


def test_thoughts_before_the_object_are_no_second_object():
    assert the_only_object('<think>maybe {"a": 0}</think>{"a": 1}') == {"a": 1}


async def test_a_refused_key_is_tried_again_by_one_call_without_a_restart(server):
    now = [0.0]
    ladder = Ladder(timeout_sec=2.0, clock=lambda: now[0])
    server.ways = ["http_402"]
    assert (await ask(ladder, rung(server))).kind is FailureKind.KEY_REFUSED
    now[0] = 14 * 60
    await ask(ladder, rung(server))
    assert len(server.calls) == 1
    now[0] = 16 * 60
    assert (await ask(ladder, rung(server))).kind is FailureKind.KEY_REFUSED
    assert (await ask(ladder, rung(server))).kind is FailureKind.KEY_REFUSED
    assert len(server.calls) == 2, "one call looks whether there is credit again"
    now[0], server.ways = 32 * 60, ["good"]
    assert isinstance(await ask(ladder, rung(server)), Reply)
    assert ladder.refused_services == {}
    await ladder.close()
