from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.stats import Interval, bootstrap_mean, bootstrap_ratio, paired_difference, wilson
from evals.stats.bootstrap import Method
from plumbline.errors import InputError

stats = pytest.importorskip("scipy.stats")


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def skewed(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(0, 1, n)


def test_bca_is_scipys() -> None:
    values = skewed(40)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=99_999, method="BCa", rng=1).confidence_interval
    ours = bootstrap_mean(values, resamples=99_999, method="bca")
    assert ends(ours) == pytest.approx(tuple(theirs), rel=0.01)
    assert ours.estimate == pytest.approx(values.mean())
    assert (ours.n, ours.level, ours.method, ours.clusters) == (40, 0.95, "bca", None)


def test_bca_of_a_ratio_is_scipys() -> None:
    above, below = skewed(40), skewed(40, 1)

    def ratio(a: np.ndarray, b: np.ndarray, axis: int) -> Any:
        return a.sum(axis=axis) / b.sum(axis=axis)

    theirs = stats.bootstrap(
        (above, below), ratio, paired=True, n_resamples=99_999, method="BCa", rng=1, vectorized=True
    ).confidence_interval
    assert ends(bootstrap_ratio(above, below, resamples=99_999, method="bca")) == pytest.approx(tuple(theirs), rel=0.01)


def test_a_mean_of_0_and_1_is_wilsons() -> None:
    ours = bootstrap_mean([True] * 17 + [False] * 3)
    assert ends(ours) == pytest.approx(ends(wilson(17, 20)))
    assert ours.method == "score"
    assert bootstrap_mean([1] * 20).low < 0.9
    assert bootstrap_mean([0]).high > 0.5


@pytest.mark.parametrize("method", ["t", "bca-t", "bca"])
def test_the_method_asked_for_is_used_and_told(method: Method) -> None:
    assert bootstrap_mean(skewed(30), method=method).method == method
    assert paired_difference(skewed(30), skewed(30, 1), method=method).method == method
    assert bootstrap_ratio(skewed(30), skewed(30, 1), method=method).method == method


def test_skewed_values_get_t_which_is_widest_and_bca_narrowest() -> None:
    values = skewed(30)
    t, wide, narrow = (bootstrap_mean(values, method=method) for method in ("t", "bca-t", "bca"))
    assert t.high - t.low > wide.high - wide.low > narrow.high - narrow.low
    assert bootstrap_mean(values) == t


def test_clusters_widen_the_interval_as_much_as_they_should() -> None:
    """Four equal rows in each cluster: the rows tell no more than the clusters do."""
    means = skewed(40)
    rows, sources = np.repeat(means, 4), np.repeat(np.arange(40), 4)
    assert ends(bootstrap_mean(rows, clusters=sources)) == pytest.approx(ends(bootstrap_mean(means)))
    assert ends(paired_difference(rows, 0 * rows, clusters=sources)) == pytest.approx(ends(bootstrap_mean(means)))
    naive = bootstrap_mean(rows)
    clustered = bootstrap_mean(rows, clusters=sources.astype(str).tolist())
    assert clustered.high - clustered.low > 1.8 * (naive.high - naive.low)
    assert (clustered.n, clustered.clusters, naive.clusters) == (160, 40, None)


def test_clusters_of_one_row_each_change_nothing() -> None:
    right = [True] * 14 + [False] * 6
    assert ends(bootstrap_mean(right, clusters=range(20))) == ends(bootstrap_mean(right))
    assert ends(paired_difference(right, right[::-1], clusters=range(20))) == ends(
        paired_difference(right, right[::-1])
    )


def test_right_or_wrong_in_clusters() -> None:
    generator = np.random.default_rng(1)
    sources = np.repeat(np.arange(30), 6)
    right = generator.random(180) < generator.beta(2, 1, 30)[sources]
    other = generator.random(180) < generator.beta(2, 1, 30)[sources]
    for found, naive in (
        (bootstrap_mean(right, clusters=sources), bootstrap_mean(right)),
        (paired_difference(right, other, clusters=sources), paired_difference(right, other)),
    ):
        assert (found.method, naive.method) == ("t", "score")
        assert found.high - found.low > 1.3 * (naive.high - naive.low)


def test_what_clusters_cannot_support_is_made_by_score() -> None:
    sources = np.repeat(np.arange(10), 5)
    nearly = np.ones(50)
    nearly[7] = 0
    found = bootstrap_mean(nearly, clusters=sources)
    assert found.method == "score"
    assert found.low < 0.94 < found.high < 1
    assert paired_difference(nearly, np.ones(50), clusters=sources).method == "score"


