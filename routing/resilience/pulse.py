"""Whether a model still answers: what calls in flight tell that have waited longer than answers take.

A model that takes requests and never answers is otherwise noticed when the first deadline is over, and until then every
call is sent to it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

KNOWN, KEPT = 20, 100
"""A call is overdue when it waits for longer than any of the last calls did. So many, at least, must be known: the
first ones of a model that thinks for minutes may be short.
"""
OVERDUE = 3
"""So many calls must be overdue, with nothing heard in all that time: each by itself may be a long answer."""
BREATH = 0.05
"""Seconds in which answers are read that came while this process did something else."""


@dataclass(slots=True)
class Pulse:
    """`least` is how long a call has at least, in seconds, before it is overdue; `None`: none ever is."""

    least: float | None
    _waits: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    _begun: dict[int, float] = field(default_factory=dict)
    _number: int = 0
    _heard_at: float = float("-inf")
    _suspected_at: float | None = None

    @property
    def patience(self) -> float | None:
        """In how many seconds a call is overdue, if ever."""
        if self.least is None or len(self._waits) < KNOWN:
            return None
        return max(self.least, *self._waits)

    def begin(self, now: float) -> int:
        """A call goes out; returns its number."""
        self._number += 1
        self._begun[self._number] = now
        return self._number

    def heard(self, number: int, now: float) -> None:
        """The call is answered, or the first word of its stream is there."""
        self._heard_at = now
        self._suspected_at = None
        begun = self._begun.pop(number, None)
        if begun is not None:
            self._waits.append(now - begun)

    def end(self, number: int) -> None:
        """The call has ended, and nothing was heard."""
        self._begun.pop(number, None)

    def has_stalled(self, now: float) -> bool:
        """Whether calls are overdue and nothing was heard since they began.

        Asked twice before it is true, a breath apart: where this process did something else for a while, answers have
        come that nobody has read yet.
        """
        if not self._is_suspect(now):
            self._suspected_at = None
            return False
        if self._suspected_at is None:
            self._suspected_at = now
        return now - self._suspected_at >= BREATH

    def _is_suspect(self, now: float) -> bool:
        oldest = next(iter(self._begun.values()), now)
        if self.least is None or now - oldest < self.least or now - self._heard_at < self.least:
            return False  # mostly, and at once
        patience = self.patience
        if patience is None or now - self._heard_at < patience:
            return False
        overdue = 0
        for begun in self._begun.values():
            if now - begun < patience or overdue == OVERDUE:
                break
            overdue += begun >= self._heard_at
        return overdue >= OVERDUE
