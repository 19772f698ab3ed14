"""How long models took lately."""

from __future__ import annotations

import math
from collections import deque

_KEPT = 256
_FRESH = 16  # a percentile is computed anew after so many times more


class Latencies:
    """The last times of each model, seconds; what is asked of them is exact for those (nearest rank).

    Of the recent and not of all, as sampling reservoirs and the P² algorithm would have it: a provider's day has hours.
    """

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}
        self._known: dict[tuple[str, float], tuple[int, float]] = {}
        self._counts: dict[str, int] = {}

    def add(self, model: str, seconds: float) -> None:
        """Remember one."""
        self._times.setdefault(model, deque(maxlen=_KEPT)).append(seconds)
        self._counts[model] = self._counts.get(model, 0) + 1

    def percentile(self, model: str, share: float, least: int) -> float | None:
        """The time within which that share of the last calls ended; `None` when fewer than `least` are known."""
        times = self._times.get(model, ())
        if len(times) < max(least, 1):
            return None
        count = self._counts[model]
        known = self._known.get((model, share))
        if known is None or count - known[0] >= _FRESH:
            rank = max(math.ceil(share * len(times)), 1)
            known = self._known[model, share] = (count, sorted(times)[rank - 1])
        return known[1]
