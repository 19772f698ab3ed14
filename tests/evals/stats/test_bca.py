from __future__ import annotations

import numpy as np
import pytest

from evals.stats.bca import bca_bounds, resampled_ratios
from evals.stats.units import Units

stats = pytest.importorskip("scipy.stats")
special = pytest.importorskip("scipy.special")


def jackknife_means(values: np.ndarray) -> np.ndarray:
    means: np.ndarray = (values.sum() - values) / (len(values) - 1)
    return means


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_from_the_same_resamples_the_bounds_are_scipys(level: float) -> None:
    values = np.random.default_rng(1).lognormal(0, 1, 30)
    theirs = stats.bootstrap((values,), np.mean, confidence_level=level, n_resamples=1999, method="BCa", rng=2)
    ours = bca_bounds(values.mean(), theirs.bootstrap_distribution, jackknife_means(values), level, widened=False)
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=1e-9)


def test_widening_reads_the_percentiles_of_students_t() -> None:
    distribution = np.random.default_rng(1).normal(0, 1, 200_000)
    symmetric = np.array([-2.0, -1, 0, 1, 2])
    low, high = bca_bounds(0.0, distribution, symmetric, 0.9, widened=True)
    reach = np.sqrt(5 / 4) * special.stdtrit(4, 0.95)
    assert (low, high) == pytest.approx((-reach, reach), abs=0.03)
    plain = bca_bounds(0.0, distribution, symmetric, 0.9, widened=False)
    assert plain == pytest.approx((-1.645, 1.645), abs=0.02)


def test_beyond_the_pole_of_the_correction_stands_the_end_of_the_distribution() -> None:
    distribution = np.linspace(-1, 1, 999)
    one_outlier = np.array([0.0] * 9 + [-9.0])  # the largest acceleration there can be
    low, high = bca_bounds(0.0, distribution, one_outlier, 0.999999, widened=True)
    assert -1 <= low < high == 1


def test_a_resample_without_a_denominator_is_infinite_and_without_both_left_out() -> None:
    units = Units(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0]))
    found = resampled_ratios(units, 2000, np.random.default_rng(0))
    assert np.mean(np.isinf(found)) == pytest.approx((2**3 - 1) / (3**3 - 1), abs=0.04)
    assert len(found) / 2000 == pytest.approx(26 / 27, abs=0.02)
    assert not np.isnan(found).any()


def test_bounds_among_infinite_values_are_infinite() -> None:
    distribution = np.concatenate([np.linspace(1, 2, 500), np.full(499, np.inf)])
    low, high = bca_bounds(1.9, distribution, np.array([1.0, 2, 3]), 0.95, widened=False)
    assert low < 1.9
    assert high == np.inf
