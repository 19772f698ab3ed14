from __future__ import annotations

import numpy as np
import pytest

from rag.retrieve.maxsim import MaxSimReranker, max_sim
from routing.models.embedded import EmbeddedEmbedder
from routing.testing.reranker import CHECKS, Check


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_it_keeps_the_contract_over_the_embedded_vectors(check: Check) -> None:
    await check(MaxSimReranker(EmbeddedEmbedder()))


async def test_name_and_usage() -> None:
    reranker = MaxSimReranker(EmbeddedEmbedder())
    scores = await reranker.score("refund window", ["refund window"])
    assert reranker.name == "maxsim/embedded/wordllama"
    assert scores.values.tolist() == pytest.approx([1.0], abs=1e-5)
    assert scores.usage.input_tokens > 2


def test_each_token_counts_by_its_length_and_meets_its_nearest() -> None:
    asked = np.array([[3.0, 0.0], [0.0, 1.0]], np.float32)
    told = [np.array([[2.0, 0.0]], np.float32), np.array([[0.0, 5.0], [1.0, 1.0]], np.float32)]
    diagonal = 0.5**0.5
    assert max_sim(asked, told).tolist() == pytest.approx([0.75, 0.75 * diagonal + 0.25])


def test_nothing_is_like_nothing() -> None:
    none, some = np.zeros((0, 2), np.float32), np.ones((1, 2), np.float32)
    assert max_sim(none, [some]).tolist() == [-1.0]
    assert max_sim(some, [none, some]).tolist() == pytest.approx([-1.0, 1.0])
    assert max_sim(np.zeros((2, 2), np.float32), [some]).tolist() == [-1.0]
