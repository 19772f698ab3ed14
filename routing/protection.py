"""What stands guard over the calls of a process, as its settings say: one breaker, one limiter, one set of budgets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from plumbline.errors import StorageError
from routing.call import Guard
from routing.cost.budget import LocalBudgets
from routing.cost.budget_redis import RedisBudgets
from routing.cost.budget_state import BudgetState
from routing.cost.ledger import Ledger
from routing.resilience.breaker import Breakers, BreakerState
from routing.resilience.hedge import Hedges
from routing.resilience.latency import Latencies
from routing.resilience.limits import Limiter
from routing.resilience.redis_link import RedisLink, RedisLostError
from routing.resilience.retry import RetryBudgets
from routing.resilience.shared import RedisCircuits
from routing.resilience.shared_limits import RedisLimits
from routing.settings import RoutingSettings

HEAR_SECONDS = 1.0
"""How long the shared server is waited for when somebody wants to see how things stand."""

TYPICAL_OF = 5
"""Of so many answers, at least, it is told what is typical."""
FORGOTTEN_SECONDS = 600.0
"""A model that did not answer for so long may have become quick, or slow."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the budgets stand, and what is left alone now; `unknown` says why the budgets cannot be told."""

    budgets: tuple[BudgetState, ...] = ()
    left_alone: tuple[BreakerState, ...] = ()
    unknown: str | None = None


@dataclass(frozen=True, slots=True)
class Protection:
    """The guards that calls pass, in this order, and the budgets that they count in; shared by all of a process."""

    retry_budgets: RetryBudgets
    breakers: Breakers | None
    limiter: Limiter | None
    budgets: LocalBudgets | RedisBudgets | None
    hedges: Hedges | None
    link: RedisLink | None
    latencies: Latencies = field(default_factory=lambda: Latencies(FORGOTTEN_SECONDS))

    @property
    def guards(self) -> tuple[Guard, ...]:
        """The breakers come last: who waits for a limit is not in flight, should not be the probe, and must hear of a
        failure meanwhile. Nor is it asked to wait in vain, so that what is left alone is refused in front, too.
        """
        if self.breakers is None or self.limiter is None:
            return tuple(guard for guard in (self.limiter, self.breakers) if guard is not None)
        return self.breakers.early, self.limiter, self.breakers

    def typical_seconds(self, model: str) -> float | None:
        """How long a model took lately, in the middle: to the first word of a stream, to the end of what came in one
        piece. The time at the provider alone, waits and failures left out; `None` while too few answers are known.
        """
        return self.latencies.percentile(model, 0.5, TYPICAL_OF)

    def states(self) -> tuple[BreakerState, ...]:
        """How it stands with every model and provider that was asked, by name."""
        return () if self.breakers is None else self.breakers.states()

    async def standing(self) -> Standing:
        """How budgets and breakers stand, also by what other processes have told the shared server by now."""
        if self.link is not None:
            with suppress(RedisLostError, TimeoutError):  # what this process knows by itself is told then
                await asyncio.wait_for(asyncio.wrap_future(self.link.submit("return 1", [], [])), HEAR_SECONDS)
        left_alone = tuple(state for state in self.states() if state.state != "closed")
        try:
            budgets = [] if self.budgets is None else await self.budgets.states()
        except StorageError as error:  # the shared server is away; everything else can be told all the same
            return Standing(left_alone=left_alone, unknown=error.message)
        return Standing(tuple(budgets), left_alone)

    async def close(self) -> None:
        """Give the connections back."""
        if self.budgets is not None:
            await self.budgets.close()
        if self.link is not None:
            await asyncio.to_thread(self.link.close)  # a server that is slow is waited for


def protect(
    settings: RoutingSettings,
    path: Path,
    addresses: Mapping[str, str] | None = None,
    ledger: Ledger | None = None,
) -> Protection:
    """What `settings` ask for; `path` is the home's database, `addresses` say where models are served.

    `ledger` is the one whose rows the budgets are written with.

    Raises `ConfigError` for limits, budgets or an address that cannot be meant, and `MissingExtraError` without the
    extra `redis` where `shared` names a server.
    """
    with ExitStack() as undo:
        link = None
        if settings.shared is not None:
            link = RedisLink(settings.shared)
            undo.callback(link.close)
        protection = Protection(
            retry_budgets=RetryBudgets(settings.retry),
            breakers=_breakers(settings, link, addresses),
            limiter=_limiter(settings, link),
            budgets=_budgets(settings, link, path, ledger),
            hedges=None if settings.hedge.after == "never" else Hedges(settings.hedge),
            link=link,
        )
        undo.pop_all()
    return protection


def _breakers(
    settings: RoutingSettings, link: RedisLink | None, addresses: Mapping[str, str] | None
) -> Breakers | None:
    if not settings.breaker.enabled:
        return None
    return Breakers(
        settings.breaker,
        shared=None if link is None else RedisCircuits(link),
        addresses=dict(addresses or {}),
        longest_try=settings.retry.try_seconds,
    )


def _limiter(settings: RoutingSettings, link: RedisLink | None) -> Limiter | None:
    if not settings.limits and not settings.adaptive:
        return None
    return Limiter(
        settings.limits,
        settings.queue,
        settings.adaptive,
        shared=None if link is None else RedisLimits(link),
        longest_pause=settings.retry.longest_wait_seconds,
        unpriced=settings.unpriced,
    )


def _budgets(
    settings: RoutingSettings, link: RedisLink | None, path: Path, ledger: Ledger | None
) -> LocalBudgets | RedisBudgets | None:
    if not settings.budgets:
        return None
    if link is None:
        return LocalBudgets(path, settings.budgets, unpriced=settings.unpriced, ledger=ledger)
    return RedisBudgets(link, path, settings.budgets, unpriced=settings.unpriced, away=settings.shared_away)
