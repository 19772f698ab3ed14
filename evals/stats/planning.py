"""How many questions a comparison needs, and how small a difference it can see. All tests are two-sided.

Clusters: give `design_effect` (see `evals.stats.clusters`); n rows in clusters then count as n / design_effect. Every
function raises `InputError` for a power or alpha outside of (0, 1), a design effect below 1, and an effect of 0.
"""

from __future__ import annotations

from collections.abc import Callable
from math import asin, ceil, isnan, pi, sin, sqrt
from statistics import NormalDist

from evals.stats.columns import check_level
from evals.stats.score import normal_quantile
from plumbline.errors import InputError
from plumbline.extras import require

POWER, ALPHA = 0.8, 0.05  # the customary values (Cohen 1988)
_cdf = NormalDist().cdf


def paired_power(effect: float, sd: float, n: float, *, alpha: float = ALPHA, design_effect: float = 1) -> float:
    """The chance that a paired t-test of n rows finds a mean difference of `effect` whose rows have deviation `sd`.

    By the noncentral t distribution (Cohen, *Statistical Power Analysis for the Behavioral Sciences*, 1988, chapter 2).
    """
    _check(alpha, alpha, design_effect)
    return _t_power(abs(effect) / _positive(sd, "sd"), _effective(n, design_effect), alpha)


def required_sample_size(
    effect: float, sd: float, *, power: float = POWER, alpha: float = ALPHA, design_effect: float = 1
) -> int:
    """Rows needed to find a mean paired difference of `effect` with chance `power`: the inverse of `paired_power`.

    `sd` is the standard deviation of the differences, from a first run: `numpy.std(first - second, ddof=1)`.
    """
    _check(power, alpha, design_effect)
    scaled = _positive(abs(effect), "effect") / _positive(sd, "sd")
    return _smallest(lambda n: _t_power(scaled, n / design_effect, alpha), power, ceil(2 * design_effect))


def minimum_detectable_effect(
    n: int, sd: float, *, power: float = POWER, alpha: float = ALPHA, design_effect: float = 1
) -> float:
    """The mean paired difference that n rows find with chance `power`; `sd` is that of the differences."""
    _check(power, alpha, design_effect)
    rows = _effective(n, design_effect)
    return _positive(sd, "sd") * _crossing(lambda effect: _t_power(effect, rows, alpha), power)


def required_sample_size_proportions(
    first: float, second: float, *, power: float = POWER, alpha: float = ALPHA, design_effect: float = 1
) -> int:
    """Rows *in each of two separate samples* needed to tell shares `first` and `second` apart, as in an A/B test.

    By the arcsine transformation (Cohen 1988, chapter 6).
    """
    _check(power, alpha, design_effect)
    distance = _positive(abs(_angle(first, "first") - _angle(second, "second")), "the difference of the shares")
    return _smallest(lambda n: _z_power(distance * sqrt(n / design_effect / 2), alpha), power, 1)


def minimum_detectable_effect_proportions(
    n: int, first: float, *, power: float = POWER, alpha: float = ALPHA, design_effect: float = 1
) -> float:
    """The least rise above the share `first` that two separate samples of n rows each find with chance `power`.

    Raises `InputError` when not even a rise to 1 is found.
    """
    _check(power, alpha, design_effect)
    angle = _angle(first, "first") + _crossing(_z_power_of(alpha), power) / sqrt(_effective(n, design_effect) / 2)
    if angle > pi:
        raise InputError(f"Two samples of {n} rows do not even tell a share of {first} from 1; take more rows.")
    return sin(angle / 2) ** 2 - first


