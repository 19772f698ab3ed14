"""An interval as data."""

from __future__ import annotations

import math

from evals.stats import Interval
from rag.output import Output


class IntervalOutput(Output):
    """An estimate with its interval of the given `level` over `n` rows in `clusters` groups (`null`: each by itself).

    An end is `null` where it has no bound; `method` is explained in docs/statistics.md.
    """

    estimate: float
    low: float | None
    high: float | None
    level: float
    n: int
    clusters: int | None
    method: str

    @classmethod
    def of(cls, interval: Interval) -> IntervalOutput:
        """From an interval."""
        return cls(
            estimate=float(interval.estimate),
            low=_finite(interval.low),
            high=_finite(interval.high),
            level=interval.level,
            n=interval.n,
            clusters=interval.clusters,
            method=interval.method,
        )

    @classmethod
    def maybe(cls, interval: Interval | None) -> IntervalOutput | None:
        """From an interval, or `None` where there is none."""
        return None if interval is None else cls.of(interval)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
