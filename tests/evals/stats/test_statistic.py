from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest

from evals.stats import bootstrap_mean, bootstrap_statistic
from evals.stats.statistic import DELETIONS
from plumbline.errors import InputError

stats = pytest.importorskip("scipy.stats")


def mean(weights: np.ndarray, values: np.ndarray) -> Any:
    return weights @ values / weights.sum(axis=1)


def correlation(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> Any:
    shares = weights / weights.sum(axis=1, keepdims=True)
    mean_x, mean_y = shares @ x, shares @ y
    covariance = shares @ (x * y) - mean_x * mean_y
    return covariance / np.sqrt((shares @ x**2 - mean_x**2) * (shares @ y**2 - mean_y**2))


def two_columns(n: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(4)
    x = generator.normal(size=n)
    return x, 0.6 * x + generator.normal(size=n)


def test_a_correlation_is_scipys() -> None:
    x, y = two_columns(50)
    theirs = stats.bootstrap(
        (x, y), lambda a, b, axis: stats.pearsonr(a, b, axis=axis).statistic, paired=True, n_resamples=19_999, rng=1
    ).confidence_interval
    ours = bootstrap_statistic([x, y], correlation, resamples=19_999, method="bca")
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=0.02)
    assert ours.estimate == pytest.approx(np.corrcoef(x, y)[0, 1])


@pytest.mark.parametrize("clustered", [False, True])
def test_a_mean_is_that_of_bootstrap_mean(clustered: bool) -> None:
    values = np.random.default_rng(0).uniform(size=60)
    clusters = np.arange(60) // 3 if clustered else None
    general = bootstrap_statistic([values], mean, clusters=clusters, resamples=19_999)
    special = bootstrap_mean(values, clusters=clusters, resamples=19_999, method="bca-t")
    assert (general.low, general.high) == pytest.approx((special.low, special.high), abs=0.015)
    assert (general.n, general.clusters, general.method) == (60, special.clusters, "bca-t")


def test_blocks_left_out_find_the_same_skewness() -> None:
    values = np.random.default_rng(0).lognormal(size=3 * DELETIONS)
    general = bootstrap_statistic([values], mean, resamples=1999)
    special = bootstrap_mean(values, resamples=1999, method="bca-t")
    assert (general.low, general.high) == pytest.approx((special.low, special.high), abs=0.01)


def test_samples_without_a_value_are_left_out() -> None:
    def share(weights: np.ndarray, right: np.ndarray, asked: np.ndarray) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (weights @ right) / (weights @ asked)

    found = bootstrap_statistic([[1, 0, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0]], share, resamples=999)
    assert 0 <= found.low < 2 / 3 < found.high <= 1
    with pytest.raises(InputError, match=r"NaN for \d+ of 999 samples"):
        bootstrap_statistic(
            [[0, 1, 0, 0], [0, 1, 0, 0]], lambda w, a, b: np.where(w[:, 1] == 1, 1.0, np.nan), resamples=999
        )
    with pytest.raises(InputError, match="data themselves is nan"):
        bootstrap_statistic([[0, 0], [0, 0]], share)


def test_one_unit_and_equal_values() -> None:
    assert bootstrap_statistic([[2.0, 3.0]], mean, clusters=["a", "a"]).high == inf
    constant = bootstrap_statistic([[2.0] * 5], mean)
    assert (constant.low, constant.high, constant.method) == (2, 2, "constant")


def test_what_is_no_statistic_is_refused() -> None:
    with pytest.raises(InputError, match=r"one value a sample, \(1,\); it returned \(1, 3\)"):
        bootstrap_statistic([[1, 2, 3]], lambda weights, values: weights * values)
    with pytest.raises(InputError, match="no method 't'; there are bca-t, bca"):
        bootstrap_statistic([[1, 2, 3]], mean, method="t")  # type: ignore[arg-type]  # that is the test
    with pytest.raises(InputError, match="at least one column"):
        bootstrap_statistic([], mean)
    with pytest.raises(InputError, match=r"columns\[0\] has 2, columns\[1\] has 1"):
        bootstrap_statistic([[1, 2], [1]], correlation)
    with pytest.raises(InputError, match=r"columns\[1\]\[0\] is nan"):
        bootstrap_statistic([[1, 2], [float("nan"), 2]], correlation)
