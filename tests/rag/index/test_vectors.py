"""Rounded vectors: how far off their scores are, and that joining changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from rag.index.vectors import ROWS_AT_ONCE, joined, products, vectors_of

RNG = np.random.default_rng(4)
VECTORS = RNG.normal(size=(ROWS_AT_ONCE + 7, 48)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
QUERY = VECTORS[11]


@pytest.mark.parametrize("places", [None, np.array([3, 9000 % len(VECTORS), 11]), np.arange(len(VECTORS))])
def test_scores_are_off_by_no_more_than_is_said(places: np.ndarray | None) -> None:
    vectors = vectors_of(VECTORS, 1 << 30)
    true = (VECTORS if places is None else VECTORS[places]).astype(np.float64) @ QUERY
    assert np.abs(vectors.scores(QUERY, places) - true).max() <= vectors.worst + 1e-6
    full = vectors.full_scores(QUERY, places)
    assert full is not None
    assert np.abs(full - true).max() < 1e-6


def test_vectors_of_zero_and_of_one_large_value_round() -> None:
    odd = np.zeros((2, 48), np.float32)
    odd[1, 5] = 1
    vectors = vectors_of(odd, 0)
    assert vectors.scores(odd[1]).tolist() == pytest.approx([0, 1])
    assert vectors.worst < 1e-6
    assert vectors.full is None


def test_joining_changes_no_score() -> None:
    whole = vectors_of(VECTORS, 1 << 30)
    both = joined(vectors_of(VECTORS[:100], 1 << 30), vectors_of(VECTORS[100:], 1 << 30), 1 << 30)
    assert both.scores(QUERY).tolist() == pytest.approx(whole.scores(QUERY).tolist(), abs=1e-6)
    assert both.worst == whole.worst
    assert both.full is not None
    assert joined(both, both, VECTORS.nbytes).full is None


def test_a_product_does_not_depend_on_its_neighbours() -> None:
    alone = [products(VECTORS[place : place + 1], QUERY)[0] for place in range(200)]
    assert products(VECTORS[:200], QUERY).tolist() == alone
