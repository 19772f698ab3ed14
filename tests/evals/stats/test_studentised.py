from __future__ import annotations

import numpy as np
import pytest

from evals.stats.studentised import student_bounds, studentised_bounds
from evals.stats.units import Units

stats = pytest.importorskip("scipy.stats")


def bounds(units: Units, seed: int = 0) -> tuple[float, float]:
    found = studentised_bounds(units, 0.95, 19_999, np.random.default_rng(seed))
    assert found is not None
    return found


def test_of_normal_values_it_is_students_t() -> None:
    values = np.random.default_rng(3).normal(5, 2, 200)
    units = Units.of(values, np.ones(200), None)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert student_bounds(units, 0.95) == pytest.approx(tuple(theirs))
    assert bounds(units) == pytest.approx(tuple(theirs), abs=0.02)


def test_of_skewed_values_the_long_side_is_longer() -> None:
    values = np.random.default_rng(3).lognormal(size=40)
    low, high = bounds(Units.of(values, np.ones(40), None))
    assert high - values.mean() > 1.2 * (values.mean() - low)


def test_a_ratio_is_fiellers() -> None:
    """The bounds solve Fieller's equation: there the studentised mean of the residuals is the resampled quantile."""
    generator = np.random.default_rng(5)
    below = generator.uniform(0, 2, 60)
    above = 3 * below + generator.normal(size=60)
    low, high = bounds(Units.of(above, below, None))

    def studentised(x: float) -> float:
        residuals = above - x * below
        return float(residuals.mean() / (residuals.std(ddof=1) / np.sqrt(60)))

    assert studentised(low) == pytest.approx(stats.t.ppf(0.975, 59), abs=0.15)
    assert studentised(high) == pytest.approx(stats.t.ppf(0.025, 59), abs=0.15)


def test_rare_values_among_equal_ones_are_not_enough() -> None:
    values = np.array([1.0] * 38 + [0.5, 0.0])
    assert studentised_bounds(Units.of(values, np.ones(40), None), 0.95, 999, np.random.default_rng(0)) is None


def test_denominators_that_could_as_well_be_none_are_not_enough() -> None:
    below = np.array([0.0] * 28 + [1.0, 1.0])
    above = np.random.default_rng(0).exponential(size=30)
    assert studentised_bounds(Units.of(above, below, None), 0.95, 999, np.random.default_rng(0)) is None
