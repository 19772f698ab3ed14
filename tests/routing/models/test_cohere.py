"""Cohere's embedders and rerankers against a server that speaks its API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import numpy as np
import pytest

from routing.chat import Usage
from routing.errors import (
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    InvalidResponseError,
    ModelError,
    ModelNotFoundError,
    OverloadedError,
    RateLimitError,
)
from routing.models.facts import ModelFacts
from routing.testing.embedder import check_embedder
from routing.testing.reranker import check_reranker
from routing.testing.server import FakeProvider, Fault

pytest.importorskip("cohere")

from routing.models.cohere_embedder import CohereEmbedder
from routing.models.cohere_rerank import CohereReranker

SHORTENS = ModelFacts(dimensions=48, shortens=True, context=40)
BY_SEARCH = ModelFacts(by_search=True)
FAILURES = [
    (Fault("status", 400, body='{"message": "invalid request"}'), BadRequestError),
    (Fault("status", 401), AuthenticationError),
    (Fault("status", 404), ModelNotFoundError),
    (Fault("status", 429), RateLimitError),
    (Fault("status", 498), AuthenticationError),
    (Fault("status", 503), OverloadedError),
    (Fault("status", 502, body="<html>", content_type="text/html"), OverloadedError),
    (Fault("reset"), ConnectionFailedError),
]


@pytest.fixture
async def server() -> AsyncIterator[FakeProvider]:
    async with FakeProvider(dim=48) as provider:
        yield provider


@pytest.fixture
async def embedder(server: FakeProvider) -> AsyncIterator[CohereEmbedder]:
    adapter = CohereEmbedder("embed-x", dim=48, api_key="k", base_url=server.url, facts=SHORTENS)
    yield adapter
    await adapter.close()


@pytest.fixture
async def reranker(server: FakeProvider) -> AsyncIterator[CohereReranker]:
    adapter = CohereReranker("rerank-x", api_key="k", base_url=server.url, facts=BY_SEARCH)
    yield adapter
    await adapter.close()


async def test_the_embedder_keeps_the_contract(embedder: CohereEmbedder, server: FakeProvider) -> None:
    assert embedder.max_tokens == 30
    await check_embedder(embedder)
    assert {received.path for received in server.requests} == {"/v2/embed"}
    assert server.requests[0].headers["authorization"] == "Bearer k"


async def test_queries_and_passages_are_embedded_each_in_their_way(
    embedder: CohereEmbedder, server: FakeProvider
) -> None:
    found = await embedder.embed_queries(["one two"])
    await embedder.embed_passages(["three", " "])
    first, second = server.requests
    assert (first.body["input_type"], second.body["input_type"]) == ("search_query", "search_document")
    assert second.body["texts"] == ["three"]
    assert (first.body["truncate"], first.body["embedding_types"]) == ("NONE", ["float"])
    assert found.usage == Usage(2)


async def test_only_a_shorter_length_is_asked_for(embedder: CohereEmbedder, server: FakeProvider) -> None:
    await embedder.embed_queries(["one"])
    assert "output_dimension" not in server.requests[-1].body
    short = CohereEmbedder("embed-x", dim=16, api_key="k", base_url=server.url, facts=SHORTENS)
    assert (await short.embed_queries(["one"])).vectors.shape == (1, 16)
    assert server.requests[-1].body["output_dimension"] == 16
    await short.close()


async def test_a_request_has_96_texts_at_most(embedder: CohereEmbedder, server: FakeProvider) -> None:
    texts = [f"text {number}" for number in range(100)]
    assert [len(rows) for rows in embedder.requests(texts)] == [96, 4]
    vectors = (await embedder.embed_passages(texts)).vectors
    assert [len(received.body["texts"]) for received in server.requests] == [96, 4]
    assert np.allclose(vectors[99], (await embedder.embed_passages(["text 99"])).vectors[0], atol=1e-6)


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "no json",
        json.dumps({"id": "1", "embeddings": {"float": []}}),
        json.dumps({"id": "1", "embeddings": {"float": [["a"] * 48]}}),
        json.dumps({"id": "1", "embeddings": {"int8": [[1] * 48]}}),
        '{"id": "1", "embeddings": {"float": [[NaN]]}}',
    ],
)
async def test_garbage_for_vectors(embedder: CohereEmbedder, server: FakeProvider, body: str) -> None:
    server.faults.append(Fault("body", body=body))
    with pytest.raises(InvalidResponseError, match="cohere/embed-x"):
        await embedder.embed_queries(["one"])


async def test_vectors_of_another_length(embedder: CohereEmbedder, server: FakeProvider) -> None:
    server.dim = 24
    with pytest.raises(InvalidResponseError, match=r"24 numbers, not 48.*embedding\.dimensions: 24"):
        await embedder.embed_queries(["one"])


@pytest.mark.parametrize(("fault", "expected"), FAILURES)
async def test_failures_of_the_embedder(
    embedder: CohereEmbedder, server: FakeProvider, fault: Fault, expected: type[ModelError]
) -> None:
    server.faults.append(fault)
    with pytest.raises(expected) as caught:
        await embedder.embed_queries(["one"])
    assert caught.value.model == "cohere/embed-x"
    assert len(server.requests) == 1  # the SDK does not try again by itself


async def test_the_reranker_keeps_the_contract(reranker: CohereReranker, server: FakeProvider) -> None:
    await check_reranker(reranker)
    assert {received.path for received in server.requests} == {"/v2/rerank"}


async def test_a_search_is_counted_as_it_is_billed(reranker: CohereReranker, server: FakeProvider) -> None:
    assert (await reranker.score("refund", ["a refund"])).usage == Usage(searches=1)
    tokens = {"index": 0, "relevance_score": 0.5}
    body = {"results": [tokens], "meta": {"billed_units": {"input_tokens": 7}}}
    by_tokens = CohereReranker("rerank-y", api_key="k", base_url=server.url)
    server.faults.append(Fault("body", body=json.dumps(body)))
    assert (await by_tokens.score("refund", ["a refund"])).usage == Usage(7)
    await by_tokens.close()


async def test_a_search_that_is_not_reported_is_estimated(reranker: CohereReranker, server: FakeProvider) -> None:
    passages = ["short"] * 80 + ["word " * 600] * 15  # 80 + 15 * 2 hundredths of a search
    results = [{"index": index, "relevance_score": 0.5} for index in range(95)]
    server.faults.append(Fault("body", body=json.dumps({"results": results})))
    usage = (await reranker.score("refund", passages)).usage
    assert (usage.searches, usage.estimated) == (2, True)
    assert usage.input_tokens > 9000


async def test_long_passages_are_read_to_their_end(reranker: CohereReranker, server: FakeProvider) -> None:
    passage = "nothing to see here " * 1000 + "the refund window"
    assert (await reranker.score("refund window", ["nothing", passage])).values.tolist() == [0.0, 1.0]
    assert len(server.requests[0].body["documents"]) > 2


@pytest.mark.parametrize("body", ["{}", "no json", '{"results": [{"index": 5, "relevance_score": 1}]}'])
async def test_garbage_for_scores(reranker: CohereReranker, server: FakeProvider, body: str) -> None:
    server.faults.append(Fault("body", body=body))
    with pytest.raises(InvalidResponseError, match="cohere/rerank-x"):
        await reranker.score("one", ["a"])


@pytest.mark.parametrize(("fault", "expected"), FAILURES)
async def test_failures_of_the_reranker(
    reranker: CohereReranker, server: FakeProvider, fault: Fault, expected: type[ModelError]
) -> None:
    server.faults.append(fault)
    with pytest.raises(expected) as caught:
        await reranker.score("one", ["a"])
    assert caught.value.model == "cohere/rerank-x"
