"""Score bounds for shares and bounded means: a value stays possible while it is not too many of *its own* standard
errors away. Unlike resampling they know that a sample of twenty successes does not prove a rate of 1.

Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927; for a difference of paired
shares Tango, "Equivalence Test and Confidence Interval for the Difference in Proportions for the Paired-Sample Design",
Statistics in Medicine 1998. Clusters enter through the effective sample size, the number of independent rows that would
be as uncertain (Kish, *Survey Sampling*, 1965; Korn & Graubard, Survey Methodology 1998; compared by Franco, Little,
Louis & Slud, Journal of Survey Statistics and Methodology 2019), with Student's t for the number of clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, sqrt
from statistics import NormalDist

from evals.stats.units import Units
from plumbline.extras import require


def normal_quantile(level: float) -> float:
    """The z with a share `level` of the normal distribution in [-z, z]."""
    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson_bounds(share: float, n: float, z: float) -> tuple[float, float]:
    """The shares p with (share - p)**2 <= z**2 * p * (1 - p) / n, cut to [0, 1]; `n` need not be whole."""
    squared = z * z
    centre = (share + squared / (2 * n)) / (1 + squared / n)
    half = z / (1 + squared / n) * sqrt(max(share * (1 - share), 0) / n + squared / (4 * n * n))
    return (0.0 if share == 0 else max(0.0, centre - half)), (1.0 if share == 1 else min(1.0, centre + half))


def bounded_mean_bounds(units: Units, level: float, rows: int | None) -> tuple[float, float]:
    """Bounds for the mean of values in [0, 1], whose variance is taken to shrink towards 0 and 1 as p * (1 - p) does.

    `rows` is the number of rows when the values are 0 or 1 (a mean of other values varies less than a share) or `None`.
    Where nothing varies, each unit counts as one row: what clusters agree on wholly may be decided by the cluster.
    """
    share = units.estimate
    effective, quantile = _effective(units, level, share * (1 - share), rows)
    return wilson_bounds(share, effective, quantile)


def paired_share_bounds(gains: int, losses: int, units: Units, level: float) -> tuple[float, float]:
    """Tango's bounds for the difference of two shares of the same rows, `gains` + `losses` of which differ.

    `units` hold the differences (-1, 0, 1) and the numbers of rows.
    """
    rows = int(units.denominators.sum())
    difference = (gains - losses) / rows
    variance = (gains + losses) / rows - difference**2
    effective, quantile = _effective(units, level, variance, rows)
    up, down = gains * effective / rows, losses * effective / rows

    def score(d: float) -> float:
        linear = up + down - (2 * effective - up + down) * d
        down_share = (sqrt(max(linear**2 + 8 * effective * down * d * (1 - d), 0)) + linear) / (4 * effective)
        spread = effective * (2 * down_share + d * (1 - d))
        gap = up - down - effective * d
        return gap / sqrt(spread) if spread > 0 else (inf if gap > 0 else -inf if gap < 0 else 0.0)

    return _falling_root(score, -1, difference, quantile), _falling_root(score, difference, 1, -quantile)


def _effective(units: Units, level: float, row_variance: float, rows: int | None) -> tuple[float, float]:
    """How many independent rows of that variance are as uncertain as the units, and the quantile that goes with it."""
    g = len(units)
    if rows == g:
        return float(g), normal_quantile(level)
    variance = units.variance
    if g == 1 or variance <= 1e-12 * row_variance or row_variance <= 1e-12:
        return float(g), normal_quantile(level)
    effective = row_variance / variance
    quantile = float(require("scipy.special", "eval").stdtrit(g - 1, 0.5 + level / 2))
    return (effective if rows is None else min(effective, rows)), quantile


def _falling_root(function: Callable[[float], float], low: float, high: float, target: float) -> float:
    """Where a falling function crosses `target`, by bisection down to neighbouring numbers."""
    while (middle := (low + high) / 2) not in {low, high}:
        if function(middle) > target:
            low = middle
        else:
            high = middle
    return low if target > 0 else high
