"""What a call counts against: for each limit that its model fits, the counter of whoever it is counted for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from plumbline.errors import ConfigError
from routing.call import Call, Outcome
from routing.resilience.need import NANO, Need, Resource, nano_dollars
from routing.resilience.shared_limits import Claim
from routing.resilience.window import Window
from routing.settings import LimitSettings


class Counter:
    """One limit as it stands for one subject.

    `held_until` is when other machines leave room again, `waiting` in how many flows calls wait that fall under it.
    """

    __slots__ = ("concurrent", "described", "held_until", "in_flight", "key", "settings", "waiting", "windows")

    def __init__(self, settings: LimitSettings, key: str, subject: str) -> None:
        self.settings = settings
        self.key = key
        self.described = f"the {settings.per} '{subject}'" if subject else "everything"
        self.concurrent = math.inf if settings.concurrent is None else settings.concurrent
        self.in_flight = 0
        self.waiting = 0
        self.held_until = -math.inf
        cost = None if settings.cost_per_minute is None else nano_dollars(settings.cost_per_minute)
        limits: dict[Resource, int | None] = {
            "requests": settings.requests_per_minute,
            "tokens": settings.tokens_per_minute,
            "cost": cost,
        }
        self.windows = tuple((resource, Window(limit)) for resource, limit in limits.items() if limit is not None)

    def wait(self, need: Need, now: float) -> float:
        """In how many seconds there is room: 0.0 for now, infinite when a call must come back first."""
        if self.in_flight >= self.concurrent:
            return math.inf
        wait = max(self.held_until - now, 0.0)
        for resource, window in self.windows:
            wait = max(wait, window.wait(need.of(resource), now))
        return wait

    def take(self, need: Need, now: float) -> None:
        """Count a call out, with the most it may take."""
        self.in_flight += 1
        for resource, window in self.windows:
            window.take(need.of(resource), now)

    def leave(self, need: Need, used: Need, outcome: Outcome, taken_at: float, now: float) -> None:
        """Count a call in again, with what it took."""
        del outcome
        self.in_flight -= 1
        for resource, window in self.windows:
            spare = need.of(resource) - used.of(resource)
            if spare > 0:
                window.give_back(spare, taken_at, now)
            elif spare < 0:
                window.take(-spare, now)

    def exceeded(self, need: Need) -> tuple[Resource, str] | None:
        """Of what a call needs more than the limit allows in any minute, and the limit for people."""
        for resource, window in self.windows:
            if need.of(resource) > window.limit:
                return resource, f"${window.limit / NANO:f}" if resource == "cost" else str(window.limit)
        return None

    def claims(self, need: Need) -> list[Claim]:
        """The same for whoever counts for all machines."""
        claims = [Claim(self.key, resource, need.of(resource), window.limit) for resource, window in self.windows]
        if self.settings.concurrent is not None:
            claims.append(Claim(self.key, "concurrent", 1, self.settings.concurrent))
        return claims

    @property
    def has_cost(self) -> bool:
        """Whether dollars are counted."""
        return self.settings.cost_per_minute is not None

    def is_idle(self, now: float) -> bool:
        """Whether it may be forgotten."""
        if self.in_flight or self.waiting or self.held_until > now:
            return False
        return all(window.is_empty(now) for _, window in self.windows)


class Counters:
    """All counters; those of subjects that did nothing for a minute are forgotten now and then."""

    def __init__(self, limits: Sequence[LimitSettings]) -> None:
        if any(limit.per == "request" for limit in limits):
            raise ConfigError(
                "A limit cannot be counted for each request: that is what a budget does.",
                key="routing.limits.per",
                value="request",
                hint="Count it for everything, or each session, tenant, key, model, provider or purpose.",
            )
        self._limits = tuple((f"{number}:{limit.per}:{limit.match}", limit) for number, limit in enumerate(limits))
        self._of_model: dict[str, tuple[tuple[str, LimitSettings], ...]] = {}
        self._counters: dict[str, Counter] = {}
        self._sweep_at = 1024

    def __len__(self) -> int:
        return len(self._counters)

    def __iter__(self) -> Iterator[Counter]:
        return iter(self._counters.values())

    def of(self, call: Call, now: float) -> tuple[Counter, ...]:
        """The counters that the call falls under; a limit for each tenant, say, leaves out calls of no tenant."""
        limits = self._of_model.get(call.model)
        if limits is None:
            limits = tuple(pair for pair in self._limits if fnmatchcase(call.model, pair[1].match))
            self._of_model[call.model] = limits
        found = []
        for name, limit in limits:
            subject = _subject(limit, call)
            if subject is not None:
                key = f"{name}:{subject}"
                found.append(self._counters.get(key) or self._new(limit, key, subject, now))
        return tuple(found)

    def _new(self, limit: LimitSettings, key: str, subject: str, now: float) -> Counter:
        if len(self._counters) >= self._sweep_at:
            for old in [key for key, counter in self._counters.items() if counter.is_idle(now)]:
                del self._counters[old]
            self._sweep_at = max(1024, 2 * len(self._counters))
        return self._counters.setdefault(key, Counter(limit, key, subject))


def _subject(limit: LimitSettings, call: Call) -> str | None:
    tags = call.tags
    subjects = {
        "everything": "",
        "session": tags.session,
        "tenant": tags.tenant,
        "key": tags.key,
        "model": call.model,
        "provider": call.provider,
        "purpose": tags.purpose,
    }
    return subjects[limit.per]
