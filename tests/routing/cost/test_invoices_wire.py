"""Invoices by hand of answers as providers document them: from the wire through adapter and meter into the ledger.

Each case has the usage of the provider's own reference or guide, and its arithmetic in micro-dollars.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces
from routing.chat import ChatModel, ChatRequest, Message, Usage
from routing.cost.ledger import Ledger
from routing.cost.ledger import component as ledger_component
from routing.cost.price_file import shipped_prices
from routing.cost.prices import Price
from routing.meter import Meter
from routing.router import Router
from routing.settings import RetrySettings
from routing.testing.server import FakeProvider, Fault

pytest.importorskip("openai")
pytest.importorskip("anthropic")
pytest.importorskip("cohere")

from routing.models.anthropic import AnthropicChatModel
from routing.models.cohere_chat import CohereChatModel
from routing.models.cohere_embedder import CohereEmbedder
from routing.models.cohere_rerank import CohereReranker
from routing.models.facts import ModelFacts
from routing.models.openai import OpenAIChatModel
from routing.models.openai_embedder import OpenAIEmbedder

ONCE = RetrySettings(attempts=1)
ASKED = ChatRequest((Message("user", "Hello!"),))
Make = Callable[[str], ChatModel]


@pytest.fixture
async def server() -> AsyncIterator[FakeProvider]:
    async with FakeProvider(dim=2) as provider:
        yield provider


def openai(name: str, **options: Any) -> Make:
    return lambda url: OpenAIChatModel(name, api_key="k", base_url=f"{url}/v1", **options)


def vllm(url: str) -> ChatModel:
    return OpenAIChatModel("mine", provider="vllm", api_key="k", base_url=f"{url}/v1")


def claude(url: str) -> ChatModel:
    return AnthropicChatModel("claude-opus-4-5", api_key="k", base_url=url)


def command(url: str) -> ChatModel:
    return CohereChatModel("command-a-03-2025", api_key="k", base_url=url)


def completion(usage: dict[str, Any], tier: str | None = "default") -> dict[str, Any]:
    said = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}
    facts = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "service_tier": tier}
    return {**facts, "choices": [said], "usage": usage}


def message(usage: dict[str, Any]) -> dict[str, Any]:
    said = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hello."}]}
    return {**said, "id": "msg_1", "model": "m", "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}


# developers.openai.com/api/docs/guides/prompt-caching
CACHED = {
    "prompt_tokens": 2006,
    "completion_tokens": 300,
    "total_tokens": 2306,
    "prompt_tokens_details": {"cached_tokens": 1920},
    "completion_tokens_details": {"reasoning_tokens": 0, "accepted_prediction_tokens": 0},
}
# developers.openai.com/api/docs/guides/reasoning
THOUGHT = {
    "input_tokens": 75,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 1186,
    "output_tokens_details": {"reasoning_tokens": 1024},
    "total_tokens": 1261,
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "m",
    "service_tier": "default",
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}],
    "usage": THOUGHT,
}
# platform.claude.com/docs/en/build-with-claude/prompt-caching, the two times of the cache in one usage
BOTH_TIMES = {
    "input_tokens": 2048,
    "cache_read_input_tokens": 1800,
    "cache_creation_input_tokens": 248,
    "output_tokens": 503,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 148},
    "service_tier": "standard",
}
# docs.cohere.com/reference/chat: what is billed is not what is counted
BILLED = {
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
    "finish_reason": "COMPLETE",
    "id": "1",
    "usage": {
        "billed_units": {"input_tokens": 5, "output_tokens": 418},
        "tokens": {"input_tokens": 71, "output_tokens": 418},
    },
}
LONG = {"prompt_tokens": 272_001, "completion_tokens": 1_000, "total_tokens": 273_001}


@pytest.mark.parametrize(
    ("make", "body", "dollars"),
    [
        # 86 x 2.5 + 1,920 x 1.25 + 300 x 10 = 215 + 2,400 + 3,000
        pytest.param(openai("gpt-4o"), completion(CACHED), "0.005615", id="openai-cached"),
        # 86 x 2 + 1,920 x 0.1 + 300 x 10 = 172 + 192 + 3,000; flex is half, priority twice
        pytest.param(openai("gpt-6.1-sol"), completion(CACHED), "0.003364", id="openai-default"),
        pytest.param(openai("gpt-6.1-sol"), completion(CACHED, "flex"), "0.001682", id="openai-flex"),
        pytest.param(openai("gpt-6.1-sol"), completion(CACHED, "priority"), "0.006728", id="openai-priority"),
        # 75 x 1.25 + 1,186 x 10 = 93.75 + 11,860: 1,024 of them were thought, and cost as those that were said
        pytest.param(openai("gpt-5", api="responses"), RESPONSE, "0.01195375", id="openai-thought"),
        # 272,001 x 4 + 1,000 x 15: one token above 272,000
        pytest.param(openai("gpt-6.1-sol"), completion(LONG), "1.103004", id="openai-long"),
        # 2,048 x 5 + 1,800 x 0.5 + 148 x 10 + 100 x 6.25 + 503 x 25 = 10,240 + 900 + 1,480 + 625 + 12,575
        pytest.param(claude, message(BOTH_TIMES), "0.02582", id="anthropic-both-times"),
        # a contract: nobody publishes it
        pytest.param(claude, message({**BOTH_TIMES, "service_tier": "priority"}), None, id="anthropic-priority"),
        # 5 x 2.5 + 418 x 10 = 12.5 + 4,180
        pytest.param(command, BILLED, "0.0041925", id="cohere-billed"),
        # vLLM with --enable-prompt-tokens-details: 86 x 1 + 1,920 x 0.1 + 300 x 2 = 86 + 192 + 600
        pytest.param(vllm, completion(CACHED, None), "0.000878", id="vllm-cached"),
    ],
)
async def test_the_row_has_what_the_answer_costs(
    tmp_path: Path, server: FakeProvider, make: Make, body: dict[str, Any], dollars: str | None
) -> None:
    path = tmp_path / "home.db"
    engine = open_database(path, [ledger_component(), traces()])
    ledger, tracing = Ledger(engine, path), Tracing(engine)
    own = {"vllm/mine": Price(Decimal(1), Decimal(2), cached_input=Decimal("0.1"))}
    model = make(server.url)
    server.faults.append(Fault("body", body=json.dumps(body)))
    router = Router([model], meter=Meter(tracing, ledger, shipped_prices().with_prices(own)), retry=ONCE)
    response = await router.complete(ASKED)
    cost = None if dollars is None else Decimal(dollars)
    ((_, row),) = ledger.after(0)
    assert (row.cost, response.cost, row.usage.estimated) == (cost, cost, False)
    await model.close()
    tracing.close()


async def test_embeddings_cost_what_the_answer_counts(server: FakeProvider) -> None:
    """OpenAI's reference has 8 prompt tokens, Cohere's 6 input tokens: 8 x 0.02 and 6 x 0.12 micro-dollars."""
    openai_body = {
        "object": "list",
        "data": [{"object": "embedding", "embedding": [0.6, 0.8], "index": 0}],
        "model": "m",
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }
    cohere_body = {
        "id": "1",
        "embeddings": {"float": [[0.6, 0.8]]},
        "texts": ["hello"],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 6}},
        "response_type": "embeddings_by_type",
    }
    small = OpenAIEmbedder("text-embedding-3-small", dim=2, api_key="k", base_url=f"{server.url}/v1")
    four = CohereEmbedder("embed-v4.0", dim=2, api_key="k", base_url=server.url, facts=ModelFacts(dimensions=2))
    server.faults += [Fault("body", body=json.dumps(openai_body)), Fault("body", body=json.dumps(cohere_body))]
    for embedder, dollars in ((small, "0.00000016"), (four, "0.00000072")):
        usage = (await embedder.embed_passages(["hello"])).usage
        assert shipped_prices().cost(embedder.name, usage) == Decimal(dollars)
        await embedder.close()


@pytest.mark.parametrize(
    ("passages", "billed", "dollars"),
    [
        pytest.param(1, 1, "0.002", id="one-search"),
        # A query with up to 100 documents is one search; 250 are three, at $2 a thousand.
        pytest.param(250, 3, "0.006", id="many-documents"),
        # Where it is not said: 80 short ones, and 15 of more than 500 tokens in two parts each, are 110 documents.
        pytest.param(95, None, "0.004", id="long-documents"),
    ],
)
async def test_a_search_costs_what_is_billed(
    server: FakeProvider, passages: int, billed: int | None, dollars: str
) -> None:
    texts = ["short"] * passages if billed else ["short"] * 80 + ["word " * 600] * 15
    results = [{"index": number, "relevance_score": 0.5} for number in range(passages)]
    meta = {} if billed is None else {"meta": {"billed_units": {"search_units": billed}}}
    reranker = CohereReranker("rerank-v3.5", api_key="k", base_url=server.url, facts=ModelFacts(by_search=True))
    server.faults.append(Fault("body", body=json.dumps({"results": results, **meta})))
    usage = (await reranker.score("refund", texts)).usage
    assert shipped_prices().cost(reranker.name, usage) == Decimal(dollars)
    assert usage.estimated == (billed is None)
    await reranker.close()


def test_time_on_ones_own_graphics_card_costs_its_share_of_the_hour() -> None:
    """$2.49 an hour, shared by four calls at once: 1.5 s are 1.5 / 3,600 x 0.6225 = 259.375 micro-dollars."""
    prices = shipped_prices().with_prices({"vllm/mine": Price(Decimal(0), gpu_hour=Decimal("0.6225"))})
    assert prices.cost("vllm/mine", Usage(2_006, 300, 1_920), seconds=1.5) == Decimal("0.000259375")
