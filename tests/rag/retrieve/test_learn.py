from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.retrieve.learn import Judged, fit

PRIOR = np.array([1.0, 0.5])


def questions(count: int, truth: tuple[float, ...], seed: int = 0) -> list[Judged]:
    """Questions whose one relevant candidate is drawn by the softmax of `truth`."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        features = random.normal(size=(30, len(truth)))
        odds = np.exp(features @ np.array(truth))
        gains = np.zeros(30)
        gains[random.choice(30, p=odds / odds.sum())] = 1
        found.append(Judged(features, gains))
    return found


def test_the_weights_that_made_the_labels_are_found() -> None:
    assert fit(questions(2000, (2.0, -1.0)), PRIOR, 1e-6) == pytest.approx([2.0, -1.0], abs=0.15)


def test_few_labels_stay_near_the_prior() -> None:
    few = questions(5, (2.0, -1.0))
    assert fit(few, PRIOR, 100.0) == pytest.approx(PRIOR, abs=0.05)
    assert np.abs(fit(few, PRIOR, 0.1) - PRIOR).max() > 0.1


def test_it_is_the_minimum() -> None:
    data = questions(40, (1.0, 0.3))
    weights = fit(data, PRIOR, 0.1)

    def loss(at: np.ndarray) -> float:
        total = 0.05 * float((at - PRIOR) @ (at - PRIOR))
        for each in data:
            scores = each.features @ at
            total += float(np.log(np.exp(scores).sum()) - scores @ each.gains) / len(data)
        return total

    random = np.random.default_rng(1)
    assert all(loss(weights) < loss(weights + random.normal(scale=0.01, size=2)) for _ in range(20))


def test_what_teaches_nothing_leaves_the_prior() -> None:
    features = np.ones((3, 2))
    nothing = [Judged(features, np.zeros(3)), Judged(features, np.ones(3)), Judged(np.zeros((0, 2)), np.zeros(0))]
    assert not any(each.teaches for each in nothing)
    assert fit(nothing, PRIOR, 0.1).tolist() == PRIOR.tolist()
    assert fit([], PRIOR, 0.1).tolist() == PRIOR.tolist()


def test_graded_gains_count_by_their_share() -> None:
    features = np.array([[1.0], [0.0], [-1.0]])
    strong = fit([Judged(features, np.array([3.0, 1.0, 0.0]))], np.zeros(1), 0.1)
    weak = fit([Judged(features, np.array([1.0, 1.0, 0.0]))], np.zeros(1), 0.1)
    assert strong[0] > weak[0] > 0


@given(st.integers(0, 10_000), st.floats(1e-4, 10))
def test_whatever_the_data_the_weights_are_finite(seed: int, penalty: float) -> None:
    random = np.random.default_rng(seed)
    data = []
    for _ in range(4):
        features = random.normal(scale=random.choice([0.0, 1.0, 50.0]), size=(int(random.integers(0, 6)), 2))
        data.append(Judged(features, random.integers(0, 3, len(features)).astype(float)))
    assert np.isfinite(fit(data, PRIOR, penalty)).all()
