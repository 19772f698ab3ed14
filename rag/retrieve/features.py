"""What a fusion reads of the two rankings: one row of numbers per candidate. Imports numpy; import it lazily."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rag.index.store import Found, Ranking

Floats = npt.NDArray[np.float64]

NAMES = ("lexical", "dense")


def candidates(found: Found) -> list[str]:
    """Every id of both sides once, lexical hits first: the rows of `features`."""
    return list(dict.fromkeys(id_ for ranking in (found.lexical, found.dense) for id_, _ in ranking))


def features(found: Found, depth: int) -> Floats:
    """float64[n, 2], a row for each of `candidates`, a column for each of `NAMES`.

    A side's score stands in standard deviations from the mean of its first `depth`, and what the side did not find
    counts as the least of those; where all its scores are equal what it found counts 1 and the rest 0. Ranks, products,
    lengths of questions and how far the best hit leads were tried, too, and added nothing (docs/fusion.md).
    """
    ids = candidates(found)
    place = {id_: row for row, id_ in enumerate(ids)}
    columns = np.zeros((len(ids), len(NAMES)))
    for side, ranking in enumerate((found.lexical, found.dense)):
        rows = [place[id_] for id_, _ in ranking]
        standard, least = _standard(ranking, depth)
        columns[:, side] = least
        columns[rows, side] = standard
    return columns


def _standard(ranking: Ranking, depth: int) -> tuple[Floats, float]:
    """`rag.retrieve.fuse.standardised`, by the mean and the deviation of a ranking's first `depth`."""
    scores = np.array([score for _, score in ranking], np.float64)
    first = scores[:depth]
    if len(first) == 0 or first.min() == first.max():
        return np.ones(len(scores)), 0.0
    deviation = first.std()
    standard = (scores - first.mean()) / deviation
    return standard, float(standard[: len(first)].min())
