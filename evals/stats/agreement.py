"""How far two raters agree beyond chance: a judge with people, or people with each other."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np

from evals.stats.bootstrap import RESAMPLES, Clusters
from evals.stats.columns import Floats, cluster_codes, same_length
from evals.stats.score import normal_quantile, wilson_bounds
from evals.stats.statistic import bootstrap_statistic
from evals.stats.values import Interval
from plumbline.errors import InputError


def kappa(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    *,
    clusters: Clusters | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Cohen's kappa of two raters' labels for the same n items ("A Coefficient of Agreement for Nominal Scales", 1960).

    1 is full agreement, 0 what chance would bring. The interval is BCa; it needs no widening here. Where they agree on
    every item, resampling sees no doubt, and the lower bound comes from Wilson's for the share of agreement, chance
    agreement being what it is ("score"; a cluster counts as one item). Raises `InputError` for no items, different
    lengths, and when all labels of both are the same one: kappa is then undefined.
    """
    same_length({"first": len(first), "second": len(second)})
    if not len(first):
        raise InputError("There are no labels to compare.")
    codes = cluster_codes([*first, *second], 2 * len(first))
    kinds = int(codes.max()) + 1
    if kinds == 1:
        raise InputError("Both raters gave one and the same label throughout: kappa is undefined.")
    one, two = np.eye(kinds)[codes[: len(first)]], np.eye(kinds)[codes[len(first) :]]
    both = np.concatenate([one, two, (one * two).sum(axis=1, keepdims=True)], axis=1)

    def statistic(weights: Floats, *_: Floats) -> Floats:
        shares = weights @ both / weights.sum(axis=1, keepdims=True)
        chance = np.einsum("rk,rk->r", shares[:, :kinds], shares[:, kinds : 2 * kinds])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(chance < 1, (shares[:, -1] - chance) / (1 - chance), np.nan)

    agreed = both[:, -1]
    interval = bootstrap_statistic(
        [agreed], statistic, clusters=clusters, level=level, resamples=resamples, seed=seed, method="bca"
    )
    if not agreed.all():
        return interval
    chance = float(one.mean(axis=0) @ two.mean(axis=0))
    low, _ = wilson_bounds(1.0, interval.clusters or interval.n, normal_quantile(level))
    return replace(interval, low=(low - chance) / (1 - chance), high=1.0, method="score")
