from __future__ import annotations

import json
from collections.abc import AsyncIterator

import numpy as np
import pytest

from routing.errors import AuthenticationError, ConnectionFailedError, InvalidResponseError, ModelError, RateLimitError
from routing.models.facts import ModelFacts
from routing.testing.embedder import check_embedder
from routing.testing.server import FakeProvider, Fault

pytest.importorskip("openai")

from routing.models.openai_embedder import OpenAIEmbedder

SHORTENS = ModelFacts(dimensions=48, shortens=True, context=32)


@pytest.fixture
async def server() -> AsyncIterator[FakeProvider]:
    async with FakeProvider(dim=48) as provider:
        yield provider


@pytest.fixture
async def embedder(server: FakeProvider) -> AsyncIterator[OpenAIEmbedder]:
    adapter = OpenAIEmbedder("emb", dim=48, api_key="k", base_url=f"{server.url}/v1", facts=SHORTENS)
    yield adapter
    await adapter.close()


async def test_keeps_the_contract(embedder: OpenAIEmbedder) -> None:
    assert embedder.max_tokens == 32
    await check_embedder(embedder)


async def test_only_a_shorter_length_is_asked_for(embedder: OpenAIEmbedder, server: FakeProvider) -> None:
    await embedder.embed_queries(["one"])
    assert "dimensions" not in server.requests[-1].body
    short = OpenAIEmbedder("emb", dim=16, api_key="k", base_url=f"{server.url}/v1", facts=SHORTENS)
    assert (await short.embed_queries(["one"])).vectors.shape == (1, 16)
    assert server.requests[-1].body["dimensions"] == 16
    await short.close()


async def test_blank_texts_are_not_sent(embedder: OpenAIEmbedder, server: FakeProvider) -> None:
    vectors = (await embedder.embed_passages(["", "crane harbour", " \n"])).vectors
    assert server.requests[-1].body["input"] == ["crane harbour"]
    assert [bool(row.any()) for row in vectors] == [False, True, False]
    await embedder.embed_passages(["", " "])
    assert len(server.requests) == 1


async def test_long_texts_are_windowed_and_nothing_is_lost(embedder: OpenAIEmbedder, server: FakeProvider) -> None:
    text = " ".join(f"word{i}" for i in range(60))
    both = (await embedder.embed_passages(["anchor", text])).vectors
    sent = server.requests[-1].body["input"]
    assert sent[0] == "anchor"
    assert len(sent) > 4
    assert "".join(sent[1:]) == text
    parts = (await embedder.embed_passages(sent[1:])).vectors
    assert float(both[1] @ parts.sum(axis=0) / np.linalg.norm(parts.sum(axis=0))) > 0.99


async def test_many_texts_go_out_in_batches(
    embedder: OpenAIEmbedder, server: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routing.models.openai_embedder._MOST_TEXTS", 3)
    texts = [f"text number {i}" for i in range(8)]
    together = await embedder.embed_passages(texts)
    assert [len(received.body["input"]) for received in server.requests] == [3, 3, 2]
    assert together.usage.input_tokens == 24
    alone = [(await embedder.embed_passages([text])).vectors[0] for text in texts]
    assert np.allclose(together.vectors, alone, atol=1e-6)


async def test_batches_stay_below_the_limit_of_tokens(
    embedder: OpenAIEmbedder, server: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routing.models.openai_embedder._MOST_TOKENS", 10)
    await embedder.embed_passages(["one two three four five six seven"] * 3)
    assert [len(received.body["input"]) for received in server.requests] == [1, 1, 1]


async def test_vectors_of_another_length(server: FakeProvider) -> None:
    adapter = OpenAIEmbedder("emb", provider="vllm", dim=99, api_key=None, base_url=f"{server.url}/v1")
    with pytest.raises(InvalidResponseError, match=r"48 numbers, not 99.*embedding\.dimensions: 48"):
        await adapter.embed_queries(["one"])
    await adapter.close()


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "",
        json.dumps({"data": []}),
        json.dumps({"data": [{"index": 0, "embedding": [1.0] * 47 + [float("nan")]}]}),
        json.dumps({"data": [{"index": 0, "embedding": ["a"] * 48}]}),
        json.dumps({"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]}),
    ],
)
async def test_garbage(embedder: OpenAIEmbedder, server: FakeProvider, body: str) -> None:
    server.faults.append(Fault("body", body=body))
    with pytest.raises(InvalidResponseError):
        await embedder.embed_queries(["one"])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("status", 401), AuthenticationError),
        (Fault("status", 429), RateLimitError),
        (Fault("reset"), ConnectionFailedError),
    ],
)
async def test_failures(
    embedder: OpenAIEmbedder, server: FakeProvider, fault: Fault, expected: type[ModelError]
) -> None:
    server.faults.append(fault)
    with pytest.raises(expected) as caught:
        await embedder.embed_queries(["one"])
    assert caught.value.model == "openai/emb"


async def test_usage_is_estimated_where_the_server_gives_none(embedder: OpenAIEmbedder, server: FakeProvider) -> None:
    row = {"index": 0, "embedding": [1.0] * 48}
    server.faults.append(Fault("body", body=json.dumps({"data": [row]})))
    usage = (await embedder.embed_queries(["three little words"])).usage
    assert usage.estimated
    assert usage.input_tokens == 3


async def test_it_says_which_texts_make_a_request(embedder: OpenAIEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.models.openai_embedder._MOST_TEXTS", 2)
    assert embedder.requests(["one", "two", "", "three"]) == [[0, 1, 2], [3]]
