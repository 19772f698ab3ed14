from itertools import combinations, pairwise

import numpy as np
import pytest

from rag.ingest.chunk.segments import COHESION, best_cuts


def cut(vectors, size: int, gains=None, tokens: int = 1):
    count = len(vectors)
    first = [index * tokens for index in range(count)]
    last = [(index + 1) * tokens for index in range(count)]
    return best_cuts(np.asarray(vectors, np.float32), first, last, gains or [0.0] * count, size)


def unit(rng: np.random.Generator, count: int, dim: int = 5):
    vectors = rng.normal(size=(count, dim)) + 0.7
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def worth(vectors, segments, gains, size: int) -> float:
    """The definition, pair by pair."""
    similar = vectors @ vectors.T
    mates = [similar[i, j] for i in range(len(vectors)) for j in range(i) if i - j < size]
    # A pair counts once for every segment that could end at a piece and holds it.
    sums = [similar[low : i + 1, low : i + 1] for i in range(len(vectors)) for low in [max(i - size + 1, 0)]]
    pairs = sum(len(block) * (len(block) - 1) / 2 for block in sums)
    typical = COHESION * sum((block.sum() - np.trace(block)) / 2 for block in sums) / pairs if mates else 0.0
    total = 0.0
    for begin, stop in segments:
        total += gains[begin] + sum(similar[i, j] - typical for i in range(begin, stop) for j in range(begin, i))
    return total


@pytest.mark.parametrize("seed", range(8))
def test_it_finds_the_best_of_all_ways(seed: int):
    rng = np.random.default_rng(seed)
    count, size = 9, 4
    vectors, gains = unit(rng, count), [0.0, *rng.uniform(0, 0.5, count - 1)]
    ways = []
    for cuts in (c for k in range(count) for c in combinations(range(1, count), k)):
        segments = list(pairwise([0, *cuts, count]))
        if all(stop - begin <= size for begin, stop in segments):
            ways.append((worth(vectors, segments, gains, size), segments))
    assert cut(vectors, size, gains) == max(ways)[1]


def test_groups_are_kept_together():
    same, other = [1.0, 0.0], [0.0, 1.0]
    assert cut([same, same, same, other, other, same], size=10) == [(0, 3), (3, 5), (5, 6)]


def test_nothing_exceeds_the_budget_but_a_single_piece():
    same = [[1.0, 0.0]] * 5
    assert all(stop - begin <= 2 for begin, stop in cut(same, size=25, tokens=10))
    assert cut(same, size=3, tokens=10) == [(index, index + 1) for index in range(5)]


def test_a_gain_moves_the_cut():
    same = [[1.0, 0.0]] * 4
    assert cut(same, size=4) == [(0, 4)]
    assert cut(same, size=4, gains=[0, 0, 3.0, 0]) == [(0, 2), (2, 4)]


def test_no_pieces():
    assert cut(np.zeros((0, 3)), size=5) == []
