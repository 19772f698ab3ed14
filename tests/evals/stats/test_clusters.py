from __future__ import annotations

import numpy as np
import pytest

from evals.stats import design_effect, intracluster_correlation
from plumbline.errors import InputError


def test_the_correlation_that_was_put_in_comes_out() -> None:
    generator = np.random.default_rng(0)
    sources = np.repeat(np.arange(2000), generator.integers(1, 10, 2000))
    values = 0.3**0.5 * generator.normal(size=2000)[sources] + 0.7**0.5 * generator.normal(size=len(sources))
    assert intracluster_correlation(values, sources) == pytest.approx(0.3, abs=0.03)


def test_equal_sizes_by_hand() -> None:
    """Between 8 and within 0.5: (8 - .5) / (8 + .5)."""
    values, sources = [1.0, 2.0, 3.0, 4.0], ["a", "a", "b", "b"]
    assert intracluster_correlation(values, sources) == pytest.approx((4 - 0.5) / (4 + 0.5))
    assert design_effect(values, sources) == pytest.approx(1 + 3.5 / 4.5)


def test_the_design_effect_is_by_how_much_the_variance_of_the_mean_grows() -> None:
    generator = np.random.default_rng(1)
    sizes = np.array([1, 2, 3, 10, 20, 4, 5, 5] * 8)
    sources = np.repeat(np.arange(64), sizes)
    means, found = [], []
    for _ in range(400):
        values = 0.2**0.5 * generator.normal(size=64)[sources] + 0.8**0.5 * generator.normal(size=len(sources))
        means.append(values.mean())
        found.append(design_effect(values, sources))
    assert np.mean(found) == pytest.approx(np.var(means) * len(sources), rel=0.15)


def test_clusters_without_effect_cost_nothing() -> None:
    assert design_effect([1, 2, 1, 2], ["a", "a", "b", "b"]) == 1
    assert intracluster_correlation([1, 2, 1, 2], ["a", "a", "b", "b"]) < 0
    assert design_effect([5, 5, 5, 5], ["a", "a", "b", "b"]) == 1


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="3 rows in 1 clusters"):
        design_effect([1, 2, 3], ["a", "a", "a"])
    with pytest.raises(InputError, match="3 rows in 3 clusters"):
        intracluster_correlation([1, 2, 3], ["a", "b", "c"])
