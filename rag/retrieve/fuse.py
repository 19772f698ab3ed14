"""Puts ranked lists of the same question together into one. Pure functions on (id, score) pairs, best first.

`rrf` is reciprocal rank fusion (Cormack, Clarke & Büttcher, SIGIR 2009), which needs no scores; `weighted` is the
convex combination of normalised scores (Bruch, Gai & Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval",
2022), which keeps how *much* better one hit is than the next. With a weak embedder RRF can end up below BM25 alone;
`benchmarks/embedders.py` measures both.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Literal

from plumbline.errors import InputError

Ranking = Sequence[tuple[str, float]]
"""(id, score) pairs, best first, each id once."""

Normalise = Literal["minmax", "max"]
DENSE_FLOOR = -1.0  # the least a cosine can be; BM25's least is 0


def rrf(rankings: Sequence[Ranking], k: float = 60, weights: Sequence[float] | None = None) -> list[tuple[str, float]]:
    """Score each id by the sum over the lists of weight / (k + rank), ranks from 1; a list without the id adds nothing.

    Equal scores keep the order of first appearance, reading the lists one after the other. Raises `InputError` when
    `weights` does not give one number >= 0 per list or `k` is negative.
    """
    weights = _checked_weights("RRF", rankings, weights)
    if not k >= 0:
        raise InputError(f"RRF needs k >= 0; {k} was given.")
    fused: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, (id_, _) in enumerate(ranking, 1):
            fused[id_] = fused.get(id_, 0.0) + weight / (k + rank)
    return _sorted(fused)


def weighted(
    dense: Ranking, lexical: Ranking, dense_weight: float, normalise: Normalise = "minmax"
) -> list[tuple[str, float]]:
    """Score each id by dense_weight * dense + (1 - dense_weight) * lexical, both brought to [0, 1]; missing counts 0.

    "minmax" maps the list's lowest score to 0 and its highest to 1; "max" maps the lowest score there could be (-1 for
    a cosine, 0 for BM25) to 0 instead, so that a list of near-equal scores is not blown up. A list whose scores are
    all equal maps to 1. Equal scores keep the order of first appearance, lexical hits first. Raises `InputError` when
    `dense_weight` is not in [0, 1].
    """
    if not 0 <= dense_weight <= 1:
        raise InputError(f"dense_weight must be in [0, 1]; {dense_weight} was given.")
    fused: dict[str, float] = {}
    for ranking, weight, floor in ((lexical, 1 - dense_weight, 0.0), (dense, dense_weight, DENSE_FLOOR)):
        for (id_, _), score in zip(ranking, _normalised(ranking, floor if normalise == "max" else None), strict=True):
            fused[id_] = fused.get(id_, 0.0) + weight * score
    return _sorted(fused)


def dbsf(rankings: Sequence[Ranking], weights: Sequence[float] | None = None) -> list[tuple[str, float]]:
    """Score each id by the sum over the lists of weight * its score, brought to [0, 1] by the list's own distribution.

    Distribution-based score fusion as Qdrant defines it: the mean minus 3 standard deviations (of the sample) maps to
    0, the mean plus 3 to 1; what lies outside is not cut. A list whose scores are all equal, or that has one, maps to
    .5. Missing counts 0. Equal scores keep the order of first appearance. Raises `InputError` as `rrf` does.
    """
    weights = _checked_weights("DBSF", rankings, weights)
    fused: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for (id_, _), score in zip(ranking, _three_deviations([score for _, score in ranking]), strict=True):
            fused[id_] = fused.get(id_, 0.0) + weight * score
    return _sorted(fused)


def _three_deviations(scores: Sequence[float]) -> list[float]:
    if len(scores) < 2:
        return [0.5] * len(scores)
    mean = fmean(scores)
    reach = 3 * stdev(scores, mean)
    return [(score - mean + reach) / (2 * reach) if reach > 0 else 0.5 for score in scores]


def _checked_weights(what: str, rankings: Sequence[Ranking], weights: Sequence[float] | None) -> Sequence[float]:
    weights = [1.0] * len(rankings) if weights is None else weights
    if len(weights) != len(rankings) or any(not weight >= 0 for weight in weights):
        raise InputError(f"{what} needs one weight >= 0 for each of {len(rankings)} lists; {list(weights)} were given.")
    return weights


def default_dense_weight(embedder: str) -> float:
    """The measured `dense_weight` for `weighted` with "minmax" and 100 candidates a side; a default, not a guarantee.

    `embedder` is its name. Static vectors are a weak second opinion on BM25 (0.15; best at 0.10 to 0.25 on four sets),
    a small transformer is nearly an equal (0.45; best at 0.40 to 0.60). `benchmarks/embedders.py` prints the curves.
    """
    return 0.15 if embedder.startswith("embedded/") else 0.45


def _normalised(ranking: Ranking, floor: float | None) -> list[float]:
    if not ranking:
        return []
    scores = [score for _, score in ranking]
    low = min(scores) if floor is None else floor
    reach = max(scores) - low
    return [(score - low) / reach for score in scores] if reach > 0 else [1.0] * len(scores)


def _sorted(fused: dict[str, float]) -> list[tuple[str, float]]:
    """Best first; Python's sort is stable and a dict remembers its order, so ties are decided by appearance."""
    return sorted(fused.items(), key=lambda item: -item[1])
