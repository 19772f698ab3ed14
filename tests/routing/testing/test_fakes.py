from __future__ import annotations

import numpy as np
import pytest

from routing.testing.embedder import check_embedder
from routing.testing.fakes import FakeEmbedder, FakeReranker, hashed_vector


async def test_the_embedder_keeps_the_contract() -> None:
    await check_embedder(FakeEmbedder())


async def test_vectors_of_texts_that_share_words_are_near() -> None:
    vectors = (await FakeEmbedder(256).embed_passages(["the red fox", "a red fox", "blue whale song"])).vectors
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


@pytest.mark.parametrize("text", ["", " ", "!?", "東京", "a b c"])
def test_hashed_vectors(text: str) -> None:
    length = float(np.linalg.norm(hashed_vector(text, 16)))
    assert length == pytest.approx(1.0 if text else 0.0)


def test_words_that_cancel_out_still_have_a_direction() -> None:
    opposed = next(
        f"x y{i}" for i in range(999) if np.allclose(np.add(hashed_vector("x", 2), hashed_vector(f"y{i}", 2)), 0)
    )
    assert float(np.linalg.norm(hashed_vector(opposed, 2))) == pytest.approx(1.0)


async def test_the_reranker_counts_shared_words() -> None:
    reranker = FakeReranker()
    scores = await reranker.score("refund window days", ["refund window", "nothing", "days window refund now"])
    assert scores.values.tolist() == pytest.approx([2 / 3, 0, 1])
    assert scores.values.dtype == np.float32
    assert scores.usage.input_tokens > 0
    assert (await reranker.score("", ["a"])).values.tolist() == [0.0]
    assert (await reranker.score("a", [])).values.shape == (0,)
    assert reranker.queries == ["refund window days", "", "a"]
