"""Fits a fusion on labelled questions and certifies it on others: what `rag fit fusion` computes.

A third of the questions fits the weights, the others, which nothing was fitted on, decide what is used: two weights
need few, a certificate needs many (docs/fusion.md). Questions of one cluster are never divided. The guarantee, exactly:
if the questions (clusters) are drawn independently from what will be asked, the probability that a certified way's true
mean is more than `margin` below that of the better of lexical and dense search is at most `delta`, as far as the
bootstrap's intervals hold what they say (docs/statistics.md has their measured coverage). Each of the two ways may err
with delta / 2, so both may be tested and the first that passes be used. A way must pass against both halves; no
correction is due for that, as it is only certified when both tests agree (Berger 1982).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from evals.stats import Interval, bootstrap_mean, paired_difference
from plumbline.errors import InputError
from rag.index.store import Found, Ranking
from rag.retrieve.fuse import filled, one_after_the_other, weighted
from rag.retrieve.learned import Certificate, Comparison, Way, neighbours, weighed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from rag.index.store import Vector
    from rag.retrieve.learn import Judged

    Floats = npt.NDArray[np.float64]

FEWEST = 50
"""Questions with something relevant among their candidates; below that those held out show next to nothing."""

PENALTY = 0.03
SHARPNESS = 2.0  # of the prior: how much of a deviation is worth e times the odds; fitted ones were 1.4 to 2.1
NEIGHBOURS = (0.0, 0.1, 0.2, 0.3, 0.4)
FOLDS = 5
SHARE = 3
"""One question in so many is fitted on."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A labelled question with what both sides found, in a complete search.

    `gains` of points are above 0, others are not relevant. `score` is the metric of a ranking, `cluster` names what is
    drawn together.
    """

    found: Found
    gains: Mapping[str, float]
    score: Callable[[Ranking], float]
    cluster: str


@dataclass(frozen=True, slots=True)
class Weights:
    """What is fitted: a weight by feature, and the weight of a hit's neighbours."""

    features: Mapping[str, float]
    neighbours: float


@dataclass(frozen=True, slots=True)
class Learning:
    """How questions are learned from: by vectors of the points found, beside the `dense_weight` of the default, which
    `penalty` pulls to."""

    vectors: Mapping[str, Vector]
    dense_weight: float
    penalty: float = PENALTY

    def fit(self, asked: Sequence[Asked]) -> Weights:
        """The weights for these questions; raises `InputError` when too few of them can teach anything."""
        from rag.retrieve.features import NAMES
        from rag.retrieve.learn import fit

        judged = [self.judged(each) for each in asked]
        fitted = fit(judged, self.prior(), self.penalty)
        by_name = dict(zip(NAMES, fitted.tolist(), strict=True))
        tried = [Weights(by_name, weight) for weight in NEIGHBOURS]
        means = [sum(each.score(self.ranking("learned", each.found, weights)) for each in asked) for weights in tried]
        return tried[means.index(max(means))]

    def judged(self, asked: Asked) -> Judged:
        """The question as it is learned from."""
        import numpy as np

        from rag.retrieve.features import candidates, features
        from rag.retrieve.learn import Judged

        gains = np.array([asked.gains.get(id_, 0.0) for id_ in candidates(_filled(asked.found))])
        return Judged(features(_filled(asked.found)), gains)

    def prior(self) -> Floats:
        """The weights of the default fusion, which few labels change little."""
        import numpy as np

        return SHARPNESS * np.array([1 - self.dense_weight, self.dense_weight])

    def ranking(self, way: Way, found: Found, weights: Weights) -> Ranking:
        """What a way makes of what was found."""
        if way == "lexical":
            return one_after_the_other(found.lexical, found.dense)
        if way == "dense":
            return one_after_the_other(found.dense, found.lexical)
        found = _filled(found)
        if way == "weighted":
            return weighted(found.dense, found.lexical, self.dense_weight)
        ranking = weighed(found, weights.features)
        feedback = neighbours(weights.neighbours)
        return ranking if feedback is None else feedback.refined(ranking, self.vectors)

    def values(self, asked: Sequence[Asked], weights: Weights) -> dict[Way, list[float]]:
        """The metric of each question by each way."""
        return {way: [each.score(self.ranking(way, each.found, weights)) for each in asked] for way in get_args(Way)}

    def cross_validated(self, asked: Sequence[Asked], seed: int) -> list[float]:
        """The metric of each question, fused by what the questions of all other folds taught."""
        part = parts([each.cluster for each in asked], FOLDS, seed)
        values = [0.0] * len(asked)
        for number in range(FOLDS):
            weights = self.fit([each for each, own in zip(asked, part, strict=True) if own != number])
            for place, own in enumerate(part):
                if own == number:
                    found = asked[place].found
                    values[place] = asked[place].score(self.ranking("learned", found, weights))
        return values


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of it: weights from `fitted_on` questions, and the fusion's metric over all, each held out once."""

    weights: Weights
    fitted_on: int
    certificate: Certificate
    cross_validated: Interval


