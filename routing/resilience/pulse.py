"""Whether a model still answers: what calls in flight tell that have waited longer than answers take.

A model that takes requests and never answers is otherwise noticed when the first deadline is over, and until then every
call is sent to it. A notice that is wrong sends calls elsewhere that would have been answered, so that nothing is
noticed of calls the like of which is not known: of much longer ones, or of more at once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

KNOWN, KEPT = 20, 100
"""A call is overdue when it waits for longer than any of the last calls did that are like it. So many of these, at
least, must be known: the first ones of a model that thinks for minutes may be short.
"""
OVERDUE, LOOKED_AT = 3, 8
"""So many calls must be overdue, with nothing heard in all that time: each by itself may be a long answer. Of so many
that wait, those that began first.
"""
LIKE = 2
"""A call is like another that may be up to so many times as long, and goes out among up to so many times as many."""
BREATH = 0.05
"""Seconds in which answers are read that came while this process did something else."""
CROWD_SECONDS = 1.0
"""It goes out among those that began in so many seconds."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What goes out: when, how many tokens it may read and write at most, and how many went out in the last second."""

    at: float
    input_tokens: int = 0
    output_tokens: int = 0
    crowd: int = 1


@dataclass(slots=True)
class Pulse:
    """`least` is how long a call has at least, in seconds, before it is overdue; `None`: none ever is."""

    least: float | None
    _waits: deque[tuple[float, Asked]] = field(default_factory=lambda: deque(maxlen=KEPT))
    _begun: dict[int, Asked] = field(default_factory=dict)
    _lately: deque[float] = field(default_factory=deque)
    _number: int = 0
    _heard_at: float = float("-inf")
    _suspected_at: float | None = None

    def begin(self, now: float, input_tokens: int = 0, output_tokens: int = 0) -> int:
        """A call goes out, with what it may use at most; returns its number."""
        self._number += 1
        self._lately.append(now)
        self._begun[self._number] = Asked(now, input_tokens, output_tokens, self._crowd(now))
        return self._number

    def heard(self, number: int, now: float) -> None:
        """The call is answered, or the first word of its stream is there."""
        asked = self._begun.get(number)
        if asked is not None:
            self._waits.append((now - asked.at, asked))
        self.lives(number, now)

    def lives(self, number: int, now: float) -> None:
        """The call has ended with a sign of life which says nothing of how long answers take: it was refused."""
        self._heard_at = now
        self._suspected_at = None
        self.end(number)

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
        oldest = next(iter(self._begun.values()), None)
        if self.least is None or oldest is None or now - oldest.at < self.least or now - self._heard_at < self.least:
            return False  # mostly, and at once
        overdue, looked_at, crowd = 0, 0, self._crowd(now)
        for asked in self._begun.values():
            if asked.at < self._heard_at:
                continue
            if now - asked.at < self.least or looked_at == LOOKED_AT:
                break
            looked_at += 1
            patience = self._patience(asked, crowd)
            overdue += patience is not None and now - asked.at >= patience
        return overdue >= OVERDUE

    def _patience(self, asked: Asked, crowd: int) -> float | None:
        """How long the calls took at the longest that are like it; `None` while too few of them are known."""
        waits = [
            wait
            for wait, known in self._waits
            if LIKE * known.input_tokens >= asked.input_tokens and LIKE * known.output_tokens >= asked.output_tokens
        ]
        if len(waits) < KNOWN or crowd > LIKE * max(known.crowd for _, known in self._waits):
            return None
        return max(waits)

    def _crowd(self, now: float) -> int:
        lately = self._lately
        while lately and lately[0] <= now - CROWD_SECONDS:
            lately.popleft()
        return len(lately)
