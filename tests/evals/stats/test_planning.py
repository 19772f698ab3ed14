from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
import pytest

from evals.stats import (
    mcnemar_exact,
    minimum_detectable_effect,
    minimum_detectable_effect_paired_proportions,
    minimum_detectable_effect_proportions,
    paired_power,
    required_sample_size,
    required_sample_size_paired_proportions,
    required_sample_size_proportions,
)
from plumbline.errors import InputError

power = pytest.importorskip("statsmodels.stats.power")
proportion = pytest.importorskip("statsmodels.stats.proportion")


@pytest.mark.parametrize("n", [3, 20, 400])
@pytest.mark.parametrize("effect", [0.01, 0.1, -0.5, 5])
def test_the_power_of_a_paired_t_test_is_that_of_statsmodels(n: int, effect: float) -> None:
    theirs = power.TTestPower().power(abs(effect) / 0.4, n, 0.05)
    assert paired_power(effect, 0.4, n) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("alpha", [0.01, 0.05])
@pytest.mark.parametrize("effect", [0.02, 0.1, 1.0])
def test_rows_for_a_paired_difference(effect: float, alpha: float, wanted: float) -> None:
    theirs = power.TTestPower().solve_power(effect / 0.4, alpha=alpha, power=wanted)
    ours = required_sample_size(effect, 0.4, power=wanted, alpha=alpha)
    assert ours == ceil(theirs - 1e-6)
    assert minimum_detectable_effect(ours, 0.4, power=wanted, alpha=alpha) <= effect + 1e-9
    detectable = power.TTestPower().solve_power(None, nobs=ours, alpha=alpha, power=wanted)
    assert minimum_detectable_effect(ours, 0.4, power=wanted, alpha=alpha) == pytest.approx(0.4 * detectable, abs=1e-6)


@pytest.mark.parametrize(("first", "second"), [(0.7, 0.8), (0.8, 0.7), (0.5, 0.52), (0.0, 0.1), (0.95, 0.99)])
def test_rows_for_two_separate_shares(first: float, second: float) -> None:
    size = abs(proportion.proportion_effectsize(first, second))
    theirs = power.NormalIndPower().solve_power(size, alpha=0.05, power=0.8)
    assert required_sample_size_proportions(first, second) == ceil(theirs - 1e-6)


@pytest.mark.parametrize("n", [50, 400])
def test_the_detectable_rise_of_a_separate_share(n: int) -> None:
    rise = minimum_detectable_effect_proportions(n, 0.6)
    size = proportion.proportion_effectsize(0.6 + rise, 0.6)
    assert power.NormalIndPower().power(size, n, 0.05) == pytest.approx(0.8, abs=1e-6)


def test_rows_for_paired_shares_by_hand() -> None:
    """Connor's formula with z of .975 and .8: ((1.959964 * .2**.5 + .841621 * (.2 - .01)**.5) / .1)**2 = 154.3."""
    assert required_sample_size_paired_proportions(0.1, 0.2) == 155
    assert minimum_detectable_effect_paired_proportions(155, 0.2) == pytest.approx(0.1, abs=0.0005)
    n = required_sample_size_paired_proportions(-0.03, 0.1, power=0.9, alpha=0.01)
    assert minimum_detectable_effect_paired_proportions(n, 0.1, power=0.9, alpha=0.01) == pytest.approx(0.03, abs=1e-4)


def test_with_that_many_rows_mcnemars_test_finds_the_difference_about_that_often() -> None:
    generator = np.random.default_rng(0)
    n = required_sample_size_paired_proportions(0.1, 0.2)
    found = 0
    for _ in range(1000):
        uniform = generator.random(n)
        found += mcnemar_exact(uniform < 0.65, (uniform >= 0.15) & (uniform < 0.7)).p_value < 0.05
    assert found / 1000 == pytest.approx(0.76, abs=0.04)  # exact, hence a little less than .8


def test_a_design_effect_multiplies_rows() -> None:
    assert required_sample_size(0.05, 0.4, design_effect=3) == pytest.approx(3 * required_sample_size(0.05, 0.4), abs=3)
    assert minimum_detectable_effect(600, 0.4, design_effect=3) == pytest.approx(minimum_detectable_effect(200, 0.4))
    assert required_sample_size_proportions(0.5, 0.6, design_effect=2) == pytest.approx(
        2 * required_sample_size_proportions(0.5, 0.6), abs=2
    )
    assert required_sample_size_paired_proportions(0.1, 0.2, design_effect=2) == pytest.approx(309, abs=1)
    assert paired_power(0.1, 0.4, 90, design_effect=3) == pytest.approx(paired_power(0.1, 0.4, 30))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: required_sample_size(0, 1), "effect must be above 0"),
        (lambda: required_sample_size(0.1, 0), "sd must be above 0"),
        (lambda: required_sample_size(0.1, float("nan")), "sd must be above 0"),
        (lambda: required_sample_size(0.1, 1, power=1), "power must be between"),
        (lambda: required_sample_size(0.1, 1, alpha=5), "alpha must be between"),
        (lambda: required_sample_size(0.1, 1, design_effect=0.5), "design_effect must be at least 1"),
        (lambda: minimum_detectable_effect(1, 1), "fewer than 2"),
        (lambda: minimum_detectable_effect(10, 1, design_effect=6), "fewer than 2"),
        (lambda: required_sample_size_proportions(0.5, 0.5), "difference of the shares"),
        (lambda: required_sample_size_proportions(0.5, 1.5), "second must be a share"),
        (lambda: minimum_detectable_effect_proportions(3, 0.9), "take more rows"),
        (lambda: required_sample_size_paired_proportions(0.3, 0.2), "discordance must be between"),
        (lambda: minimum_detectable_effect_paired_proportions(100, 0), "discordance must be above 0"),
        (lambda: minimum_detectable_effect_paired_proportions(20, 0.1), "take more"),
    ],
)
def test_impossible_plans_are_refused(call: Callable[[], float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        call()
