"""How long models took lately."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

_KEPT = 256
_FRESH = 16  # a percentile is computed anew after so many times more


class Latencies:
    """The last times of each model, seconds; what is asked of them is exact for those (nearest rank).

    Of the recent and not of all, as sampling reservoirs and the P² algorithm would have it: a provider's day has hours.
    A model that was not asked for `forget_after` seconds is unknown again: nobody asks what is known to be slow, and it
    would never be seen to have become quick. May be used from several threads.
    """

    def __init__(self, forget_after: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self._forget_after = forget_after
        self._clock = clock
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}
        self._known: dict[tuple[str, float], tuple[int, float]] = {}
        self._counts: dict[str, int] = {}
        self._last: dict[str, float] = {}

    def add(self, model: str, seconds: float) -> None:
        """Remember one."""
        now = self._clock()
        with self._lock:
            times = self._times.get(model)
            if times is None or now - self._last[model] > self._forget_after:
                times = self._times[model] = deque(maxlen=_KEPT)
            times.append(seconds)
            self._last[model] = now
            self._counts[model] = self._counts.get(model, 0) + 1

    def percentile(self, model: str, share: float, least: int) -> float | None:
        """The time within which that share of the last calls ended; `None` when fewer than `least` are known."""
        with self._lock:
            times = self._times.get(model, ())
            if len(times) < max(least, 1) or self._clock() - self._last[model] > self._forget_after:
                return None
            count = self._counts[model]
            known = self._known.get((model, share))
            if known is None or count - known[0] >= min(_FRESH, len(times) // 4):
                rank = max(math.ceil(share * len(times)), 1)
                known = self._known[model, share] = (count, sorted(times)[rank - 1])
            return known[1]
