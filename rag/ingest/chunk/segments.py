"""The best way to cut a row of vectors into segments of bounded length, by dynamic programming. Imports numpy lazily:
the chunkers beside are imported without it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from routing.vectors import Vectors

    Floats = npt.NDArray[np.float64]

COHESION = 0.8
"""A default, measured: two pieces attract each other when their similarity is above this share of the mean."""


def best_cuts(
    vectors: Vectors, first: Sequence[int], last: Sequence[int], gains: Sequence[float], size: int
) -> list[tuple[int, int]]:
    """The segments (begin, stop) of pieces whose worth adds up to the most, in order, none left out.

    Piece i has the unit vector vectors[i] and the tokens first[i] to last[i]; a segment holds at most `size` of them,
    or one piece. It is worth the sum over its pairs of pieces of their similarity, less `COHESION` times the mean over
    all pairs that could share a segment, and gains[begin]. Takes time in the number of pieces times that of pieces in
    a segment. When two ways are worth the same, the one with longer segments at the end is taken.
    """
    lows = [min(bisect_left(first, end - size), index) for index, end in enumerate(last)]
    sums = _pair_sums(vectors, lows)
    pairs = sum((index - low) * (index - low + 1) // 2 for index, low in enumerate(lows))
    typical = COHESION * sum(float(row[0]) for row in sums) / pairs if pairs else 0.0
    return _segments(lows, sums, gains, typical)


def _pair_sums(vectors: Vectors, lows: Sequence[int]) -> list[Floats]:
    """For each piece i, the sums of the similarities of all pairs in the segments [j, i] for j from lows[i] to i.

    They follow from the lengths of sums of vectors: |a + b|² = |a|² + |b|² + 2ab.
    """
    import numpy as np

    exact = vectors.astype(np.float64)
    lengths = np.einsum("ij,ij->i", exact, exact)
    before = np.vstack([np.zeros((1, exact.shape[1])), np.cumsum(exact, axis=0)])
    own = np.concatenate([[0.0], np.cumsum(lengths)])
    sums = []
    for index, low in enumerate(lows):
        total = before[index + 1] - before[low : index + 1]
        sums.append((np.einsum("ij,ij->i", total, total) - (own[index + 1] - own[low : index + 1])) / 2)
    return sums


def _segments(
    lows: Sequence[int], sums: Sequence[Floats], gains: Sequence[float], typical: float
) -> list[tuple[int, int]]:
    import numpy as np

    best = np.zeros(len(lows) + 1)
    begins = [0] * len(lows)
    gain = np.asarray(gains, np.float64)
    for index, low in enumerate(lows):
        size = np.arange(index - low + 1, 0, -1)
        worth = sums[index] - typical * size * (size - 1) / 2 + gain[low : index + 1] + best[low : index + 1]
        chosen = int(np.argmax(worth))
        best[index + 1], begins[index] = worth[chosen], low + chosen
    found: list[tuple[int, int]] = []
    stop = len(lows)
    while stop:
        found.append((begins[stop - 1], stop))
        stop = begins[stop - 1]
    return found[::-1]
