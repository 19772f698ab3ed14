from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.stats import holm, mcnemar_exact, paired_permutation
from plumbline.errors import InputError

stats = pytest.importorskip("scipy.stats")
contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
multitest = pytest.importorskip("statsmodels.stats.multitest")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80))
def test_mcnemar_is_that_of_statsmodels_and_a_binomial_test(pairs: list[tuple[bool, bool]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    table = [[sum(pair == (a, b) for pair in pairs) for b in (True, False)] for a in (True, False)]
    ours = mcnemar_exact(first, second)
    if table[0][1] + table[1][0]:
        theirs = contingency.mcnemar(table, exact=True)
        assert (ours.statistic, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-9)
        binomial = stats.binomtest(table[0][1], table[0][1] + table[1][0])
        assert ours.p_value == pytest.approx(binomial.pvalue, abs=1e-9)
    else:
        assert ours.p_value == 1
    assert mcnemar_exact(second, first) == ours


def test_mcnemar_is_for_0_and_1() -> None:
    with pytest.raises(InputError, match=r"second\[1\] is 0.5"):
        mcnemar_exact([0, 1], [1, 0.5])


def both(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.exponential(size=n) + 0.3, generator.exponential(size=n)


def scipys(first: np.ndarray, second: np.ndarray) -> float:
    found = stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    return float(found.pvalue)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [2, 7, 12])
def test_few_differences_are_permuted_exactly_as_scipy_does(n: int, seed: int) -> None:
    first, second = both(n, seed)
    ours = paired_permutation(first, second)
    assert ours.p_value == pytest.approx(scipys(first, second), abs=1e-9)
    assert ours.statistic == pytest.approx((first - second).mean())
    assert ours.method == "exact sign flips"


@pytest.mark.parametrize("seed", range(3))
def test_ties_and_equal_rows_are_counted_as_scipy_does(seed: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = generator.integers(0, 4, 11) / 10, generator.integers(0, 3, 11) / 10
    assert paired_permutation(first, second).p_value == pytest.approx(scipys(first, second), abs=1e-9)


def test_of_0_and_1_it_is_mcnemars() -> None:
    first, second = np.array([1] * 9 + [0] * 2 + [1] * 30), np.array([0] * 9 + [1] * 2 + [1] * 30)
    assert paired_permutation(first, second).p_value == pytest.approx(mcnemar_exact(first, second).p_value)


def test_many_differences_are_permuted_at_random() -> None:
    first, second = both(18, 3)
    exact = paired_permutation(first, second)
    padded = paired_permutation(np.append(first, [1e-9] * 8), np.append(second, [0] * 8), resamples=40_000)
    assert padded.method == "40000 sign flips"
    assert padded.p_value == pytest.approx(exact.p_value, abs=0.01)
    assert paired_permutation(np.ones(30), np.zeros(30)).p_value == pytest.approx(1 / 10_000)


def test_clusters_flip_together() -> None:
    first, second = both(10, 0)
    sources = np.repeat(np.arange(10), 4)
    clustered = paired_permutation(np.repeat(first, 4), np.repeat(second, 4), clusters=sources)
    assert clustered.p_value == pytest.approx(paired_permutation(first, second).p_value)
    assert clustered.n == 40
    assert paired_permutation(np.repeat(first, 4), np.repeat(second, 4)).p_value < clustered.p_value


def test_no_difference_is_no_evidence() -> None:
    assert paired_permutation([1, 2, 3], [1, 2, 3]).p_value == 1
    assert paired_permutation([3.0], [1.0]).p_value == 1
    with pytest.raises(InputError, match="resamples"):
        paired_permutation([1.0], [2.0], resamples=0)
    with pytest.raises(InputError, match="first has 1"):
        paired_permutation([1.0], [2.0, 3.0])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    theirs = multitest.multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(list(theirs), abs=1e-9)


def test_what_is_no_p_value_is_refused() -> None:
    with pytest.raises(InputError, match=r"p_values\[1\] is 1.2"):
        holm([0.1, 1.2])
    with pytest.raises(InputError, match="empty"):
        holm([])
