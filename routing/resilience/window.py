"""A sliding minute: how much was taken in it, and when there is room again.

A sliding window over slots of one second ("sliding window counters"; J. Desgats, "How we built rate limiting capable of
scaling to millions of domains", Cloudflare 2017, which weights two slots of the window's own length). Here the window
is the last sixty whole seconds and the present one, so that no minute, wherever it begins, ever holds more than the
limit; the price is that room returns up to a second late. A token bucket, or GCRA, would let twice the limit into a
minute.
"""

from __future__ import annotations

import math

SECONDS = 60
_SLOTS = SECONDS + 1


class Window:
    """At most `limit` in a minute. Amounts are whole numbers, moments seconds of any clock that does not go back."""

    __slots__ = ("_second", "_slots", "_total", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._slots = [0] * _SLOTS
        self._second = 0
        self._total = 0

    def wait(self, amount: int, now: float) -> float:
        """In how many seconds so much may be taken, 0.0 for now; more than the limit takes several minutes."""
        second = self._turned(now)
        if self._total + amount <= self.limit:
            return 0.0
        full, rest = divmod(max(amount - 1, 0), self.limit)
        over = self._total + (rest + 1 if amount else 0) - self.limit
        if over <= 0:
            return float(full * SECONDS)
        for old in range(second - SECONDS, second + 1):
            over -= self._slots[old % _SLOTS]
            if over <= 0:
                return full * SECONDS + (old + _SLOTS) - now
        raise AssertionError("what is in the window fits it")

    def take(self, amount: int, now: float) -> None:
        """Count so much now, whether it fits or not."""
        slot = self._turned(now) % _SLOTS
        self._slots[slot] += amount
        self._total += amount

    def give_back(self, amount: int, taken_at: float, now: float) -> None:
        """Count so much less of what was taken at that moment; nothing when that is more than a minute ago."""
        second = math.floor(taken_at)
        if second >= self._turned(now) - SECONDS:
            amount = min(amount, self._slots[second % _SLOTS])
            self._slots[second % _SLOTS] -= amount
            self._total -= amount

    def is_empty(self, now: float) -> bool:
        """Whether nothing is counted."""
        self._turned(now)
        return self._total == 0

    def _turned(self, now: float) -> int:
        """The present second, what is too old being forgotten."""
        second = max(math.floor(now), self._second)
        if second > self._second:
            for old in range(max(self._second + 1, second - SECONDS), second + 1):
                self._total -= self._slots[old % _SLOTS]
                self._slots[old % _SLOTS] = 0
            self._second = second
        return second
