"""How budgets stand, and what they say when they refuse."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from routing.call import Call
from routing.cost.budget_terms import Budget, Claim, Period, dollars
from routing.errors import BudgetError, Refusal

_log = logging.getLogger("routing.cost.budget")

_WHOSE = {"everything": "of everything", "request": "of this question"}


@dataclass(frozen=True, slots=True)
class BudgetState:
    """How a budget stands for one subject in the current period, in dollars.

    `assumed` is the part of `spent` that stands for calls whose cost was never learned: the most they may have cost.
    `reserved` is for calls that are under way.
    """

    name: str
    per: str
    subject: str
    period: str
    ends: datetime | None
    limit: Decimal
    soft: Decimal
    spent: Decimal
    reserved: Decimal
    assumed: Decimal

    @property
    def share(self) -> float:
        """Of the limit that is spent; 1 where the limit is 0."""
        return float(self.spent / self.limit) if self.limit else 1.0

    @property
    def soft_reached(self) -> bool:
        """Whether as much is spent as it warns of."""
        return self.spent >= self.soft


@dataclass(frozen=True, slots=True)
class Full:
    """A claim that does not fit, with what was counted when that was seen."""

    claim: Claim
    spent: int
    reserved: int


def states_of(budget: Budget, period: Period, rows: Iterable[tuple[str, int, int, int]]) -> list[BudgetState]:
    """From subject, spent, reserved and assumed in picodollars; a budget for one subject is there before its calls."""
    rows = list(rows)
    settings = budget.settings
    only = "" if settings.per == "everything" else settings.only
    if not rows and only is not None:
        rows = [(only, 0, 0, 0)]
    return [
        BudgetState(
            settings.name,
            settings.per,
            subject,
            period.label,
            _moment(period.ends),
            dollars(budget.limit),
            dollars(budget.soft),
            dollars(spent),
            dollars(reserved),
            dollars(assumed),
        )
        for subject, spent, reserved, assumed in rows
    ]


def over_budget(call: Call, full: Full, bound: int) -> BudgetError:
    """The error of a call that does not fit."""
    claim = full.claim
    settings = claim.budget.settings
    refusal = Refusal(
        settings.name,
        settings.per,
        claim.subject,
        claim.period.label,
        _moment(claim.period.ends),
        dollars(claim.budget.limit),
        dollars(full.spent),
        dollars(full.reserved),
        dollars(bound),
    )
    whose = _WHOSE.get(settings.per) or f"of {settings.per} '{claim.subject}'"
    when = "" if claim.period.label in {"own", "total"} else f" in {claim.period.label} (UTC)"
    ends = "" if refusal.ends is None else f" It begins anew at {refusal.ends:%Y-%m-%d %H:%M} UTC."
    return BudgetError(
        f"The budget '{settings.name}' {whose}{when} has no room for a call of {call.model}: of {shown(refusal.limit)} "
        f"{shown(refusal.spent)} are spent and {shown(refusal.reserved)} reserved, and the call may cost up to "
        f"{shown(refusal.bound)}.{ends}",
        model=call.model,
        refusal=refusal,
        hint="Ask for fewer tokens or a cheaper model, or raise its limit in routing.budgets.",
    )


def unknown_bound(call: Call, claim: Claim) -> BudgetError:
    """The error of a call that may cost nobody knows how much."""
    return BudgetError(
        f"How much a call of {call.model} may cost is not known, and the budget '{claim.budget.settings.name}' counts "
        "it.",
        model=call.model,
        hint="Give its price in routing.prices and a number of max_tokens, or let such calls pass with "
        "routing.unpriced: allow.",
    )


def unreachable(call: Call, claim: Claim) -> BudgetError:
    """The error of a call while nobody can say what is left."""
    return BudgetError(
        f"Redis is away, and with it the budget '{claim.budget.settings.name}': a call of {call.model} may not go out.",
        model=call.model,
        hint="See that the server of routing.shared runs. Calls that cost nothing still go out; "
        "routing.shared_away: allow lets all of them.",
    )


def warn_soft(claim: Claim, spent: int) -> None:
    """Log that a budget warns."""
    budget = claim.budget
    settings = budget.settings
    whose = _WHOSE.get(settings.per) or f"of {settings.per} '{claim.subject}'"
    _log.warning(
        "The budget '%s' %s (%s) has spent %s of %s.",
        settings.name,
        whose,
        claim.period.label,
        shown(dollars(spent)),
        shown(dollars(budget.limit)),
    )


def warn_beyond(model: str | None, bound: int, cost: int | None) -> None:
    """Log that a call cost more than its bound, if it did: by so much a limit may be exceeded."""
    if cost is not None and cost > bound:
        _log.warning(
            "A call of %s cost %s, but was to cost %s at most: its price or its limits are not as they are configured. "
            "Budgets count all of it.",
            model or "a batch",
            shown(dollars(cost)),
            shown(dollars(bound)),
        )


def shown(amount: Decimal) -> str:
    """Dollars as people write them, with all their digits, two at least."""
    whole, _, rest = f"{amount:f}".partition(".")
    return f"${whole}.{rest.rstrip('0').ljust(2, '0')}"


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