def test_bounds_keep_the_interval_inside_and_make_it_narrower() -> None:
    values = np.array([1.0] * 12 + [0.9, 0.8, 0.95, 0.5, 0.7, 0.63, 0.0, 1.0])
    bounded, free = bootstrap_mean(values, bounds=(0, 1)), bootstrap_mean(values)
    assert bounded.high - bounded.low < free.high - free.low
    assert bounded.high < 1
    scaled = bootstrap_mean(1 + 4 * values, bounds=(1, 5))
    assert ends(scaled) == pytest.approx((1 + 4 * bounded.low, 1 + 4 * bounded.high))
    assert scaled.estimate == pytest.approx(1 + 4 * values.mean())


def test_bounds_cut_what_is_made_by_other_methods() -> None:
    values = [0.1, 0.3, 0.9, 0.95, 0.97, 1.0, 0.99, 0.98]
    assert bootstrap_mean(values, method="t", level=0.99).high > 1
    assert bootstrap_mean(values, method="t", level=0.99, bounds=(0, 1)).high == 1


def test_a_value_outside_of_the_bounds_is_named() -> None:
    with pytest.raises(InputError, match=r"values\[1\] is 1.5, outside of the bounds \(0, 1\)"):
        bootstrap_mean([0.5, 1.5], bounds=(0, 1))
    with pytest.raises(InputError, match="least and the largest"):
        bootstrap_mean([0.5], bounds=(1, 0))


def test_one_row_tells_nothing() -> None:
    assert ends(bootstrap_mean([3.2])) == (-inf, inf)
    assert bootstrap_mean([3.2]).method == "one unit"
    assert ends(bootstrap_mean(skewed(20), clusters=["a"] * 20)) == (-inf, inf)
    assert ends(bootstrap_ratio([2.0], [4.0])) == (0, inf)
    assert bootstrap_mean([0.4], bounds=(0, 1)).low > 0


def test_equal_values_have_no_width() -> None:
    found = bootstrap_mean([0.1] * 7)
    assert found.method == "constant"
    assert ends(found) == pytest.approx((0.1, 0.1))
    assert bootstrap_ratio([2, 4, 6], [1, 2, 3]).method == "constant"


def test_equal_differences_exclude_zero_only_where_a_sign_test_could() -> None:
    assert not paired_difference([2.0] * 5, [1.5] * 5).excludes_zero
    assert paired_difference([2.0] * 6, [1.5] * 6).excludes_zero
    assert not paired_difference([2.0] * 12, [1.5] * 12, clusters=[0, 1, 2] * 4).excludes_zero
    assert not paired_difference([2.0] * 9, [2.0] * 9).excludes_zero


@pytest.mark.parametrize("clusters", [2, 3, 4])
def test_very_few_clusters_get_students_t(clusters: int) -> None:
    sums = np.array([1.0, 2.5, 4.0, 9.0])[:clusters]
    rows = np.repeat(sums / 3, 3)
    found = bootstrap_mean(rows, clusters=np.repeat(np.arange(clusters), 3))
    theirs = stats.ttest_1samp(sums / 3, 0).confidence_interval(0.95)
    assert found.method == "student"
    assert ends(found) == pytest.approx(tuple(theirs))


def test_costs_per_right_answer() -> None:
    generator = np.random.default_rng(0)
    cost, right = generator.exponential(size=200), generator.random(200) < 0.6
    found = bootstrap_ratio(cost, right)
    assert found.estimate == pytest.approx(cost.sum() / right.sum())
    assert found.low < 1 / 0.6 < found.high
    assert found.method == "t"


def test_where_hardly_any_answer_is_right_the_cost_of_one_has_no_upper_bound() -> None:
    found = bootstrap_ratio(skewed(20), [1, 1] + [0] * 18)
    assert 0 < found.low < found.estimate
    assert found.high == inf


def test_denominators_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="All denominators are 0"):
        bootstrap_ratio([1, 2], [0, 0])
    with pytest.raises(InputError, match=r"denominators\[1\] is -1"):
        bootstrap_ratio([1, 2], [1, -1])
    with pytest.raises(InputError, match="numerators has 2, denominators has 3"):
        bootstrap_ratio([1, 2], [1, 2, 3])


