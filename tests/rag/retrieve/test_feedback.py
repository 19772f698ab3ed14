from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.index.memory_store import MemoryStore
from rag.index.store import Point
from rag.retrieve.feedback import Neighbours

RANKING = [("alone", 3.0), ("near", 2.0), ("nearer", 1.9), ("last", 0.0), ("behind", -1.0)]
VECTORS = {
    "alone": [1.0, 0.0, 0.0],
    "near": [0.0, 1.0, 0.0],
    "nearer": [0.0, 0.8, 0.6],
    "last": [0.0, 0.6, 0.8],
    "behind": [0.0, 0.0, 1.0],
}


def vectors() -> dict[str, np.ndarray]:
    return {id_: np.array(vector, np.float32) for id_, vector in VECTORS.items()}


def test_hits_that_are_like_each_other_rise() -> None:
    refined = Neighbours(1.0, depth=4).refined(RANKING, vectors())
    assert [id_ for id_, _ in refined] == ["near", "alone", "nearer", "last", "behind"]
    assert [score for _, score in refined] == [score for _, score in RANKING]


def test_without_weight_or_likeness_nothing_changes() -> None:
    assert Neighbours(0.0).refined(RANKING, vectors()) == RANKING
    apart = dict(zip(VECTORS, np.eye(5, dtype=np.float32), strict=True))
    assert Neighbours(9.0).refined(RANKING, apart) == RANKING
    assert Neighbours(9.0).refined(RANKING, {}) == RANKING
    assert Neighbours(9.0).refined([("a", 1.0), ("b", 1.0)], vectors()) == [("a", 1.0), ("b", 1.0)]


def test_what_is_gone_neither_gains_nor_loses() -> None:
    known = vectors()
    del known["alone"]
    refined = Neighbours(0.1).refined(RANKING, known)
    assert refined[0][0] == "alone"
    assert {id_ for id_, _ in refined} == set(VECTORS)


async def test_vectors_come_from_the_store(tmp_path: Path) -> None:
    store = MemoryStore(3)
    await store.upsert([Point(id_, vector, id_) for id_, vector in vectors().items()])
    feedback = Neighbours(2.0, depth=4)
    assert await feedback.refine(store, RANKING) == feedback.refined(RANKING, vectors())
    assert await Neighbours(0.0).refine(store, RANKING) == RANKING
    assert await feedback.refine(store, []) == []
    await store.close()


@given(st.lists(st.floats(-5, 5), max_size=12), st.floats(0, 5), st.integers(1, 12), st.integers(0, 99))
def test_every_hit_stays_once_and_scores_stay_in_order(
    scores: list[float], weight: float, depth: int, seed: int
) -> None:
    ranking = [(str(place), score) for place, score in enumerate(sorted(scores, reverse=True))]
    rows = np.random.default_rng(seed).normal(size=(len(scores), 4)).astype(np.float32)
    found = {str(place): row / np.linalg.norm(row) for place, row in enumerate(rows)}
    refined = Neighbours(weight, depth=depth).refined(ranking, found)
    assert sorted(id_ for id_, _ in refined) == sorted(id_ for id_, _ in ranking)
    assert [score for _, score in refined] == [score for _, score in ranking]
    assert refined[depth:] == ranking[depth:]


def test_the_mean_around_is_weighted_by_likeness() -> None:
    rows = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], np.float32)
    around = Neighbours(1.0, power=1).around(np.array([3.0, 1.0, 0.0]), rows)
    assert around == pytest.approx([1.0, (0.6 * 3) / 1.4, 1.0])
