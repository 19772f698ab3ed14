"""What a month will cost, from the days there are."""

from __future__ import annotations

import calendar
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from statistics import NormalDist, fmean, stdev

LEVEL = 0.95
WINDOW_DAYS = 28
LEAST_DAYS = 7
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Forecast:
    """The month of `today`: what is spent, and what it will come to by the mean of the last whole `days`.

    `low` and `high` hold a 95 % prediction interval (Student's t, days taken as independent of each other); `None`
    with fewer than 7 whole days, and `estimate` with none. None of them counts the `unpriced` calls; where nothing
    else is known of those days, there is no forecast.
    """

    month: str
    spent: Decimal
    days: int
    days_left: int
    estimate: Decimal | None
    low: Decimal | None
    high: Decimal | None
    unpriced: int = 0


def forecast(days: Mapping[date, Decimal], today: date, unpriced: int = 0) -> Forecast:
    """The forecast from what was spent by day; days without a call count as 0 from the first one on.

    Today is not over: what it has cost is spent, what is still to come of it counts as left, as a whole day.
    """
    past = _last_days(days, today)
    length = calendar.monthrange(today.year, today.month)[1]
    spent = sum((cost for day, cost in days.items() if (day.year, day.month) == (today.year, today.month)), Decimal(0))
    left = length - today.day + 1
    month = f"{today:%Y-%m}"
    if not past or (unpriced and not any(days.values())):
        return Forecast(month, spent, len(past), left, None, None, None, unpriced)
    before = spent - days.get(today, Decimal(0))
    mean = sum(past, Decimal(0)) / len(past)
    estimate = max(spent, (before + mean * left).quantize(_CENT))
    if len(past) < LEAST_DAYS:
        return Forecast(month, spent, len(past), left, estimate, None, None, unpriced)
    reach = Decimal(_reach([float(cost) for cost in past], left)).quantize(_CENT)
    low, high = max(spent, estimate - reach), estimate + reach
    return Forecast(month, spent, len(past), left, estimate, low, high, unpriced)


def _last_days(days: Mapping[date, Decimal], today: date) -> list[Decimal]:
    """The costs of the last whole days before `today`, at most 28, back to the first day with a call."""
    known = [day for day in days if day < today]
    if not known:
        return []
    count = min(WINDOW_DAYS, (today - min(known)).days)
    return [days.get(today - timedelta(days=back), Decimal(0)) for back in range(1, count + 1)]


def _reach(past: list[float], left: int) -> float:
    """Half the width of the prediction interval of the sum of `left` more days: their spread, and the mean's."""
    spread = stdev(past, fmean(past)) * math.sqrt(left + left**2 / len(past))
    return _t_quantile((1 + LEVEL) / 2, len(past) - 1) * spread


def _t_quantile(p: float, freedom: int) -> float:
    """Student's t by the Cornish-Fisher expansion (Abramowitz and Stegun 26.7.5): right to 1 % from 6 degrees on."""
    z = NormalDist().inv_cdf(p)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3
