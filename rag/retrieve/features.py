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


def features(found: Found) -> Floats:
    """float64[n, 2], a row for each of `candidates`, a column for each of `NAMES`.

    A side's score stands in standard deviations from the mean of what it scored, and what it did not score counts as
    the least of those; where all its scores are equal what it scored counts 1 and the rest 0. Ranks, products, lengths
    of questions and how far the best hit leads were tried, too, and added nothing (docs/fusion.md).
    """
    ids = candidates(found)
    place = {id_: row for row, id_ in enumerate(ids)}
    columns = np.zeros((len(ids), len(NAMES)))
    for side, ranking in enumerate((found.lexical, found.dense)):
        rows = [place[id_] for id_, _ in ranking]
        standard, least = _standard(ranking)
        columns[:, side] = least
        columns[rows, side] = standard
    return columns


def _standard(ranking: Ranking) -> tuple[Floats, float]:
    """`rag.retrieve.fuse.standardised`, as an array."""
    scores = np.array([score for _, score in ranking], np.float64)
    if len(scores) == 0 or scores.min() == scores.max():
        return np.ones(len(scores)), 0.0
    standard = (scores - scores.mean()) / scores.std()
    return standard, float(standard.min())
