from __future__ import annotations

from math import log

import numpy as np
import pytest

from evals.stats.score import bounded_mean_bounds, paired_share_bounds, wilson_bounds
from evals.stats.units import Units

optimize = pytest.importorskip("scipy.optimize")


def units_of(gains: int, losses: int, n: int) -> Units:
    differences = np.array([1.0] * gains + [-1.0] * losses + [0.0] * (n - gains - losses))
    return Units.of(differences, np.ones(n), None)


def restricted_score(gains: int, losses: int, n: int, difference: float) -> float:
    """Tango's statistic with the likelihood maximised by a search, not in closed form."""

    def minus_log_likelihood(down: float) -> float:
        up = down + difference
        equal = 1 - up - down
        counted = ((gains, up), (losses, down), (n - gains - losses, equal))
        return -sum(count * log(max(share, 1e-300)) for count, share in counted)

    low, high = max(0.0, -difference), (1 - difference) / 2
    down = optimize.minimize_scalar(
        minus_log_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    ).x
    return float((gains - losses - n * difference) / np.sqrt(n * (2 * down + difference - difference**2)))


@pytest.mark.parametrize(("gains", "losses", "n"), [(9, 3, 40), (12, 1, 44), (3, 3, 10), (5, 11, 200)])
def test_at_tangos_bounds_the_restricted_score_is_the_quantile(gains: int, losses: int, n: int) -> None:
    low, high = paired_share_bounds(gains, losses, units_of(gains, losses, n), 0.95)
    assert restricted_score(gains, losses, n, low) == pytest.approx(1.959964, abs=1e-4)
    assert restricted_score(gains, losses, n, high) == pytest.approx(-1.959964, abs=1e-4)


def test_paired_shares_at_the_ends() -> None:
    low, high = paired_share_bounds(10, 0, units_of(10, 0, 10), 0.95)
    assert high == 1
    assert low < 0.6
    low, high = paired_share_bounds(0, 0, units_of(0, 0, 50), 0.95)
    assert low == pytest.approx(-high)
    assert 0.05 < high < 0.1


def test_swapping_the_two_mirrors_the_interval() -> None:
    low, high = paired_share_bounds(7, 2, units_of(7, 2, 30), 0.9)
    assert paired_share_bounds(2, 7, units_of(2, 7, 30), 0.9) == pytest.approx((-high, -low))


def test_values_between_vary_less_than_shares_and_their_mean_is_surer() -> None:
    between = Units.of(np.tile([0.4, 0.6, 0.8], 10), np.ones(30), None)
    low, high = bounded_mean_bounds(between, 0.95, None)
    share_low, share_high = wilson_bounds(0.6, 30, 1.96)
    assert share_low < low < 0.6 < high < share_high


def test_clusters_that_agree_wholly_count_once_each() -> None:
    rows = np.repeat([1.0, 0.0, 1.0, 1.0], 25)
    codes = np.repeat(np.arange(4), 25)
    low, high = bounded_mean_bounds(Units.of(rows, np.ones(100), codes), 0.95, 100)
    alone_low, alone_high = wilson_bounds(0.75, 4, 1.96)
    assert low < alone_low + 0.05
    assert high > alone_high - 0.05
    sure = bounded_mean_bounds(Units.of(np.ones(100), np.ones(100), codes), 0.95, 100)
    assert sure == pytest.approx(wilson_bounds(1.0, 4, 1.959964), abs=1e-6)
