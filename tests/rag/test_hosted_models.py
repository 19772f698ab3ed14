"""Hosted models through the whole pipeline: the real SDKs against a provider on a local port."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from rag import RAG
from routing.chat import Usage
from routing.errors import AuthenticationError, ModelNotFoundError
from routing.testing.server import FakeProvider, Fault
from routing.testing.wire import Script

ANSWER = ("Unopened goods may be returned ", "within 30 days of delivery ", "[Source: returns.md].")
QUESTION = "How long is the refund window?"


def script() -> Script:
    return Script(pieces=ANSWER, usage=Usage(input_tokens=1000, output_tokens=100, cached_input_tokens=400))


def opened(folder: Path, server: FakeProvider, model: str) -> RAG:
    environ = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "ANTHROPIC_BASE_URL": server.url,
    }
    quick = {"routing.retry.first_wait_seconds": 0, "routing.retry.longest_wait_seconds": 0.01}
    return RAG.open(folder / "kb", home=folder / "home", model=model, environ=environ, settings=quick)


@pytest.mark.parametrize(
    ("model", "extra", "cost"),
    [
        # gpt-4o-mini: 600 x .15 + 400 x .075 + 100 x .60 per million
        ("openai/gpt-4o-mini", "openai", Decimal("0.00018")),
        # claude-haiku-4-5: 600 x 1 + 400 x .10 + 100 x 5 per million
        ("anthropic/claude-haiku-4-5", "anthropic", Decimal("0.00114")),
        ("vllm/mine@{url}", "openai", None),
    ],
)
async def test_the_same_citations_and_checks(
    tmp_path: Path, docs: Path, model: str, extra: str, cost: Decimal | None
) -> None:
    pytest.importorskip(extra)
    async with FakeProvider(script()) as server, opened(tmp_path, server, model.format(url=server.url)) as kb:
        await kb.aingest(docs)
        answer = await kb.aask(QUESTION)
    (citation,) = answer.citations
    assert (citation.document, citation.verdict) == ("returns.md", "supported")
    assert citation.quote == "Unopened goods may be returned within 30 days of delivery."
    assert answer.cost == cost
    assert (answer.usage.output_tokens, answer.usage.cached_input_tokens) == (100, 400)
    assert answer.degraded is None
    (request,) = server.requests
    sent = str(request.body)
    assert QUESTION in sent
    assert "[Source: returns.md]" in sent
    assert "I don't have enough information." in sent


async def test_embeddings_of_openai_are_asked_for_and_priced(tmp_path: Path, docs: Path) -> None:
    pytest.importorskip("openai")
    async with FakeProvider(script(), dim=64) as server:
        environ = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": f"{server.url}/v1"}
        settings = {"embedding.model": "openai/text-embedding-3-small", "embedding.dimensions": 64}
        async with RAG.open(tmp_path / "kb", home=tmp_path / "home", environ=environ, settings=settings) as kb:
            report = await kb.aingest(docs)
            assert report.cost is not None
            assert report.cost > 0
            assert (await kb.asearch("gift cards"))[0].document == "returns.md"
    assert {request.path for request in server.requests} == {"/v1/embeddings"}
    assert {request.body["dimensions"] for request in server.requests} == {64}


@pytest.mark.parametrize(
    ("model", "variable"), [("openai/gpt-4o-mini", "OPENAI"), ("anthropic/claude-haiku-4-5", "ANTHROPIC")]
)
async def test_a_wrong_key(tmp_path: Path, docs: Path, model: str, variable: str) -> None:
    pytest.importorskip(variable.lower())
    faults = [Fault("status", status=401)] * 5
    async with FakeProvider(script(), faults=faults) as server, opened(tmp_path, server, model) as kb:
        await kb.aingest(docs)
        with pytest.raises(AuthenticationError, match=f"{variable}_API_KEY"):
            await kb.aask(QUESTION)
    assert len(server.requests) == 1, "a wrong key is not tried again"


async def test_a_model_the_provider_does_not_know(tmp_path: Path, docs: Path) -> None:
    pytest.importorskip("openai")
    faults = [Fault("status", status=404)]
    async with FakeProvider(script(), faults=faults) as server, opened(tmp_path, server, "openai/gpt-4o-mini") as kb:
        await kb.aingest(docs)
        with pytest.raises(ModelNotFoundError, match="gpt-4o-mini"):
            await kb.aask(QUESTION)


async def test_a_provider_that_recovers(tmp_path: Path, docs: Path) -> None:
    pytest.importorskip("openai")
    for fault in (Fault("status", status=503), Fault("reset")):
        async with (
            FakeProvider(script(), faults=[fault]) as server,
            opened(tmp_path, server, "openai/gpt-4o-mini") as kb,
        ):
            await kb.aingest(docs)
            answer = await kb.aask(QUESTION)
        assert answer.degraded is None
        assert [attempt.error is None for attempt in answer.attempts] == [False, True]


async def test_a_provider_that_is_down(tmp_path: Path, docs: Path) -> None:
    pytest.importorskip("openai")
    faults = [Fault("status", status=503)] * 9
    async with FakeProvider(script(), faults=faults) as server, opened(tmp_path, server, "openai/gpt-4o-mini") as kb:
        await kb.aingest(docs)
        answer = await kb.aask("How many days does a parcel to Iceland take?")
    assert answer.model == "extractive/default"
    assert "9 days" in answer.text
    assert answer.degraded is not None


def test_sync_and_async_may_be_mixed(tmp_path: Path, docs: Path) -> None:
    """SDK clients belong to a loop; the sync face and the caller have different ones."""
    pytest.importorskip("openai")
    import asyncio

    async def main() -> None:
        async with FakeProvider(script()) as server:
            kb = await asyncio.to_thread(opened, tmp_path, server, "openai/gpt-4o-mini")
            await kb.aingest(docs)
            first = await kb.aask(QUESTION)
            second = await asyncio.to_thread(kb.ask, QUESTION)
            assert first.text == second.text == "".join(ANSWER)
            await asyncio.to_thread(kb.close)

    asyncio.run(main())
