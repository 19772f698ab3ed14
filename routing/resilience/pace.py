"""How many calls at once a model takes: found out by its answers that there are too many."""

from __future__ import annotations

import math

from routing.call import Outcome
from routing.errors import RateLimitError
from routing.resilience.need import Need

_CUT = 0.5
_FORGET_SECONDS = 600.0
_NO_CREDIT = 402
_ROUNDING = 1e-9


class Pace:
    """Additive increase, multiplicative decrease (D.-M. Chiu and R. Jain, "Analysis of the Increase and Decrease
    Algorithms for Congestion Avoidance in Computer Networks", 1989) of the calls in flight.

    Without a limit until the first 429, which halves what is in flight; only calls that began after the last cut can
    cut again, as in TCP, since all of one burst are refused together. Every answer in full flight then adds its part
    of one call more. `Retry-After` is a pause for all, of ten minutes at most: then it is found
    out whether it is still meant. Ten minutes without a 429 lift the limit.
    """

    __slots__ = ("_cut_at", "_paused_until", "in_flight", "limit", "waiting")

    def __init__(self) -> None:
        self.limit = math.inf
        self.in_flight = 0
        self.waiting = 0
        self._paused_until = -math.inf
        self._cut_at = -math.inf

    def pause(self, now: float) -> float:
        """For how many seconds more the model asked to be left alone."""
        return max(self._paused_until - now, 0.0)

    def wait(self, need: Need, now: float) -> float:
        """In how many seconds a call may go out: 0.0 for now, infinite when one must come back first."""
        del need
        if self.in_flight < 1 or self.limit == math.inf or self.in_flight + 1 <= self.limit + _ROUNDING:
            return max(self._paused_until - now, 0.0)
        if now - self._cut_at > _FORGET_SECONDS:
            self.limit = math.inf
            return 0.0
        return math.inf

    def take(self, need: Need, now: float) -> None:
        """Count a call out."""
        del need, now
        self.in_flight += 1

    def leave(self, need: Need, used: Need, outcome: Outcome, taken_at: float, now: float) -> None:
        """Count a call in again, and learn from it."""
        del need, used
        in_flight = self.in_flight
        self.in_flight -= 1
        error = outcome.error
        if isinstance(error, RateLimitError) and error.status != _NO_CREDIT:
            if taken_at > self._cut_at:
                self.limit = max(1.0, math.floor(in_flight * _CUT))
                self._cut_at = now
            if error.retry_after:
                self._paused_until = max(self._paused_until, now + min(error.retry_after, _FORGET_SECONDS))
        elif error is None and outcome.made and in_flight + 1 > self.limit + _ROUNDING:
            self.limit += 1 / math.floor(self.limit)
