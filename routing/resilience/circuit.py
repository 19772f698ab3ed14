"""One circuit: whether a model, or a provider's address, is asked, left alone, or tried by one probe.

The states are those of M. Nygard, *Release It!* (2007), "Circuit Breaker". Not safe for threads by itself: the breakers
hold their lock around it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from routing.resilience.pulse import Pulse
from routing.resilience.verdict import Verdict
from routing.settings import BreakerSettings

State = Literal["closed", "open", "half-open"]

_SMOOTHING = 0.1  # weight of the newest answer in the running mean of their times
_PATIENCE = 1.5  # so many mean times are a fair time


@dataclass(slots=True)
class Circuit:
    """Opens after `failures` in a row, each within the window of the one before, that outweigh the calls in flight.

    Calls in flight were sent already and may still succeed: among 64 at once two failures one after the other say
    little, so the failures must be the settings' share of themselves and what is in flight. A failure that had a fair
    time, in all of which nothing succeeded, need not wait for them. Calls of an earlier `turn` (begun before the state
    last changed) say nothing. It opens, too, when what is in flight is not answered (`Pulse`): then the first answer to
    that closes it.
    """

    name: str
    settings: BreakerSettings
    since: float
    state: State = "closed"
    failures: int = 0
    retry_at: float = 0.0
    cooldown: float = 0.0
    turn: int = 0
    in_flight: int = 0
    hopeful_since: float = 0.0
    last_failure: float = float("-inf")
    last_end: float = float("-inf")
    longest_try: float = float("inf")
    pulse: Pulse = field(init=False)
    stalled: bool = False
    mean_seconds: float | None = None
    known: bool = False
    """Whether other processes know that it is open."""

    def __post_init__(self) -> None:
        self.pulse = Pulse(self.settings.stall_seconds)

    @property
    def fair_seconds(self) -> float:
        """How long a call must have had before a missed deadline counts: one and a half times what answers take on
        the mean, or the window while nothing is known; no longer than a try may take.
        """
        mean = self.mean_seconds
        return min(self.settings.window_seconds if mean is None else _PATIENCE * mean, self.longest_try)

    def refuses(self, now: float) -> float | None:
        """In how many seconds it is worth asking again, or `None` when a call may go out now."""
        if self.state == "closed":
            return None
        if self.state == "half-open":
            return self.settings.cooldown_seconds
        return self.retry_at - now if self.retry_at > now else None

    def enter(self, now: float) -> int:
        """Count a call in, as the probe when it is open; returns its turn."""
        if self.state == "open":
            self._become("half-open", now)
        if self.in_flight == 0 and now - self.last_end > self.settings.window_seconds:
            self.hopeful_since = now
        self.in_flight += 1
        return self.turn

    def leave(self, turn: int, said: Verdict, seconds: float, now: float, retry_after: float | None) -> bool:
        """Count a call out; true when the state has changed."""
        if turn != self.turn:
            return said == "works" and self.revive(now)
        self.in_flight -= 1
        self.last_end = now
        if self.state == "half-open":
            return self._probed(said, now, retry_after)
        if said == "works":
            self.failures = 0
            self.hopeful_since = now
        elif said == "fails" or (said == "limited" and now - self.hopeful_since > self.settings.window_seconds):
            return self._failed(seconds, now, retry_after)
        return False

    def learn(self, seconds: float) -> None:
        """An answer took so long. What is refused is quick, and says nothing of that."""
        mean = self.mean_seconds
        self.mean_seconds = seconds if mean is None else mean + _SMOOTHING * (seconds - mean)

    def notice(self, now: float) -> bool:
        """Open when calls in flight are not answered; true when the state has changed."""
        if self.state != "closed" or not self.pulse.has_stalled(now):
            return False
        self._trip(now, self.settings.cooldown_seconds, None)
        self.stalled = True
        return True

    def revive(self, now: float) -> bool:
        """A call that was given up, or the probe, shows a sign of life; true when the state has changed."""
        if self.stalled and self.state != "closed":
            self.close(now)
            return True
        return False

    def open(self, now: float, wait: float, cooldown: float) -> None:
        """Leave it alone for `wait` seconds."""
        self.cooldown = cooldown
        self.retry_at = now + wait
        self._become("open", now)

    def close(self, now: float) -> None:
        """Ask it as before."""
        self.failures = 0
        self.cooldown = 0.0
        self.hopeful_since = now
        self.stalled = False
        self._become("closed", now)

    def orphan(self, now: float) -> None:
        """Know nothing of the calls that are out: those of the process that this one was forked from."""
        self.pulse = Pulse(self.settings.stall_seconds)
        self.in_flight = 0
        self.turn += 1
        if self.state == "half-open":
            self.open(now, 0.0, self.cooldown)

    def adopt(self, now: float, wait: float, cooldown: float) -> None:
        """Hear that it is open among all processes, to be tried again in `wait` seconds."""
        if self.state == "closed":
            self.open(now, wait, cooldown)
        elif self.state == "open":
            self.cooldown = max(self.cooldown, cooldown)
            self.retry_at = max(self.retry_at, now + wait)
        self.known = self.state == "open"

    def _become(self, state: State, now: float) -> None:
        if state != self.state:
            self.since = now
        self.state = state
        self.turn += 1
        self.in_flight = 0
        self.known = False

    def _failed(self, seconds: float, now: float, retry_after: float | None) -> bool:
        settings = self.settings
        self.failures = self.failures + 1 if now - self.last_failure <= settings.window_seconds + seconds else 1
        self.last_failure = now
        outweighs = self.failures >= settings.share * (self.failures + self.in_flight)
        hopeless = seconds >= self.fair_seconds and self.hopeful_since <= now - seconds
        if self.failures < settings.failures or not (outweighs or hopeless):
            return False
        self._trip(now, settings.cooldown_seconds, retry_after)
        return True

    def _probed(self, said: Verdict, now: float, retry_after: float | None) -> bool:
        if said == "works":
            self.close(now)
        elif said == "nothing":
            self.open(now, 0.0, self.cooldown)
        else:
            self.failures += 1
            self._trip(now, self.cooldown * 2, retry_after)
        return True

    def _trip(self, now: float, cooldown: float, retry_after: float | None) -> None:
        """What the provider asks for is a least cooldown, but no longer than the longest: a probe costs little."""
        longest = self.settings.longest_cooldown_seconds
        cooldown = min(cooldown, longest)
        self.open(now, max(cooldown, min(retry_after or 0.0, longest)), cooldown)
