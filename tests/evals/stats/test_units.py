from __future__ import annotations

import numpy as np
import pytest

from evals.stats.units import CHUNK, Units, draws


def test_clusters_become_sums() -> None:
    units = Units.of(np.array([1.0, 2, 3, 4]), np.ones(4), np.array([0, 1, 0, 1]))
    assert units.numerators.tolist() == [4, 6]
    assert units.denominators.tolist() == [2, 2]
    assert units.estimate == 2.5
    assert units.residuals.tolist() == [-1, 1]


def test_of_single_rows_the_variance_is_that_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(size=30)
    assert Units.of(values, np.ones(30), None).variance == pytest.approx(values.var(ddof=1) / 30)


def test_the_variance_of_a_ratio_is_near_the_jackknifes() -> None:
    generator = np.random.default_rng(0)
    below = generator.uniform(1, 2, 200)
    units = Units.of(3 * below + generator.normal(size=200), below, None)
    without = units.without_each()
    assert without[0] == pytest.approx(units.numerators[1:].sum() / units.denominators[1:].sum())
    jackknife = 199 / 200 * np.sum((without - without.mean()) ** 2)
    assert units.variance == pytest.approx(jackknife, rel=0.01)


def test_where_one_unit_has_all_the_weight() -> None:
    units = Units(np.array([0.0, 3.0]), np.array([0.0, 2.0]))
    assert units.variance == 0
    assert np.isfinite(units.without_each()).all()


@pytest.mark.parametrize("g", [3, 1000, CHUNK + 1])
def test_draws_come_in_bounded_chunks(g: int) -> None:
    chunks = list(draws(g, 2 if g > CHUNK else 3000, np.random.default_rng(0)))
    assert sum(map(len, chunks)) == (2 if g > CHUNK else 3000)
    assert all(chunk.size <= max(CHUNK, g) and chunk.min() >= 0 and chunk.max() < g for chunk in chunks)
