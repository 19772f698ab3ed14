from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import InputError
from rag.retrieve.diversity import SAME_TERMS, by_terms, by_vectors, mmr


def test_the_second_is_what_adds_most() -> None:
    alike = np.array([[1, 0.7, 0.1, 0], [0.7, 1, 0.1, 0], [0.1, 0.1, 1, 0], [0, 0, 0, 1]])
    for novelty, order in ((0.5, [0, 2, 1, 3]), (0.0, [0, 1, 2, 3]), (0.1, [0, 1, 2, 3])):
        assert mmr([1.0, 0.9, 0.8, 0.0], lambda a, b: float(alike[a, b]), novelty, same=0.8) == order


def test_what_says_the_same_comes_last_however_relevant() -> None:
    texts = [
        "The refund window is thirty days after the delivery of the goods.",
        "The refund window is 30 days after the delivery of the goods, thirty days.",
        "Ferries run every hour.",
        "Tickets are sold on board.",
    ]
    assert mmr([1.0, 0.99, 0.2, 0.1], by_terms(texts), 0.01, same=SAME_TERMS) == [0, 2, 3, 1]


def test_where_there_is_nothing_else_the_same_is_read_too() -> None:
    assert mmr([2.0, 1.0], by_terms(["same text", "same text"]), 0.5, same=SAME_TERMS) == [0, 1]


def test_equal_relevance_keeps_the_order() -> None:
    assert mmr([1.0, 1.0, 1.0], lambda a, b: 0.0, 0.5, same=0.8) == [0, 1, 2]
    assert mmr([], lambda a, b: 0.0, 0.5, same=0.8) == []


def test_similarities() -> None:
    words = by_terms(["red green", "green blue", "the", ""])
    assert [words(0, 1), words(0, 0), words(2, 3)] == pytest.approx([1 / 3, 1, 0])
    vectors = by_vectors(np.array([[1, 0], [0.6, 0.8], [-1, 0]], np.float32))
    assert [vectors(0, 1), vectors(0, 2)] == pytest.approx([0.6, 0])


@pytest.mark.parametrize("novelty", [-0.1, 1.5, float("nan")])
def test_a_novelty_outside_is_refused(novelty: float) -> None:
    with pytest.raises(InputError, match="novelty"):
        mmr([1.0, 0.5], lambda a, b: 0.0, novelty, same=0.8)


VALUES = st.lists(st.floats(-5, 5), min_size=1, max_size=8)


@given(VALUES, st.floats(0, 1), st.integers(0, 2**16))
def test_every_item_comes_once_and_the_most_relevant_first(values: list[float], novelty: float, seed: int) -> None:
    alike = np.random.default_rng(seed).random((len(values), len(values)))
    order = mmr(values, lambda a, b: float(alike[min(a, b), max(a, b)]), novelty, same=0.8)
    assert sorted(order) == list(range(len(values)))
    if novelty < 1:
        assert values[order[0]] == max(values)
