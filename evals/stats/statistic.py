"""Bootstrap intervals of whatever can be computed from rows with weights: F1, a correlation, Cohen's kappa."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from evals.stats.bca import bca_bounds
from evals.stats.bootstrap import RESAMPLES, Clusters
from evals.stats.columns import (
    Floats,
    Indices,
    Numbers,
    check_choice,
    check_resamples,
    cluster_codes,
    columns_of_one_length,
)
from evals.stats.units import CHUNK
from evals.stats.values import Interval
from plumbline.errors import InputError

DELETIONS = 1_000
"""Of more units than this the jackknife leaves out random blocks instead of each: it finds the same skewness."""

StatisticMethod = Literal["bca-t", "bca"]

Statistic = Callable[..., NDArray[np.floating]]
"""(weights float[r, n], *columns float[n]) -> float[r]: of r samples, each holding row i as often as weights[:, i]."""


def bootstrap_statistic(
    columns: Sequence[Numbers],
    statistic: Statistic,
    *,
    clusters: Clusters | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: StatisticMethod = "bca-t",
) -> Interval:
    """The interval of `statistic(weights, *columns)`, where each of `columns` is float[n].

    The statistic is written for many samples at once: `weights`, float[r, n], says how often each row stands in each of
    them, and the r values are returned. A mean is `weights @ x / weights.sum(axis=1)`. Samples of which it is NaN are
    left out. Memory stays bounded by chunks of samples. Methods as in `evals.stats.bootstrap`; its docstring also says
    what an interval "constant" or of "one unit" is. Raises `InputError` for no columns, columns of different lengths,
    NaN in them, and a statistic that returns another shape or is NaN for the data themselves or half of the samples.
    """
    if not columns:
        raise InputError("A statistic needs at least one column.")
    arrays = columns_of_one_length({f"columns[{i}]": values for i, values in enumerate(columns)})
    n = len(arrays[0])
    check_resamples(resamples, level)
    check_choice(method, get_args(StatisticMethod))
    codes = np.arange(n) if clusters is None else cluster_codes(clusters, n)
    g = int(codes.max()) + 1
    counted = None if clusters is None else g

    def values(unit_weights: Floats) -> Floats:
        found = np.asarray(statistic(unit_weights.take(codes, axis=1), *arrays), dtype=np.float64)
        if found.shape != (len(unit_weights),):
            wanted = (len(unit_weights),)
            raise InputError(f"The statistic must return one value a sample, {wanted}; it returned {found.shape}.")
        return found

    estimate = float(values(np.ones((1, g)))[0])
    if not np.isfinite(estimate):
        raise InputError(f"The statistic of the data themselves is {estimate}.")
    if g == 1:
        return Interval(estimate, -inf, inf, level, n, "one unit", counted)
    generator = np.random.default_rng(seed)
    distribution = _resampled(values, g, n, resamples, generator)
    jackknife = _jackknife(values, g, n, generator)
    if np.ptp(distribution) <= 1e-12 * max(abs(estimate), 1e-300):
        return Interval(estimate, estimate, estimate, level, n, "constant", counted)
    low, high = bca_bounds(estimate, distribution, jackknife, level, widened=method == "bca-t")
    return Interval(estimate, low, high, level, n, method, counted)


def _resampled(
    values: Callable[[Floats], Floats], g: int, n: int, resamples: int, generator: np.random.Generator
) -> Floats:
    rows = max(1, CHUNK // max(n, g))
    found = []
    for start in range(0, resamples, rows):
        r = min(rows, resamples - start)
        drawn: Indices = generator.integers(0, g, (r, g)) + g * np.arange(r)[:, None]
        found.append(values(np.bincount(drawn.ravel(), minlength=r * g).reshape(r, g).astype(np.float64)))
    distribution = np.concatenate(found)
    kept = distribution[~np.isnan(distribution)]
    if len(kept) < resamples / 2:
        raise InputError(
            f"The statistic is NaN for {resamples - len(kept)} of {resamples} samples; there is no interval."
        )
    return kept


def _jackknife(values: Callable[[Floats], Floats], g: int, n: int, generator: np.random.Generator) -> Floats:
    """The statistic without each unit, or without each of `DELETIONS` random blocks of them."""
    deletions = min(g, DELETIONS)
    block = generator.permutation(g) % deletions if g > deletions else np.arange(g)
    rows = max(1, CHUNK // max(n, g))
    left = np.arange(deletions)
    found = [
        values((left[start : start + rows, None] != block).astype(np.float64)) for start in range(0, deletions, rows)
    ]
    jackknife = np.concatenate(found)
    return jackknife[np.isfinite(jackknife)]
