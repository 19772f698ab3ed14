"""Maximal marginal relevance: what is read should be relevant and should not say the same thing twice.

Carbonell & Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries"
(SIGIR 1998).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from plumbline.errors import InputError
from plumbline.text.terms import terms

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

Similarity = Callable[[int, int], float]
"""How alike two items are, by their places: 0 nothing in common, 1 the same."""

SAME_TERMS = 0.8
"""Texts that share so much of their terms say the same (Jaccard); a default."""
SAME_VECTORS = 0.97
"""Texts whose vectors have such a cosine say the same; a default."""


def mmr(relevance: Sequence[float], similarity: Similarity, novelty: float, *, same: float) -> list[int]:
    """The places of the items in their new order: each time the one with the best
    (1 - novelty) * relevance - novelty * (similarity to the most similar one before it).

    Relevance is scaled to [0, 1] over the items. An item at least `same` like one before it comes after all that are
    not, so that two that say the same are read together only where there is nothing else. `novelty` 0 leaves the order
    by relevance; ties keep the order given. Raises `InputError` for a `novelty` outside [0, 1].
    """
    if not 0 <= novelty <= 1:
        raise InputError(f"novelty must be in [0, 1]; {novelty} was given.")
    left = sorted(range(len(relevance)), key=lambda place: -relevance[place])
    if novelty == 0 or len(left) < 2:
        return left
    low, high = min(relevance), max(relevance)
    scaled = [(value - low) / (high - low) if high > low else 1.0 for value in relevance]
    order: list[int] = []
    nearest = dict.fromkeys(left, 0.0)
    while left:
        best = max(left, key=lambda i: (nearest[i] < same, (1 - novelty) * scaled[i] - novelty * nearest[i]))
        left.remove(best)
        order.append(best)
        for place in left:
            nearest[place] = max(nearest[place], similarity(best, place))
    return order


def by_terms(texts: Sequence[str]) -> Similarity:
    """Similarity by the share of terms in common (Jaccard); texts without terms are like nothing."""
    bags = [frozenset(terms(text)) for text in texts]

    def similarity(first: int, second: int) -> float:
        together = len(bags[first] | bags[second])
        return len(bags[first] & bags[second]) / together if together else 0.0

    return similarity


def by_vectors(vectors: Vectors) -> Similarity:
    """Similarity by the cosine of vectors of unit length, float32[n, dim]; opposite directions count 0."""
    cosines = vectors @ vectors.T
    return lambda first, second: max(float(cosines[first, second]), 0.0)
