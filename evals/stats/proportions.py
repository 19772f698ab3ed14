"""The interval of a share of independent rows."""

from __future__ import annotations

from evals.stats.columns import check_level
from evals.stats.score import normal_quantile, wilson_bounds
from evals.stats.values import Interval
from plumbline.errors import InputError


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share ("Probable Inference …", JASA 1927), good from very few rows on.

    Recommended over its peers by Brown, Cai & DasGupta ("Interval Estimation for a Binomial Proportion", Statistical
    Science 2001). For rows in clusters use `bootstrap_mean`. Raises `InputError` unless 0 <= successes <= n and n > 0.
    """
    check_level(level)
    if not 0 <= successes <= n or n <= 0:
        raise InputError(f"wilson needs 0 <= successes <= n and n > 0; {successes} of {n} were given.")
    low, high = wilson_bounds(successes / n, n, normal_quantile(level))
    return Interval(successes / n, low, high, level, n, "score")