def learn(learning: Learning, asked: Sequence[Asked], metric: str, delta: float, margin: float, seed: int) -> Learned:
    """Fit on a third, certify on the others. Raises `InputError` for too few questions to learn from."""
    fitting, held_out = divided(asked, seed)
    weights = learning.fit(fitting)
    fitted = learning.values(fitting, weights)
    certificate = certify(
        learning.values(held_out, weights),
        [each.cluster for each in held_out],
        fallback="dense" if sum(fitted["dense"]) > sum(fitted["lexical"]) else "lexical",
        metric=metric,
        delta=delta,
        margin=margin,
        seed=seed,
    )
    values = learning.cross_validated(asked, seed)
    labels = _labels([each.cluster for each in asked])
    overall = bootstrap_mean(values, clusters=labels, seed=seed, bounds=(0.0, 1.0))
    return Learned(weights, len(fitting), certificate, overall)


def divided(asked: Sequence[Asked], seed: int) -> tuple[list[Asked], list[Asked]]:
    """Those to fit on, about one in `SHARE`, and those to certify on; raises `InputError` for too few."""
    teaching = sum(any(gain > 0 for gain in each.gains.values()) for each in asked)
    if teaching < FEWEST:
        raise InputError(
            f"Only {teaching} of the {len(asked)} labelled questions have something relevant among what is found; "
            f"{FEWEST} are needed to fit a fusion, and a few hundred to certify one.",
            hint="Label more questions, or keep retrieval.fusion: weighted, which needs none.",
        )
    part = parts([each.cluster for each in asked], SHARE, seed)
    split: tuple[list[Asked], list[Asked]] = ([], [])
    for each, own in zip(asked, part, strict=True):
        split[min(own, 1)].append(each)
    if not all(split):
        raise InputError(
            "All labelled questions belong to one group, so that none are independent of those that are fitted on.",
            hint="Label questions about more documents.",
        )
    return split


def parts(clusters: Sequence[str], count: int, seed: int) -> list[int]:
    """For each row which of `count` parts it belongs to; a cluster is never divided."""
    import numpy as np

    names = sorted(set(clusters))
    order = np.random.default_rng(seed).permutation(len(names)).tolist()
    part = {name: place % count for name, place in zip(names, order, strict=True)}
    return [part[name] for name in clusters]


def certify(
    values: Mapping[Way, Sequence[float]],
    clusters: Sequence[str],
    *,
    fallback: Way,
    metric: str,
    delta: float,
    margin: float,
    seed: int,
) -> Certificate:
    """Which way to use, by its held-out `values`; `fallback` is the better half of the questions fitted on."""
    comparisons: list[Comparison] = []
    use: Way = fallback
    certified = False
    for way in ("learned", "weighted"):
        found = [_compared(values, way, half, clusters, delta, seed) for half in ("lexical", "dense")]
        comparisons += found
        if not certified and all(each.difference >= 0 and each.low >= -margin for each in found):
            use, certified = way, True
    return Certificate(
        use=use,
        certified=certified,
        metric=metric,
        questions=len(clusters),
        delta=delta,
        margin=margin,
        values={way: sum(column) / len(column) for way, column in values.items()},
        comparisons=tuple(comparisons),
    )


def _compared(
    values: Mapping[Way, Sequence[float]], way: Way, half: Way, clusters: Sequence[str], delta: float, seed: int
) -> Comparison:
    """One-sided at delta / 2, which is the lower end of a two-sided interval at 1 - delta."""
    interval = paired_difference(values[way], values[half], clusters=_labels(clusters), level=1 - delta, seed=seed)
    return Comparison(way=way, against=half, difference=float(interval.estimate), low=max(float(interval.low), -1.0))


def _filled(found: Found) -> Found:
    return Found(found.dense, filled(found.dense, found.lexical))


def _labels(clusters: Sequence[str]) -> list[str] | None:
    """The clusters, or `None` where each row stands alone."""
    return list(clusters) if len(set(clusters)) < len(clusters) else None
