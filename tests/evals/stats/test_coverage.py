"""A small version of benchmarks/coverage.py: how often intervals hold the truth, with fixed seeds."""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import Any

import numpy as np
import pytest

from evals.stats import Interval, bootstrap_mean, bootstrap_ratio, bootstrap_statistic, paired_difference

stats = pytest.importorskip("scipy.stats")

RUNS = 1000  # the standard error of a coverage of 95 % is 0.7 %
Experiment = Callable[[np.random.Generator], Interval]


def missed(experiment: Experiment, truth: float) -> tuple[float, float]:
    """How often the interval lies above the truth, and below."""
    generator = np.random.default_rng(20)
    above = below = 0
    for _ in range(RUNS):
        interval = experiment(generator)
        above += interval.low > truth + 1e-12
        below += interval.high < truth - 1e-12
    return above / RUNS, below / RUNS


def coverage(experiment: Experiment, truth: float) -> float:
    return 1 - sum(missed(experiment, truth))


def clustered(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    sources = np.repeat(np.arange(20), generator.geometric(0.2, 20))
    own = generator.normal(size=len(sources))
    return 0.3**0.5 * generator.normal(size=20)[sources] + 0.7**0.5 * own, sources


def test_clusters() -> None:
    def ours(generator: np.random.Generator) -> Interval:
        values, sources = clustered(generator)
        return bootstrap_mean(values, clusters=sources, resamples=199)

    def naive(generator: np.random.Generator) -> Interval:
        return bootstrap_mean(clustered(generator)[0], resamples=199)

    assert coverage(ours, 0) == pytest.approx(0.955, abs=0.015)
    assert coverage(naive, 0) < 0.8


def test_skewed_values() -> None:
    """Where Student's t covers 91 %."""

    def ours(generator: np.random.Generator) -> Interval:
        return bootstrap_mean(generator.exponential(size=20), resamples=199)

    def student(generator: np.random.Generator) -> Interval:
        values = generator.exponential(size=20)
        ends = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        return Interval(values.mean(), ends[0], ends[1], 0.95, 20, "student")

    assert coverage(ours, 1) == pytest.approx(0.945, abs=0.013)
    assert coverage(student, 1) < 0.925


def test_bca_misses_on_both_sides_and_widened_is_near_the_level() -> None:
    """Percentiles alone would miss a skewed mean four times as often on one side, BCa not widened 9 % in all."""

    def mean(weights: np.ndarray, values: np.ndarray) -> Any:
        return weights @ values / weights.sum(axis=1)

    def ours(generator: np.random.Generator) -> Interval:
        return bootstrap_statistic([generator.exponential(size=20)], mean, resamples=199)

    def plain(generator: np.random.Generator) -> Interval:
        return bootstrap_statistic([generator.exponential(size=20)], mean, resamples=199, method="bca")

    above, below = missed(ours, 1)
    assert above + below == pytest.approx(0.065, abs=0.015)
    assert below < 3 * above
    assert sum(missed(plain, 1)) > above + below + 0.01


def test_right_or_wrong() -> None:
    assert coverage(lambda generator: bootstrap_mean(generator.random(20) < 0.9), 0.9) > 0.93


def test_right_or_wrong_in_clusters() -> None:
    def ours(generator: np.random.Generator) -> Interval:
        sources = np.repeat(np.arange(30), generator.geometric(0.2, 30))
        share = generator.beta(0.9 * 7 / 3, 0.1 * 7 / 3, 30)[sources]
        return bootstrap_mean(generator.random(len(sources)) < share, clusters=sources, resamples=199)

    assert coverage(ours, 0.9) == pytest.approx(0.955, abs=0.02)


def test_paired_values_that_mostly_agree() -> None:
    def ours(generator: np.random.Generator) -> Interval:
        first = generator.random(30)
        return paired_difference(
            first, np.where(generator.random(30) < 0.6, first, generator.random(30)), resamples=199
        )

    assert coverage(ours, 0) == pytest.approx(0.95, abs=0.015)


def test_costs_per_right_answer() -> None:
    def ours(generator: np.random.Generator) -> Interval:
        return bootstrap_ratio(generator.lognormal(0, 0.7, 30), generator.random(30) < 0.7, resamples=199)

    assert coverage(ours, exp(0.245) / 0.7) == pytest.approx(0.95, abs=0.015)
