"""Breaker, limit and budget around the calls of one cell, and what must hold of them when the calls are over."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from routing.call import Call, Guard, Leave, Outcome
from routing.chat import Usage
from routing.cost.budget import LocalBudgets
from routing.cost.ledger import LedgerEntry
from routing.errors import LimitError, OverloadedError
from routing.meter import Meter
from routing.resilience.breaker import Breakers, BreakerState
from routing.resilience.limits import Limiter
from routing.settings import BreakerSettings, LimitSettings
from tests.faults.outcomes import TRIES

BREAKER = BreakerSettings(failures=TRIES, window_seconds=0.5)
"""It opens with the last try, so that it changes nothing about the tries; a deadline that was missed was fair."""
TOKENS = 10**9
"""So many may go out in a minute."""
PER_CALL = LimitSettings(per="model", concurrent=1)
"""A slot that is not given back keeps the next try waiting, and the cell hangs."""


@dataclass(slots=True)
class Guards:
    """All that a cell's calls pass; `now` is the moment of breaker and limit, at which they stand still."""

    now: float = 1000.0
    bounds: list[Decimal] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    under_way: int = 0
    breakers: Breakers = field(init=False)
    limiter: Limiter = field(init=False)

    def __post_init__(self) -> None:
        self.breakers = Breakers(BREAKER, self.clock)
        everything = LimitSettings(per="everything", tokens_per_minute=TOKENS)
        self.limiter = Limiter([everything, PER_CALL], adaptive=False, clock=self.clock)

    def clock(self) -> float:
        """The moment."""
        return self.now

    def around(self, meter: Meter, budgets: LocalBudgets) -> Meter:
        """The same meter, with everything on."""
        guards: tuple[Guard, ...] = (self.breakers.early, self.limiter, self.breakers, self)
        return replace(meter, guards=guards, budgets=budgets)

    async def enter(self, call: Call) -> Leave:
        """The last guard: notes the most that each call may take."""
        assert call.bound is not None, call
        self.bounds.append(call.bound)
        self.tokens.append(call.input_tokens + call.output_tokens)
        self.under_way += 1
        return self.left

    def left(self, outcome: Outcome) -> None:
        """A call has come back."""
        del outcome
        self.under_way -= 1

    async def let_probe(self, model: str) -> None:
        """The model has failed before, and the next call finds out whether it works again."""
        for _ in range(TRIES):
            leave = await self.breakers.enter(Call("chat", model))
            leave(Outcome(Usage(), Decimal(0), 0.0, OverloadedError("503", model=model)))
        assert self.state(model).state == "open"
        self.now += BREAKER.cooldown_seconds

    def state(self, model: str) -> BreakerState:
        """How it stands with a model."""
        return next(state for state in self.breakers.states() if state.name == model)

    def spent(self, rows: list[LedgerEntry]) -> Decimal:
        """What a budget counts for rows that are those of all calls: what they cost, or may have cost at most."""
        return sum(
            (bound if row.cost is None else row.cost for row, bound in zip(rows, self.bounds, strict=True)), Decimal(0)
        )

    async def check(self, rows: list[LedgerEntry]) -> None:
        """Everything is given back but what was used: there is room for exactly so many tokens more."""
        assert (self.under_way, self.limiter.waiting) == (0, 0)
        used = sum(
            most if row.cost is None and row.error and row.usage == Usage() else _used(row)
            for row, most in zip(rows, self.tokens, strict=True)
        )
        call = Call("chat", "somebody/else", input_tokens=TOKENS - used, deadline=self.now)
        with pytest.raises(LimitError):
            await self.limiter.enter(replace(call, input_tokens=call.input_tokens + 1))
        (await self.limiter.enter(call))(Outcome(Usage(), Decimal(0), 0.0))


def _used(row: LedgerEntry) -> int:
    return row.usage.input_tokens + row.usage.output_tokens
