"""How money and time look to people."""

from __future__ import annotations

import math
from decimal import Decimal

from evals.interval import IntervalOutput

UNKNOWN = "unknown"


def dollars(value: float | Decimal | None) -> str:
    """Dollars with three digits that matter; a price that nobody knows is said to be unknown."""
    if value is None:
        return UNKNOWN
    amount = float(value)
    if amount == 0:
        return "$0"
    digits = 2 if abs(amount) >= 1 else min(2 - math.floor(math.log10(abs(amount))), 9)
    return f"${amount:,.{digits}f}"


def money(interval: IntervalOutput | None) -> str:
    """Dollars with their interval; "unknown" when a price is."""
    if interval is None:
        return UNKNOWN
    if interval.estimate == interval.low == interval.high == 0:
        return "$0"
    low, high = ("∞" if end is None else dollars(end).removeprefix("$") for end in (interval.low, interval.high))
    return f"{dollars(interval.estimate)} [{low}, {high}]"


def duration(seconds: float | None) -> str:
    """A time; a dash for none."""
    if seconds is None:
        return "–"
    return f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f} ms" if seconds < 1 else f"{seconds:.1f} s"
