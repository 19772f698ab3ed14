"""Intervals for means, ratios, paired differences and anything else that can be computed from weighted rows.

Rows from one source stand and fall together, so that treating them as independent claims too much; with `clusters`
whole sources are resampled (Davison & Hinkley, *Bootstrap Methods and their Application*, 1997, section 3.8; Cameron,
Gelbach & Miller 2008). How an interval is made:

    auto     independent 0/1 values and values of known bounds: "score" (evals.stats.score). All else: "t"; where the
             data cannot support it (a few rare values among equal ones), "score" if it can be, else "bca-t"
    t        bootstrap-t, on residuals (evals.stats.studentised); Student's t below 5 units
    bca-t    BCa with percentiles widened as Student's t is (evals.stats.bca)
    bca      BCa as Efron has it

`docs/statistics.md` gives the measured coverage of each. What they cannot do: with one unit the interval is infinite
(but for score intervals), and values that are all equal give an interval of no width, "constant", for the data tell
nothing about what else could come.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from math import inf
from typing import Literal, get_args

import numpy as np

from evals.stats.bca import bca_bounds, resampled_ratios
from evals.stats.columns import (
    Floats,
    Indices,
    Numbers,
    check_choice,
    check_resamples,
    cluster_codes,
    column,
    columns_of_one_length,
)
from evals.stats.score import bounded_mean_bounds, paired_share_bounds
from evals.stats.studentised import FEWEST, student_bounds, studentised_bounds
from evals.stats.units import Units
from evals.stats.values import Interval
from plumbline.errors import InputError

RESAMPLES = 9_999
"""One less than a round number, so that each tail is a whole number of resamples (Davison & Hinkley, page 18)."""

Method = Literal["auto", "t", "bca-t", "bca"]
Clusters = Sequence[Hashable] | Indices


def bootstrap_mean(
    values: Numbers,
    *,
    clusters: Clusters | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "auto",
    bounds: tuple[float, float] | None = None,
) -> Interval:
    """The mean of `values`, float[n]; `clusters` gives the n labels of the groups that are resampled whole.

    `bounds`, such as (0, 1) for nDCG, are the least and the largest value there could be: with them the interval stays
    inside and, where "score" applies, is narrower. Values that are all 0 or 1 have these bounds anyway. The order of
    the rows does not matter. Raises `InputError` for no values, NaN, a value outside of the bounds, another number of
    labels than values.
    """
    rows = column(values, "values")
    codes = None if clusters is None else cluster_codes(clusters, len(rows))
    check_resamples(resamples, level)
    if bounds is not None:
        _check_bounds(rows, bounds)
    binary = _binary(rows) and (bounds is None or tuple(bounds) == (0, 1))
    units = Units.of(rows, np.ones(len(rows)), codes)
    if method != "auto" or (bounds is None and not binary):
        return _cut(_interval(units, codes, len(rows), level, resamples, seed, method), bounds)
    low, high = bounds or (0.0, 1.0)
    by, ends = "t", None if len(units) == len(rows) else _studentised(units, level, resamples, seed)
    if ends is None:
        scaled = Units((units.numerators - low * units.denominators) / (high - low), units.denominators)
        shares = bounded_mean_bounds(scaled, level, len(rows) if binary else None)
        by, ends = "score", (low + shares[0] * (high - low), low + shares[1] * (high - low))
    interval = Interval(units.estimate, ends[0], ends[1], level, len(rows), by, _count(codes))
    return _cut(interval, (low, high))


def bootstrap_ratio(
    numerators: Numbers,
    denominators: Numbers,
    *,
    clusters: Clusters | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "auto",
) -> Interval:
    """Sum of `numerators` over sum of `denominators`, both float[n]: dollars per correct answer, and the like.

    "t" never divides by a resampled denominator (Fieller's way). Under "bca" and "bca-t" a resample whose denominators
    are all 0 counts as infinite, or is left out when its numerators are 0, too. The upper bound is infinite when the
    denominators are so few that 0 of them cannot be ruled out. Raises `InputError` also for a negative denominator and
    when all are 0.
    """
    above, below = columns_of_one_length({"numerators": numerators, "denominators": denominators})
    codes = None if clusters is None else cluster_codes(clusters, len(above))
    check_resamples(resamples, level)
    if (wrong := np.flatnonzero(below < 0)).size:
        raise InputError(f"denominators[{wrong[0]}] is {below[wrong[0]]}; a denominator cannot be negative.")
    if not below.any():
        raise InputError("All denominators are 0: there is nothing to divide by.")
    interval = _interval(Units.of(above, below, codes), codes, len(above), level, resamples, seed, method)
    return _cut(interval, (0, inf)) if (above >= 0).all() else interval


def paired_difference(
    first: Numbers,
    second: Numbers,
    *,
    clusters: Clusters | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: Method = "auto",
) -> Interval:
    """The mean of `first` - `second`, float[n] each, over the same rows: positive when the first is larger.

    What both find easy or hard cancels, so that this is far sharper than comparing two intervals. 0/1 values get
    Tango's score interval ("auto"). Differences that are all equal but not 0 exclude 0 only when a sign test could:
    with six units at level 0.95. Raises `InputError` as `bootstrap_mean` does, and for columns of different lengths.
    """
    one, two = columns_of_one_length({"first": first, "second": second})
    codes = None if clusters is None else cluster_codes(clusters, len(one))
    check_resamples(resamples, level)
    differences = one - two
    units = Units.of(differences, np.ones(len(one)), codes)
    if method == "auto" and _binary(one) and _binary(two):
        by, ends = "t", None if len(units) == len(one) else _studentised(units, level, resamples, seed)
        if ends is None:
            gains, losses = int(np.count_nonzero(differences > 0)), int(np.count_nonzero(differences < 0))
            by, ends = "score", paired_share_bounds(gains, losses, units, level)
        return _cut(Interval(units.estimate, ends[0], ends[1], level, len(one), by, _count(codes)), (-1, 1))
    interval = _interval(units, codes, len(one), level, resamples, seed, method)
    if interval.method == "constant" and 0.5 ** (len(units) - 1) > 1 - level + 1e-12:
        return replace(interval, low=min(interval.low, 0.0), high=max(interval.high, 0.0))
    return interval


def _interval(
    units: Units, codes: Indices | None, n: int, level: float, resamples: int, seed: int, method: Method
) -> Interval:
    """Any mean or ratio, by the first way that can be gone."""
    check_choice(method, get_args(Method))

    def made(by: str, bounds: tuple[float, float]) -> Interval:
        return Interval(units.estimate, bounds[0], bounds[1], level, n, by, _count(codes))

    if len(units) == 1:
        return made("one unit", (-inf, inf))
    if _constant(units):
        return made("constant", (units.estimate, units.estimate))
    if method in {"auto", "t"}:
        if len(units) < FEWEST:
            return made("student", student_bounds(units, level))
        bounds = _studentised(units, level, resamples, seed)
        if bounds is not None:
            return made("t", bounds)
        method = "bca-t"
    distribution = resampled_ratios(units, resamples, np.random.default_rng(seed))
    widened = method == "bca-t"
    return made(method, bca_bounds(units.estimate, distribution, units.without_each(), level, widened=widened))


def _studentised(units: Units, level: float, resamples: int, seed: int) -> tuple[float, float] | None:
    if len(units) < FEWEST or _constant(units):
        return None
    return studentised_bounds(units, level, resamples, np.random.default_rng(seed))


def _constant(units: Units) -> bool:
    """Whether nothing varies but by rounding."""
    return bool(np.abs(units.residuals).max() <= 1e-12 * np.abs(units.numerators).max())


def _count(codes: Indices | None) -> int | None:
    return None if codes is None else int(codes.max()) + 1


def _binary(rows: Floats) -> bool:
    return bool(np.all((rows == 0) | (rows == 1)))


def _check_bounds(rows: Floats, bounds: tuple[float, float]) -> None:
    low, high = bounds
    if not low < high:
        raise InputError(f"bounds must be the least and the largest possible value; {bounds} was given.")
    if (wrong := np.flatnonzero((rows < low) | (rows > high))).size:
        raise InputError(f"values[{wrong[0]}] is {rows[wrong[0]]}, outside of the bounds {bounds}.")


def _cut(interval: Interval, bounds: tuple[float, float] | None) -> Interval:
    """The interval without what lies outside of what is possible."""
    if bounds is None:
        return interval
    return replace(interval, low=max(interval.low, bounds[0]), high=min(interval.high, bounds[1]))