def test_pairs_are_sharper_than_two_intervals() -> None:
    generator = np.random.default_rng(0)
    hard = generator.normal(size=100)
    first, second = hard + 0.3 + 0.2 * generator.normal(size=100), hard + 0.2 * generator.normal(size=100)
    found = paired_difference(first, second)
    assert found.excludes_zero
    assert found.estimate == pytest.approx((first - second).mean())
    assert bootstrap_mean(first).low < bootstrap_mean(second).high


@pytest.mark.parametrize(
    "call",
    [
        lambda: bootstrap_mean([]),
        lambda: bootstrap_mean([1.0, float("nan")]),
        lambda: bootstrap_mean([1.0, 2.0], clusters=["a"]),
        lambda: bootstrap_mean([1.0, 2.0], level=1.0),
        lambda: bootstrap_mean([1.0, 2.0], resamples=10),
        lambda: paired_difference([1.0], [1.0, 2.0]),
        lambda: bootstrap_mean([1.0, 2.0], method="bcat"),  # type: ignore[arg-type]  # that is the test
        lambda: paired_difference([1.0, float("nan")], [1.0, 2.0]),
    ],
)
def test_what_cannot_be_worked_with_is_refused(call: Callable[[], Interval]) -> None:
    with pytest.raises(InputError):
        call()


def test_the_seed_decides() -> None:
    values = skewed(30)
    assert bootstrap_mean(values, seed=1) == bootstrap_mean(values, seed=1)
    assert ends(bootstrap_mean(values, seed=1)) != ends(bootstrap_mean(values, seed=2))


def test_large_samples_work_in_chunks() -> None:
    values = skewed(100_000)
    found = bootstrap_mean(values, resamples=40)
    assert found.low < np.exp(0.5) < found.high


VALUES = st.lists(st.integers(-1000, 1000).map(lambda tenth: tenth / 8), min_size=5, max_size=30).filter(
    lambda values: len(set(values)) > 2
)


@settings(max_examples=40, deadline=None)
@given(VALUES, st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_rows_does_not_matter(values: list[float], shuffle: random.Random, clustered: bool) -> None:
    labels = [position % 7 for position in range(len(values))]
    order = list(range(len(values)))
    shuffle.shuffle(order)
    before = bootstrap_mean(values, clusters=labels if clustered else None, resamples=199)
    mixed = [labels[i] for i in order]
    after = bootstrap_mean([values[i] for i in order], clusters=mixed if clustered else None, resamples=199)
    assert ends(after) == pytest.approx(ends(before))


@settings(max_examples=40, deadline=None)
@given(VALUES, st.integers(-50, 50), st.sampled_from([0.25, 2, 16]))
def test_shifting_and_scaling_the_values_does_so_to_the_interval(values: list[float], shift: int, scale: float) -> None:
    before = bootstrap_mean(values, resamples=199, method="t")
    after = bootstrap_mean([scale * value + shift for value in values], resamples=199, method="t")
    assert ends(after) == pytest.approx((scale * before.low + shift, scale * before.high + shift), rel=1e-9, abs=1e-6)
    assert after.method == before.method


@settings(max_examples=40, deadline=None)
@given(VALUES, st.integers(2, 5))
def test_rows_that_repeat_within_their_cluster_tell_nothing_new(values: list[float], times: int) -> None:
    once = bootstrap_mean(values, resamples=199, method="t")
    again = bootstrap_mean(values * times, clusters=list(range(len(values))) * times, resamples=199, method="t")
    assert ends(again) == pytest.approx(ends(once), rel=1e-9, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(VALUES)
def test_a_higher_level_holds_a_lower_one_and_all_hold_the_estimate(values: list[float]) -> None:
    found = [bootstrap_mean(values, level=level, resamples=999) for level in (0.5, 0.8, 0.95)]
    for inner, outer in pairwise(found):
        if inner.method == outer.method:
            assert outer.low - 1e-9 <= inner.low <= inner.estimate + 1e-9
            assert inner.estimate - 1e-9 <= inner.high <= outer.high + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_swapping_right_and_wrong_pairs_mirrors_the_interval(pairs: list[tuple[bool, bool]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    there, back = paired_difference(first, second), paired_difference(second, first)
    assert ends(there) == pytest.approx((-back.high, -back.low), rel=1e-9, abs=1e-9)
    assert -1 <= there.low <= there.estimate <= there.high <= 1
