"""The k best of a large index are those of adding up everything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rag.index.lexical import LexicalIndex
from rag.index.lexical.scoring import WHOLE

CHUNKS = 24_000


@pytest.fixture(scope="module")
def index() -> LexicalIndex:
    """More chunks than are added up whole; word n stands in about one of n."""
    assert CHUNKS > WHOLE
    rng = np.random.default_rng(3)
    drawn = np.minimum(rng.zipf(1.3, (CHUNKS, 20)), 5000)
    return LexicalIndex([[f"w{word}" for word in row] for row in drawn.tolist()])


QUERIES = [
    ["w1"],
    ["w1", "w2", "w3"],
    ["w1", "w9", "w77", "w700", "w4000"],
    ["w2", "w2", "w500", "w1"],
    ["w4999", "w1"],
    ["w3", "w5", "w8", "w13", "w21", "w34", "w55", "w89", "w144"],
    ["none", "w6"],
    ["none"],
]


def best(index: LexicalIndex, query: list[str], k: int, mask: npt.NDArray[np.bool_] | None = None) -> Any:
    scores = index.scores(query) if mask is None else index.scores(query) * mask
    found = np.flatnonzero(scores > 0)
    return found[np.argsort(-scores[found], kind="stable")[:k]].tolist()


@pytest.mark.parametrize("query", QUERIES, ids=" ".join)
@pytest.mark.parametrize("k", [1, 10, 100, 1000, 10**9])
def test_nothing_is_lost_by_not_adding_up_all(index: LexicalIndex, query: list[str], k: int) -> None:
    positions, scores = index.search(query, k)
    assert positions.tolist() == best(index, query, k)
    np.testing.assert_array_equal(scores, index.scores(query)[positions])


@pytest.mark.parametrize("query", QUERIES, ids=" ".join)
@pytest.mark.parametrize("share", [0.5, 0.05, 0.001, 0.0])
def test_nor_where_a_mask_hides_chunks(index: LexicalIndex, query: list[str], share: float) -> None:
    mask = np.random.default_rng(5).random(CHUNKS) < share
    for k in (10, 300):
        assert index.search(query, k, mask)[0].tolist() == best(index, query, k, mask)


def test_common_terms_are_looked_up_and_not_added(index: LexicalIndex) -> None:
    query = ["w1", "w300", "w301", "w302", "w303"]
    rare, common = vars(index._prepared.word("w300")), vars(index._prepared.word("w1"))
    common.pop("levels", None)
    assert index.search(query, 10)[0].tolist() == best(index, query, 10)
    assert "levels" in common
    assert "levels" not in rare


def test_ties_beyond_k_are_decided_by_position() -> None:
    index = LexicalIndex([["a", "b"]] * 20_500 + [["b", "c"]] * 500)
    assert index.search(["a", "c"], 3)[0].tolist() == [20_500, 20_501, 20_502]
    assert index.search(["a"], 3)[0].tolist() == [0, 1, 2]


def test_searches_at_the_same_time_do_not_disturb_each_other(index: LexicalIndex) -> None:
    expected = [best(index, query, 50) for query in QUERIES]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert [found.tolist() for found, _ in pool.map(lambda query: index.search(query, 50), QUERIES)] == expected
