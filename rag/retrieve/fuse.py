"""Puts ranked lists of the same question together into one. Pure functions on (id, score) pairs, best first.

`rrf` is reciprocal rank fusion (Cormack, Clarke & Büttcher, SIGIR 2009), which needs no scores; `weighted` is the
convex combination of normalised scores (Bruch, Gai & Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval",
2022), which keeps how *much* better one hit is than the next; `dbsf` is Qdrant's way to put scores on one scale. With
a weak embedder RRF can end up below BM25 alone; `benchmarks/fusion.py` measures all of them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from operator import itemgetter
from statistics import fmean
from typing import Literal, NamedTuple

from plumbline.errors import InputError

Ranking = Sequence[tuple[str, float]]
"""(id, score) pairs, best first, each id once."""

Normalise = Literal["deviations", "minmax", "max"]
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
    dense: Ranking, lexical: Ranking, dense_weight: float, normalise: Normalise = "deviations"
) -> list[tuple[str, float]]:
    """Score each id by dense_weight * dense + (1 - dense_weight) * lexical, both on one scale.

    "deviations" counts a list's scores in standard deviations from their mean, and what the list lacks as its lowest.
    "minmax" maps its lowest to 0 and its highest to 1; "max" maps the lowest there could be (-1 for a cosine, 0 for
    BM25) to 0 instead, so that a list of near-equal scores is not blown up; for both, what the list lacks counts 0.
    A list whose scores are all equal maps to 1, and what it lacks to 0. Equal scores keep the order of first
    appearance, lexical hits first. Raises `InputError` when `dense_weight` is not in [0, 1].
    """
    if not 0 <= dense_weight <= 1:
        raise InputError(f"dense_weight must be in [0, 1]; {dense_weight} was given.")
    words, meaning = dict(lexical), dict(dense)
    said = _scale(words.values(), normalise, 0.0)
    meant = _scale(meaning.values(), normalise, DENSE_FLOOR)
    rest = 1 - dense_weight
    if words.keys() == meaning.keys() and said.reach and meant.reach:  # the usual case, without a call for each
        (low, reach, _), (floor, range_, _) = said, meant
        return _sorted(
            {
                id_: rest * ((score - low) / reach) + dense_weight * ((meaning[id_] - floor) / range_)
                for id_, score in words.items()
            }
        )
    return _sorted(
        {id_: rest * said.of(words.get(id_)) + dense_weight * meant.of(meaning.get(id_)) for id_ in words | meaning}
    )


class _Scale(NamedTuple):
    """Scores on a common scale: (score - low) / reach, 1 where all are equal (`reach` 0), `missing` where one lacks."""

    low: float
    reach: float
    missing: float

    def of(self, score: float | None) -> float:
        """One score on it."""
        if score is None:
            return self.missing
        return (score - self.low) / self.reach if self.reach else 1.0


def _scale(scores: Collection[float], normalise: Normalise, floor: float) -> _Scale:
    """The scale on which `weighted` adds scores up."""
    if not scores:
        return _Scale(0.0, 0.0, 0.0)
    if normalise == "deviations":
        mean, deviation = _spread(list(scores), len(scores))
        return _Scale(mean, deviation, (min(scores) - mean) / deviation if deviation > 0 else 0.0)
    low = floor if normalise == "max" else min(scores)
    return _Scale(low, max(max(scores) - low, 0.0), 0.0)


def filled(dense: Ranking, lexical: Ranking) -> list[tuple[str, float]]:
    """The lexical list of a complete search (`rag.index.store.Search`), which lacks what holds no word of the query:
    that scores 0, behind the others."""
    held = {id_ for id_, _ in lexical}
    return [*lexical, *((id_, 0.0) for id_, _ in dense if id_ not in held)]


def standardised(scores: Sequence[float]) -> tuple[list[float], float]:
    """Scores in standard deviations from their mean, and what an id without a score counts: the lowest of them.

    Scores that are all equal count 1, and what is missing then counts 0.
    """
    scale = _scale(scores, "deviations", 0.0)
    return [scale.of(score) for score in scores], scale.missing


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
    mean, deviation = _spread(scores, len(scores) - 1)
    reach = 3 * deviation
    return [(score - mean + reach) / (2 * reach) if reach > 0 else 0.5 for score in scores]


def _spread(scores: Sequence[float], freedom: int) -> tuple[float, float]:
    """Mean and standard deviation; that of equal scores is 0, whatever their mean is rounded to."""
    if min(scores) == max(scores):
        return scores[0], 0.0
    mean = fmean(scores)  # `statistics.stdev` is exact, and 20 times as slow
    return mean, math.dist(scores, [mean] * len(scores)) / math.sqrt(freedom)


def _checked_weights(what: str, rankings: Sequence[Ranking], weights: Sequence[float] | None) -> Sequence[float]:
    weights = [1.0] * len(rankings) if weights is None else weights
    if len(weights) != len(rankings) or any(not weight >= 0 for weight in weights):
        raise InputError(f"{what} needs one weight >= 0 for each of {len(rankings)} lists; {list(weights)} were given.")
    return weights


def one_after_the_other(first: Ranking, second: Ranking) -> list[tuple[str, float]]:
    """The first list as it is, then what only the second has, with scores that go on below the first's."""
    seen = {id_ for id_, _ in first}
    rest = [(id_, score) for id_, score in second if id_ not in seen]
    if not first or not rest:
        return [*first, *rest]
    lift = first[-1][1] - rest[0][1]
    return [*first, *((id_, min(score + lift, first[-1][1])) for id_, score in rest)]  # rounding lifts none above


def default_dense_weight(embedder: str) -> float:
    """The measured `dense_weight` for `weighted` with 100 candidates a side; a default, not a guarantee.

    `embedder` is its name. Static vectors are a weak second opinion on BM25 (0.15; best at 0.10 to 0.30 on four sets),
    a small transformer is nearly an equal (0.45; best at 0.35 to 0.55). `benchmarks/fusion.py` prints the curves.
    """
    return 0.15 if embedder.startswith("embedded/") else 0.45


def _sorted(fused: dict[str, float]) -> list[tuple[str, float]]:
    """Best first; Python's sort is stable and a dict remembers its order, so ties are decided by appearance."""
    return sorted(fused.items(), key=itemgetter(1), reverse=True)
