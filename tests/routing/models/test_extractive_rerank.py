from __future__ import annotations

from collections.abc import Sequence

import pytest

from routing.chat import Usage
from routing.errors import ModelError
from routing.models.embedded import EmbeddedEmbedder
from routing.models.extractive_rerank import ExtractiveReranker
from routing.testing.fakes import FakeEmbedder
from routing.testing.reranker import CHECKS, Check
from routing.vectors import Embeddings


@pytest.mark.parametrize("embedder", [None, EmbeddedEmbedder()], ids=["words", "vectors"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_it_keeps_the_contract(check: Check, embedder: EmbeddedEmbedder | None) -> None:
    await check(ExtractiveReranker(embedder=embedder))


async def test_a_passage_is_as_good_as_its_best_sentence() -> None:
    answer = "The bridge was opened in 1932 by the mayor."
    filler = "Ferries run every hour. Tickets are sold on board. The harbour is deep."
    scores = await ExtractiveReranker().score(
        "When was the bridge opened?", [filler, f"{filler} {answer}", "Bridges need paint."]
    )
    assert scores.values.argmax() == 1
    assert scores.usage == Usage()


@pytest.mark.parametrize("query", ["", "?", "the of and"])
async def test_a_query_that_says_nothing_leaves_all_equal(query: str) -> None:
    values = (await ExtractiveReranker().score(query, ["one sentence.", "", "another"])).values
    assert len(set(values.tolist())) == 1


class Broken(FakeEmbedder):
    async def embed_passages(self, texts: Sequence[str]) -> Embeddings:
        raise ModelError("gone", model=self.name)


async def test_without_its_vectors_the_words_decide() -> None:
    passages = ["The museum opens at nine.", "Nothing else."]
    broken = await ExtractiveReranker(embedder=Broken()).score("When does the museum open?", passages)
    plain = await ExtractiveReranker().score("When does the museum open?", passages)
    assert broken.values.tolist() == plain.values.tolist()
