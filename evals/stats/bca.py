"""BCa bounds: percentiles of resampled estimates, corrected for bias and skewness (Efron, "Better Bootstrap Confidence
Intervals", JASA 1987; DiCiccio & Efron, "Bootstrap Confidence Intervals", Statistical Science 1996).

The percentiles can be widened as Student's t is wider than the normal: a resample of n units varies (n - 1) / n as much
as it should, and n - 1 degrees of freedom are few (Hesterberg, "What Teachers Should Know About the Bootstrap", The
American Statistician 2015, section 5.3, does so for the plain percentile interval).
"""

from __future__ import annotations

import numpy as np

from evals.stats.columns import Floats
from evals.stats.units import Units, draws
from plumbline.extras import require


def resampled_ratios(units: Units, resamples: int, generator: np.random.Generator) -> Floats:
    """The estimate of each resample, float[resamples]; a sum above 0 over 0 is infinite, and 0 over 0 is left out."""
    equal = bool(np.all(units.denominators == units.denominators[0]))
    found = []
    for drawn in draws(len(units), resamples, generator):
        numerators = units.numerators.take(drawn).sum(axis=1)
        if equal:
            found.append(numerators / (units.denominators[0] * len(units)))
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = numerators / units.denominators.take(drawn).sum(axis=1)
        found.append(ratios[~np.isnan(ratios)])
    return np.concatenate(found)


def bca_bounds(
    estimate: float, distribution: Floats, jackknife: Floats, level: float, *, widened: bool
) -> tuple[float, float]:
    """The two bounds, from the resampled estimates float[r] and the estimates without each unit float[g].

    `widened` is Hesterberg's correction; without it the bounds are those of `scipy.stats.bootstrap(method="BCa")`.
    """
    special = require("scipy.special", "eval")
    r, g = len(distribution), len(jackknife)
    below = (np.count_nonzero(distribution < estimate) + np.count_nonzero(distribution <= estimate)) / (2 * r)
    bias = special.ndtri(np.clip(below, 0.5 / r, 1 - 0.5 / r))
    influence = jackknife.mean() - jackknife
    spread = float(influence @ influence)
    if spread == 0:
        return estimate, estimate
    acceleration = float(np.sum(influence**3)) / (6 * spread**1.5)
    z = float(special.ndtri(0.5 + level / 2))
    if widened:
        z = float(np.sqrt(g / (g - 1)) * special.stdtrit(g - 1, 0.5 + level / 2))
    shares = [_share(bias + side, bias, acceleration) for side in (-z, z)]
    # Between two infinite values numpy interpolates NaN.
    with np.errstate(invalid="ignore"):
        levels = [float(special.ndtr(share)) for share in shares]
    finite = bool(np.isfinite(distribution).all())  # between infinite values nothing can be interpolated
    bounds = np.quantile(distribution, levels, method="linear" if finite else "inverted_cdf")
    return float(bounds[0]), float(bounds[1])


def _share(shifted: float, bias: float, acceleration: float) -> float:
    """The normal quantile at which to read the distribution; past the pole of the correction, its end."""
    scale = 1 - acceleration * shifted
    return bias + shifted / scale if scale > 0 else float(np.copysign(np.inf, shifted))
