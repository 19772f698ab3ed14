from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.errors import ConfigError
from rag import RAG
from rag.retrieve.build_rerank import build_rerank_stage, check_rerank_model, default_share
from rag.retrieve.rerank import RerankStage
from rag.retrieve.settings import RerankSettings, RetrievalSettings
from routing.chat import Tags
from routing.embedding import MeteredEmbedder
from routing.errors import MissingKeyError, OverloadedError, UnknownModelError
from routing.meter import Meter
from routing.models.catalog import DEFAULT_CATALOG
from routing.models.embedded import EmbeddedEmbedder
from routing.policy.step import Step
from routing.router import Router
from routing.settings import RetrySettings
from routing.testing.fakes import FakeEmbedder, FakeReranker, ScriptedChatModel, ScriptedReranker
from routing.vectors import Embedder, Reranker
from tests.rag.retrieve._meter import opened_meter

RETRY = RetrySettings(attempts=1)


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    with opened_meter(tmp_path) as made:
        yield made


def build(
    meter: Meter,
    model: str = "none",
    *,
    chat: str = "scripted/chat",
    embedder: Embedder | None = None,
    reranker: Reranker | None = None,
    diversity: float = 0.0,
    skip_margin: float | None = None,
) -> RerankStage | None:
    settings = RetrievalSettings(rerank=RerankSettings(model=model, diversity=diversity, skip_margin=skip_margin))
    return build_rerank_stage(
        settings,
        DEFAULT_CATALOG,
        MeteredEmbedder(embedder or EmbeddedEmbedder(), meter=meter, retry=RETRY),
        lambda: Router([ScriptedChatModel('{"order": [2, 1]}', name=chat)], meter=meter, retry=RETRY),
        meter,
        retry=RETRY,
        writer=Step(chat, "generation.model"),
        embedding=Step("embedded/wordllama", "embedding.model"),
        seconds=5.0,
        environ={},
        reranker=reranker,
    )


def test_nothing_to_do_is_no_stage(meter: Meter) -> None:
    assert build(meter) is None


def test_diversity_needs_no_reranker(meter: Meter) -> None:
    assert build(meter, diversity=0.3) == RerankStage(diversity=0.3)


@pytest.mark.parametrize(
    ("model", "name", "blend"),
    [
        ("maxsim", "maxsim/embedded/wordllama", 0.2),
        ("extractive/default", "extractive/default", 0.4),
        ("llm", "llm/scripted/chat", 1.0),
    ],
)
async def test_each_is_made_by_its_name(meter: Meter, model: str, name: str, blend: float) -> None:
    stage = build(meter, model, skip_margin=0.25)
    assert stage is not None
    assert stage.scorer is not None
    assert (stage.scorer.name, stage.blend, stage.skip_margin) == (name, blend, 0.25)
    values = await stage.scorer.score("refund window", ["a crane", "the refund window"], Tags("search"))
    assert values[1] > values[0]
    assert meter.ledger.totals().cost == 0
    assert meter.ledger.totals().calls == 1


async def test_a_reranker_handed_in_takes_the_place_of_the_named_one(meter: Meter) -> None:
    stage = build(meter, "maxsim", reranker=FakeReranker())
    assert stage is not None
    assert stage.scorer is not None
    assert (stage.scorer.name, stage.blend) == ("scripted/overlap", 1.0)


def test_late_interaction_counts_for_more_over_the_tokens_of_a_transformer() -> None:
    assert 0 < default_share("maxsim", "embedded/wordllama") < default_share("maxsim", "st/minilm") < 1
    assert default_share("cohere/rerank-v3.5", "embedded/wordllama") == default_share("st/x", "st/y") == 1


def test_what_cannot_work_is_said_at_once(meter: Meter) -> None:
    with pytest.raises(ConfigError, match=r"scripted/hashing gives no vectors of tokens"):
        build(meter, "maxsim", embedder=FakeEmbedder())
    with pytest.raises(ConfigError, match=r"rerank\.model is llm: .* extractive/default cannot\. .*generation\.model"):
        build(meter, "llm", chat="extractive/default")
    pytest.importorskip("cohere")
    with pytest.raises(MissingKeyError, match="CO_API_KEY"):
        build(meter, "cohere/rerank-v3.5")


@pytest.mark.parametrize("name", ["none", "maxsim", "llm", "extractive/default", "cohere/rerank-v3.5", "st/some/model"])
def test_names_that_can_be_right(name: str) -> None:
    check_rerank_model(name, DEFAULT_CATALOG)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("maxim", "Did you mean 'maxsim'?"),
        ("lm", "Did you mean 'llm'?"),
        ("no", "Did you mean 'none'?"),
        ("rerank-v3.5", "Did you mean 'cohere/rerank-v3.5'?"),
        ("openai/gpt-5", "'openai' has no rerankers."),
    ],
)
def test_names_that_cannot(name: str, says: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        check_rerank_model(name, DEFAULT_CATALOG)
    assert says in str(caught.value)


def test_a_knowledge_base_reranks_with_ones_own(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text(
        "# Ferries\n\nThe ferry leaves at nine.\n\n# Refunds\n\nThe refund window is long.\n"
    )
    settings = {"chunking.size": 16, "chunking.overlap": 0, "retrieval.top_n": 1}
    reranker = ScriptedReranker(lambda query, passages: [float("ferry" in passage) for passage in passages])
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", reranker=reranker, settings=settings) as kb:
        kb.ingest(tmp_path / "notes.md")
        hits = kb.search("How long is the refund window?")
    assert len(hits) == 2
    assert "ferry" in hits[0].chunk.text
    assert [hit.rerank_score for hit in hits] == [1.0, 0.0]
    assert reranker.closed


def test_an_answer_says_that_its_reranker_failed(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Ferries\n\nThe ferry leaves at nine.\n\n# Refunds\n\nThe window is long.\n")
    settings = {"chunking.size": 16, "chunking.overlap": 0, "retrieval.top_n": 1, "routing.retry.attempts": 1}
    reranker = ScriptedReranker(OverloadedError("It is down.", model="scripted/rerank"))
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", reranker=reranker, settings=settings) as kb:
        kb.ingest(tmp_path / "notes.md")
        answer = kb.ask("When does the ferry leave?")
    assert "nine" in answer.text
    assert answer.degraded == "Not reranked: It is down."


def test_a_wrong_name_in_the_configuration_is_an_error_of_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"retrieval\.rerank\.model.*Did you mean 'maxsim'"):
        RAG.open(tmp_path / "kb", home=tmp_path / "home", settings={"retrieval.rerank.model": "maxsin"})
