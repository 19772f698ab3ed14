"""Tests of whether two systems differ on the same questions, and the correction for testing many things at once."""

from __future__ import annotations

import numpy as np

from evals.stats.bootstrap import RESAMPLES, Clusters
from evals.stats.columns import Floats, Numbers, cluster_codes, column, columns_of_one_length
from evals.stats.units import CHUNK
from evals.stats.values import TestResult
from plumbline.errors import InputError
from plumbline.extras import require

EXACT_UNITS = 20
"""Up to so many units that differ, all 2**20 signs are tried (8 MB)."""


def mcnemar_exact(first: Numbers, second: Numbers) -> TestResult:
    """Whether two systems are right equally often; `first` and `second` are 0/1 or booleans, [n], of the same rows.

    Only rows where one is right and the other wrong tell anything: under equality either is as likely, so that their
    split is binomial (McNemar, Psychometrika 1947; exactly, Cochran, Biometrika 1950). `statistic` is the smaller of
    the two counts. Rows are taken as independent: with clusters use `paired_permutation`. Raises `InputError` for other
    values, different lengths, no rows.
    """
    one, two = columns_of_one_length({"first": first, "second": second})
    for name, values in (("first", one), ("second", two)):
        if (wrong := np.flatnonzero((values != 0) & (values != 1))).size:
            raise InputError(f"{name}[{wrong[0]}] is {values[wrong[0]]}; McNemar's test is for 0 and 1.")
    gains, losses = int(np.count_nonzero(one > two)), int(np.count_nonzero(one < two))
    fewer = min(gains, losses)
    tail = float(require("scipy.special", "eval").bdtr(fewer, gains + losses, 0.5)) if gains + losses else 1.0
    return TestResult(fewer, min(1.0, 2 * tail), len(one), "exact McNemar")


def paired_permutation(
    first: Numbers,
    second: Numbers,
    *,
    clusters: Clusters | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> TestResult:
    """Whether the mean of `first` - `second`, float[n] each, could be 0 by chance.

    If the systems were interchangeable, each difference could as well have the other sign (Fisher, *The Design of
    Experiments*, 1935, section 21); with `clusters`, those of a cluster all together. `p_value` is the share of sign
    patterns with a mean at least as far from 0. Up to 20 units that differ all patterns are tried; of more, `resamples`
    random ones, and the observed one is counted among them so that p is never 0 (Phipson & Smyth, Statistical
    Applications in Genetics and Molecular Biology 2010). `statistic` is the mean difference. Raises `InputError` as
    `paired_difference` does.
    """
    one, two = columns_of_one_length({"first": first, "second": second})
    if resamples < 1:
        raise InputError(f"resamples must be at least 1; {resamples} was given.")
    differences = one - two
    sums = differences if clusters is None else np.bincount(cluster_codes(clusters, len(one)), differences)
    sizes = np.sort(np.abs(sums[sums != 0]))
    # Patterns that are equal but for rounding are as extreme.
    observed = abs(float(sums.sum())) - 1e-12 * float(sizes.sum())
    if len(sizes) <= EXACT_UNITS:
        p_value, method = float(np.mean(np.abs(_all_patterns(sizes)) >= observed)), "exact sign flips"
    else:
        extreme = _extreme(sizes, observed, resamples, np.random.default_rng(seed))
        p_value, method = (extreme + 1) / (resamples + 1), f"{resamples} sign flips"
    return TestResult(float(differences.mean()), p_value, len(one), method)


def holm(p_values: Numbers) -> list[float]:
    """The p-values adjusted for being several, in the order given: those below alpha are all true with 1 - alpha.

    Step down from the smallest: times the number of those not yet decided (Holm, "A Simple Sequentially Rejective
    Multiple Test Procedure", Scandinavian Journal of Statistics 1979). Holds whatever the dependence between them.
    Raises `InputError` for none, and for one outside of [0, 1].
    """
    given = column(p_values, "p_values")
    if (wrong := np.flatnonzero((given < 0) | (given > 1))).size:
        raise InputError(f"p_values[{wrong[0]}] is {given[wrong[0]]}; a p-value is between 0 and 1.")
    order = np.argsort(given, kind="stable")
    stepped = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    adjusted = np.empty(len(given))
    adjusted[order] = np.minimum(stepped, 1)
    return [float(p) for p in adjusted]


def _all_patterns(sizes: Floats) -> Floats:
    """The sum under every choice of signs, the first kept: the other half mirrors it."""
    sums = np.array([sizes[0] if len(sizes) else 0.0])
    for size in sizes[1:]:
        sums = np.concatenate([sums + size, sums - size])
    return sums


def _extreme(sizes: Floats, observed: float, resamples: int, generator: np.random.Generator) -> int:
    """How many of `resamples` random choices of signs have a sum at least as far from 0 as `observed`."""
    rows = max(1, CHUNK // len(sizes))
    total = float(sizes.sum())
    found = 0
    for start in range(0, resamples, rows):
        positive = generator.integers(0, 2, (min(rows, resamples - start), len(sizes)), dtype=np.int8)
        found += int(np.count_nonzero(np.abs(2 * (positive.astype(np.float64) @ sizes) - total) >= observed))
    return found
