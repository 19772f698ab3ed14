"""Bootstrap-t bounds for means and ratios: the resampled distribution of the *studentised* estimate, inverted.

Efron's bootstrap-t (*The Jackknife, the Bootstrap and Other Resampling Plans*, 1982; Hall, "Theoretical Comparison of
Bootstrap Confidence Intervals", Annals of Statistics 1988). It learns from the data how much heavier than normal the
tails are, and on which side, which serves skewed values better than any reading of percentiles; with clusters it is
the remedy of Cameron, Gelbach & Miller ("Bootstrap-Based Improvements for Inference with Clustered Errors", Review of
Economics and Statistics 2008) for there being few.

How far such bounds lean to one side rests on the skewness of the sample, which few units estimate badly: an outlier of
a symmetric population then pulls the interval away from the truth. Hall's symmetric interval ("On Symmetric Bootstrap
Confidence Intervals", JRSS B 1988) never leans. The quantiles used here lie half-way between the two, which in
`benchmarks/coverage.py` comes nearest to the level over symmetric and skewed populations alike.

A ratio is handled as Fieller did ("Some Problems in Interval Estimation", JRSS B 1954): at the true ratio x the
residuals numerator - x * denominator have mean 0, and every x is kept at which their studentised mean is not extreme.
No resample is ever divided by its denominator.
"""

from __future__ import annotations

from math import copysign, inf, isfinite, sqrt

import numpy as np

from evals.stats.columns import Floats
from evals.stats.units import Units, draws
from plumbline.extras import require

FEWEST = 5
"""With fewer units too many resamples repeat one of them; Student's t, which assumes normality, is used instead."""


def studentised_bounds(
    units: Units, level: float, resamples: int, generator: np.random.Generator
) -> tuple[float, float] | None:
    """The two bounds; `None` when the data cannot support them.

    That is when more than a tenth of a tail's resamples hold equal residuals only (a few rare values among equal ones),
    or when every large ratio stays possible because the sum of the denominators is too uncertain.
    """
    statistics = _resampled(units.residuals, resamples, generator)
    if np.count_nonzero(np.isinf(statistics)) > (1 - level) / 20 * resamples:
        return None
    outside = int((resamples + 1) * (1 - level) / 2 + 1e-9)
    leaning = np.sort(statistics)[[resamples - outside, outside - 1]]
    straight = np.sort(np.abs(statistics))[resamples - 2 * outside]
    quantiles = (leaning + np.array([straight, -straight])) / 2
    low, high = (_invert(units, float(quantile)) for quantile in quantiles)
    return (low, high) if isfinite(low) and isfinite(high) else None


def student_bounds(units: Units, level: float) -> tuple[float, float]:
    """Estimate -/+ t quantile * standard error, with one degree of freedom less than there are units."""
    quantile = float(require("scipy.special", "eval").stdtrit(len(units) - 1, 0.5 + level / 2))
    half = quantile * sqrt(units.variance)
    return units.estimate - half, units.estimate + half


def _resampled(residuals: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    """Mean over standard error of each resample, float[resamples]; infinite where all drawn values are equal."""
    g = len(residuals)
    found = []
    for drawn in draws(g, resamples, generator):
        values = residuals.take(drawn)
        mean = values.mean(axis=1)
        squares = np.einsum("rg,rg->r", values, values) / g
        variance = squares - mean**2
        flat = variance <= 1e-12 * squares  # what rounding leaves of 0
        scaled = mean * sqrt(g - 1) / np.sqrt(np.where(flat, 1, variance))
        found.append(np.where(flat, np.copysign(np.inf, mean), scaled))
    return np.concatenate(found)


def _invert(units: Units, quantile: float) -> float:
    """The ratio x nearest to the estimate at which the studentised mean of numerators - x * denominators is `quantile`.

    Squared, that is a quadratic in x. A positive quantile leads to a bound below the estimate, a negative one above;
    the bound is infinite where the statistic never gets so far.
    """
    if quantile == 0:
        return units.estimate
    g = len(units)
    sums = np.array([units.numerators.sum(), units.denominators.sum()])
    spread = np.cov(units.numerators, units.denominators) * g
    # In x = estimate + d, with a, b, c for a * d**2 + b * d + c = 0: nothing cancels however large the estimate is.
    q = quantile**2
    across = float(spread[0, 1] - units.estimate * spread[1, 1])
    a = float(sums[1] ** 2 - q * spread[1, 1])
    b = 2 * q * across
    c = -q * float(np.var(units.residuals, ddof=1)) * g
    discriminant = b * b - 4 * a * c
    side = -copysign(1, quantile)
    if discriminant < 0 or (a <= 0 and side * b <= 0):
        return side * inf
    # The root of the wanted sign that is nearest to 0, in the form that does not subtract near equals.
    root = sqrt(discriminant)
    distance = (-b + side * root) / (2 * a) if side * b <= 0 else -2 * c / (b + side * root)
    return units.estimate + distance
