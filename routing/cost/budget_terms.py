"""What budgets say: which of them a call falls under, as whose, and in which period.

Their money is counted in picodollars, whole numbers of 1e-12 dollars, so that adding it up is exact. A counter holds 64
bits: 9.2 million dollars.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from fnmatch import fnmatchcase
from secrets import token_hex
from typing import Any

from plumbline.errors import ConfigError
from plumbline.trace import current_ids
from routing.call import Call
from routing.settings import BudgetSettings

MOST_DOLLARS = 9_000_000
DAY = 86_400.0
OWN = frozenset({"request", "session"})
"""What has a period of its own: it begins with its first call and ends with its last."""
REST = 90 * DAY
"""A session that rests for so long begins anew."""


def picodollars(dollars: Decimal) -> int:
    """Rounded up, where there is anything to round."""
    return int(dollars.scaleb(12).to_integral_value(ROUND_CEILING))


def dollars(picodollars: int) -> Decimal:
    """Exactly."""
    return Decimal(picodollars).scaleb(-12)


@dataclass(frozen=True, slots=True)
class Period:
    """When money is counted together, in seconds since 1970; what has no end is not over by itself."""

    label: str
    starts: float = 0.0
    ends: float | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """One of the configured budgets; `limit` and `soft` in picodollars.

    `definition` is what it counts. One that counts something else is another budget, which begins anew; another limit
    for the same is not.
    """

    settings: BudgetSettings
    limit: int
    soft: int
    definition: str

    def period(self, now: float) -> Period:
        """The one that `now` lies in."""
        settings = self.settings
        if settings.per in OWN:
            return Period("own", now - REST)
        if settings.period == "total":
            return Period("total")
        first = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if settings.period == "day":
            return Period(f"{first:%Y-%m-%d}", first.timestamp(), (first + timedelta(days=1)).timestamp())
        first = first.replace(day=1)
        return Period(f"{first:%Y-%m}", first.timestamp(), (first + timedelta(days=32)).replace(day=1).timestamp())

    def subject(self, subject: str | None) -> str | None:
        """Whose account it is, or `None` where that is none of this budget's."""
        return subject if self.settings.only is None or self.settings.only == subject else None


@dataclass(frozen=True, slots=True)
class Claim:
    """That a call falls under a budget, as `subject`, in `period`. Its counter may be forgotten at `forget`."""

    budget: Budget
    subject: str
    period: Period
    forget: float | None


class Terms:
    """All configured budgets; raises `ConfigError` when they cannot be meant."""

    def __init__(self, budgets: Sequence[BudgetSettings]) -> None:
        for number, settings in enumerate(budgets):
            _check(settings, f"routing.budgets.{number}", {other.name for other in budgets[:number]})
        self.budgets = tuple(map(_budget, budgets))
        self._periods: tuple[float, tuple[Period, ...]] = (-1.0, ())

    def periods(self, now: float) -> tuple[Period, ...]:
        """Each budget's, at `now`."""
        day, known = self._periods
        if now // DAY != day:
            known = tuple(budget.period(now) for budget in self.budgets)
            self._periods = now // DAY, known
        return known

    def claims(self, call: Call, now: float) -> list[Claim]:
        """The budgets that a call falls under: those that fit its model and that it has a subject for."""
        found = []
        for budget, period in zip(self.budgets, self.periods(now), strict=True):
            settings = budget.settings
            if settings.match != "*" and not fnmatchcase(call.model, settings.match):
                continue
            subject = budget.subject(_subject(settings.per, call))
            if subject is not None:
                found.append(Claim(budget, subject, period, forget(budget, period, now)))
        return found

    def dump(self, claims: Sequence[Claim | None]) -> list[list[Any] | None]:
        """Claims in the form of JSON."""
        return [
            None if each is None else [each.budget.definition, each.subject, asdict(each.period), each.forget]
            for each in claims
        ]

    def load(self, dumped: Sequence[Sequence[Any] | None]) -> list[Claim | None]:
        """What `dump` made, each in its place; `None` for one whose budget is configured no longer."""
        budgets = {budget.definition: budget for budget in self.budgets}
        return [
            Claim(budgets[each[0]], each[1], Period(**each[2]), each[3])
            if each is not None and each[0] in budgets
            else None
            for each in dumped
        ]


def _check(settings: BudgetSettings, key: str, before: set[str]) -> None:
    if settings.name in before:
        raise ConfigError(
            f"{key}.name: two budgets are called '{settings.name}'.", key=f"{key}.name", value=settings.name
        )
    if settings.limit > MOST_DOLLARS:
        raise ConfigError(
            f"{key}.limit: {settings.limit} is more than the {MOST_DOLLARS:,} dollars that can be counted.",
            key=f"{key}.limit",
            value=settings.limit,
        )
    if settings.only is not None and settings.per == "everything":
        raise ConfigError(
            f"{key}.only: '{settings.only}' cannot be told from the rest when everything is counted together.",
            key=f"{key}.only",
            value=settings.only,
            hint="Say what it is, for example per: tenant.",
        )


def _budget(settings: BudgetSettings) -> Budget:
    period = "own" if settings.per in OWN else settings.period
    return Budget(
        settings,
        picodollars(settings.limit),
        picodollars(settings.limit * Decimal(str(settings.soft))),
        json.dumps([settings.name, settings.per, settings.only, settings.match, period]),
    )


def _subject(per: str, call: Call) -> str | None:
    match per:
        case "everything":
            return ""
        case "model":
            return call.model
        case "provider":
            return call.provider
        case "request":
            # What is asked outside of any question is a request of its own.
            return current_ids()[0] or token_hex(16)
        case _:
            subject: str | None = getattr(call.tags, per)
            return subject


def forget(budget: Budget, period: Period, now: float) -> float | None:
    """When nothing that a counter counts can be settled any more; it may be done away with then."""
    per = budget.settings.per
    if per in OWN:
        return now + (2 * DAY if per == "request" else REST)
    return None if period.ends is None else period.ends + 2 * DAY
