"""What the best hits say about each other: a fused ranking put in order again by its own neighbourhoods.

Closely associated passages tend to be relevant to the same requests (van Rijsbergen's cluster hypothesis, 1979), so a
hit gains when hits like it stand high: score regularisation (Diaz, "Regularizing query-based retrieval scores",
Information Retrieval 10, 2007), here one step of it over the first hits alone. docs/fusion.md has what it gains, and
what pseudo-relevance feedback with a second search did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rag.index.store import Ranking, Store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rag.index.store import Vector

    Floats = npt.NDArray[np.float64]

DEPTH = 50
POWER = 4


class Feedback(Protocol):
    """Puts a fused ranking into a better order with what its own first hits say."""

    @property
    def name(self) -> str:
        """How `retrieval.feedback` names it."""
        ...

    async def refine(self, store: Store, ranking: Ranking) -> Ranking:
        """The same points, best first; `store` is where they were found. Raises `StateError` from storage."""
        ...


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Adds to each of the first `depth` hits `weight` times the mean score of those around it, both in standard
    deviations; a neighbour counts with the `power` of its cosine.

    Hits behind the first `depth` stay where they are; hits that the store no longer holds neither gain nor lose. Scores
    are the fused ones, given out again in the new order, so that they stay comparable with the rest.
    """

    weight: float
    depth: int = DEPTH
    power: float = POWER
    name: str = "neighbours"

    async def refine(self, store: Store, ranking: Ranking) -> Ranking:
        """See `Feedback`. Reads `depth` vectors."""
        first = ranking[: self.depth]
        if self.weight == 0 or len(first) < 3:
            return ranking
        return self.refined(ranking, {p.id: p.vector for p in await store.get([id_ for id_, _ in first])})

    def refined(self, ranking: Ranking, vectors: Mapping[str, Vector]) -> Ranking:
        """The ranking in its new order; `vectors`, of unit length, by id."""
        import numpy as np

        first = ranking[: self.depth]
        known = [row for row, (id_, _) in enumerate(first) if id_ in vectors]
        if len(known) < 3:  # each of two has but the other
            return ranking
        scores = np.array([score for _, score in first])
        around = np.zeros(len(first))
        around[known] = _standard(self.around(scores[known], np.stack([vectors[first[row][0]] for row in known])))
        order = np.argsort(-(_standard(scores) + self.weight * around), kind="stable")
        new = [(first[place][0], score) for place, (_, score) in zip(order.tolist(), first, strict=True)]
        return new + ranking[self.depth :]

    def around(self, scores: Floats, vectors: npt.NDArray[np.float32]) -> Floats:
        """float64[n]: the mean of the others' scores above the least, weighted by likeness; 0 without any likeness."""
        import numpy as np

        likeness = np.maximum(vectors @ vectors.T, 0).astype(np.float64) ** self.power
        np.fill_diagonal(likeness, 0)
        total = likeness.sum(axis=1)
        mean: Floats = np.divide(likeness @ (scores - scores.min()), total, out=np.zeros(len(scores)), where=total > 0)
        return mean


def _standard(values: Floats) -> Floats:
    deviation = values.std()
    return (values - values.mean()) / deviation if deviation > 0 else values * 0