def required_sample_size_paired_proportions(
    effect: float, discordance: float, *, power: float = POWER, alpha: float = ALPHA, design_effect: float = 1
) -> int:
    """Rows needed to find a difference `effect` of two shares of the same rows, as McNemar's test does.

    `discordance` is the share of rows in which exactly one of the two is right. By the normal approximation (Miettinen,
    Biometrics 1968; Connor, Biometrics 1987); the exact test needs a few rows more. Raises `InputError` also when
    `effect` is larger than `discordance`.
    """
    _check(power, alpha, design_effect)
    difference = _positive(abs(effect), "effect")
    if not difference <= discordance <= 1:
        raise InputError(f"discordance must be between the effect, {difference}, and 1; {discordance} was given.")
    z, z_power = normal_quantile(1 - alpha), NormalDist().inv_cdf(power)
    root = (z * sqrt(discordance) + z_power * sqrt(discordance - difference**2)) / difference
    return max(1, ceil(max(root, 0) ** 2 * design_effect - 1e-9))


def minimum_detectable_effect_paired_proportions(
    n: int, discordance: float, *, power: float = POWER, alpha: float = ALPHA, design_effect: float = 1
) -> float:
    """The difference of two shares of the same n rows that McNemar's test finds with chance `power`.

    Raises `InputError` when it cannot find any, not even with all discordant rows on one side.
    """
    _check(power, alpha, design_effect)
    if not 0 < discordance <= 1:
        raise InputError(f"discordance must be above 0 and at most 1; {discordance} was given.")
    rows, z = _effective(n, design_effect), normal_quantile(1 - alpha)

    def reached(difference: float) -> float:
        spread = sqrt(max(discordance - difference**2, 1e-300))
        return _cdf((difference * sqrt(rows) - z * sqrt(discordance)) / spread)

    if reached(discordance) < power:
        raise InputError(
            f"{n} rows, of which a share of {discordance} differs, show no difference reliably; take more."
        )
    return _bisect(reached, power, 0, discordance)


def _t_power(effect: float, n: float, alpha: float) -> float:
    """Of a two-sided one-sample t-test; `effect` in standard deviations."""
    special = require("scipy.special", "eval")
    critical = special.stdtrit(n - 1, 1 - alpha / 2)
    shift = effect * sqrt(n)
    missed, wrong_side = (float(special.nctdtr(n - 1, shift, bound)) for bound in (critical, -critical))
    # Far out in a tail scipy's value is NaN; what it would be is too small to count.
    return 1 - (0 if isnan(missed) else missed) + (0 if isnan(wrong_side) else wrong_side)


def _z_power(shift: float, alpha: float) -> float:
    critical = normal_quantile(1 - alpha)
    return _cdf(shift - critical) + _cdf(-shift - critical)


def _z_power_of(alpha: float) -> Callable[[float], float]:
    return lambda shift: _z_power(shift, alpha)


def _smallest(reached: Callable[[int], float], power: float, n: int) -> int:
    """The least whole number, from n on, at which a growing function reaches `power`."""
    if reached(n) >= power:
        return n
    step = 1
    while reached(n + step) < power:
        n += step
        step *= 2
    low, high = n, n + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= power else (middle, high)
    return high


def _crossing(reached: Callable[[float], float], power: float) -> float:
    high = 1.0
    while reached(high) < power:
        high *= 2
    return _bisect(reached, power, 0, high)


def _bisect(reached: Callable[[float], float], power: float, low: float, high: float) -> float:
    while (middle := (low + high) / 2) not in {low, high}:
        low, high = (low, middle) if reached(middle) >= power else (middle, high)
    return high


def _angle(share: float, name: str) -> float:
    if not 0 <= share <= 1:
        raise InputError(f"{name} must be a share between 0 and 1; {share} was given.")
    return 2 * asin(sqrt(share))


def _effective(n: float, design_effect: float) -> float:
    rows = n / design_effect
    if rows < 2:
        raise InputError(
            f"{n} rows with a design effect of {design_effect} count as fewer than 2: nothing can be told."
        )
    return rows


def _positive(value: float, name: str) -> float:
    if not value > 0:
        raise InputError(f"{name} must be above 0; {value} was given.")
    return value


def _check(power: float, alpha: float, design_effect: float) -> None:
    check_level(power, "power")
    check_level(alpha, "alpha")
    if not design_effect >= 1:
        raise InputError(f"design_effect must be at least 1; {design_effect} was given.")
