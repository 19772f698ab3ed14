from __future__ import annotations

import json
from collections.abc import AsyncIterator

import numpy as np
import pytest

from routing.chat import Usage
from routing.errors import (
    ConnectionFailedError,
    ContextLengthError,
    InvalidResponseError,
    ModelError,
    ModelNotFoundError,
    RateLimitError,
)
from routing.testing.reranker import check_reranker
from routing.testing.server import FakeProvider, Fault

pytest.importorskip("openai")

from routing.models.served_rerank import ServedReranker

NO_PATH = Fault("status", 404, body=json.dumps({"detail": "Not Found"}))
TOO_LONG = Fault(
    "status",
    400,
    body=json.dumps({"error": {"message": "This model's maximum context length is 64 tokens.", "code": 400}}),
)


@pytest.fixture
async def server() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as provider:
        yield provider


@pytest.fixture
async def reranker(server: FakeProvider) -> AsyncIterator[ServedReranker]:
    adapter = ServedReranker(
        "org/m", provider="vllm", base_url=f"{server.url}/v1", api_key="k", key_variable="VLLM_API_KEY"
    )
    yield adapter
    await adapter.close()


async def test_rerank_keeps_the_contract(reranker: ServedReranker, server: FakeProvider) -> None:
    await check_reranker(reranker)
    assert {received.path for received in server.requests} == {"/v1/rerank"}
    assert server.requests[0].headers["authorization"] == "Bearer k"


async def test_a_server_without_rerank_is_asked_for_scores(reranker: ServedReranker, server: FakeProvider) -> None:
    server.faults.append(NO_PATH)
    await check_reranker(reranker)
    assert [received.path for received in server.requests][:3] == ["/v1/rerank", "/v1/score", "/v1/score"]


async def test_an_unknown_model_is_unknown_on_either_path(reranker: ServedReranker, server: FakeProvider) -> None:
    unknown = Fault("status", 404, body=json.dumps({"error": {"message": "The model `m` does not exist."}}))
    server.faults.extend([unknown, unknown])
    with pytest.raises(ModelNotFoundError, match="org/m"):
        await reranker.score("one", ["two"])
    await reranker.score("one", ["two"])
    assert server.requests[-1].path == "/v1/rerank"


async def test_usage_counts_what_was_read(reranker: ServedReranker) -> None:
    scores = await reranker.score("refund window", ["the refund window is long", "no"])
    assert scores.values.tolist() == [1.0, 0.0]
    assert scores.usage == Usage(input_tokens=5 + 1 + 2 * 2)


async def test_cohere_and_jina_speak_the_same(reranker: ServedReranker, server: FakeProvider) -> None:
    results = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
    cohere = {"results": results, "meta": {"billed_units": {"search_units": 2.0}}}
    jina = {"results": results, "usage": {"total_tokens": 12}}
    server.faults.extend(Fault("body", body=json.dumps(body)) for body in (cohere, jina))
    first, second = [await reranker.score("q", ["a", "b"]) for _ in range(2)]
    assert np.allclose(first.values, [0.1, 0.9])
    assert (first.usage.searches, first.usage.estimated) == (2, True)
    assert second.usage == Usage(12)


async def test_passages_that_are_too_long_are_read_in_windows(reranker: ServedReranker, server: FakeProvider) -> None:
    passage = "nothing here. " * 60 + "the refund window is thirty days"
    server.faults.extend([TOO_LONG, TOO_LONG])
    scores = await reranker.score("refund window", [passage, "a short one"])
    assert scores.values.tolist() == [1.0, 0.0]
    sent = server.requests[-1].body["documents"]
    assert "".join(sent[:-1]) == passage
    assert len(sent) > 4
    await reranker.score("refund window", [passage])
    assert len(server.requests[-1].body["documents"]) == len(sent) - 1  # remembered


async def test_a_query_that_is_too_long_is_given_up(reranker: ServedReranker, server: FakeProvider) -> None:
    server.faults.extend([TOO_LONG] * 20)
    with pytest.raises(ContextLengthError):
        await reranker.score("refund " * 500, ["window " * 200])


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "[]",
        "",
        json.dumps({"results": 3}),
        json.dumps({"results": []}),
        json.dumps({"results": [{"index": 0, "relevance_score": 0.5}]}),
        json.dumps({"results": [{"index": 0, "relevance_score": 0.5}] * 2}),
        json.dumps({"results": [{"index": 0, "relevance_score": 0.5}, {"index": 2, "relevance_score": 0.5}]}),
        json.dumps({"results": [{"index": 0, "relevance_score": "a"}, {"index": 1, "relevance_score": 0.5}]}),
        '{"results": [{"index": 0, "relevance_score": NaN}, {"index": 1, "relevance_score": 1}]}',
    ],
)
async def test_garbage(reranker: ServedReranker, server: FakeProvider, body: str) -> None:
    server.faults.append(Fault("body", body=body))
    with pytest.raises(InvalidResponseError):
        await reranker.score("q", ["a", "b"])


@pytest.mark.parametrize(
    ("fault", "expected"), [(Fault("status", 429), RateLimitError), (Fault("reset"), ConnectionFailedError)]
)
async def test_failures(
    reranker: ServedReranker, server: FakeProvider, fault: Fault, expected: type[ModelError]
) -> None:
    server.faults.append(fault)
    with pytest.raises(expected) as caught:
        await reranker.score("q", ["a"])
    assert caught.value.model == "vllm/org/m"
