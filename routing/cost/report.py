"""What was spent: by day, tenant, model and more, by what it went to, for a thousand questions, and in this month.

Everything is read from the ledger in one pass per view; sums are exact. Calls of unknown price are counted and never
added as 0.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from plumbline.errors import InputError
from routing.call import Kind
from routing.chat import Usage
from routing.cost.money import dollars
from routing.cost.prices import LOCAL_PROVIDERS, PER_HOUR, PriceTable
from routing.cost.report_forecast import WINDOW_DAYS, Forecast, forecast
from routing.cost.report_rows import By, Group, LedgerReader, Selection, nameless
from routing.cost.report_savings import Saving, by_caching, by_routing, lengths
from routing.settings import CostSettings, UpkeepSettings

_SMALLEST = Decimal("1e-6")


@dataclass(frozen=True, slots=True)
class Line:
    """Calls under one name: `cost` covers those whose price is known, `unpriced` counts the others.

    `failed` calls are among `calls`; `queries` are the questions they belong to.
    """

    name: str | None
    calls: int
    failed: int
    queries: int
    usage: Usage
    seconds: float
    cost: Decimal
    unpriced: int


@dataclass(frozen=True, slots=True)
class Part:
    """What one kind of thing cost; `None` when nobody knows or said what it costs, which `note` then says.

    `unpriced` calls of it have no known price: `cost` is that of the others.
    """

    name: str
    cost: Decimal | None
    note: str | None = None
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class Queries:
    """The questions, each with a trace of its own, and what all calls in those traces cost."""

    count: int
    cost: Decimal
    unpriced: int


@dataclass(frozen=True, slots=True)
class CostReport:
    """The whole report; `first` and `last` are days with calls, or the days that were asked for."""

    by: By
    first: date | None
    last: date | None
    lines: tuple[Line, ...]
    total: Line
    parts: tuple[Part, ...]
    queries: Queries
    caching: Saving
    routing: Saving | None
    reference: str | None
    forecast: Forecast
    prices_date: str | None

    @property
    def per_thousand(self) -> Decimal | None:
        """Dollars for a thousand questions, by those calls in their traces whose price is known; `None` without any."""
        count, cost = self.queries.count, self.queries.cost
        if not count or (self.queries.unpriced and not cost):
            return None
        return (1000 * cost / count).quantize(_SMALLEST)

    @property
    def cost(self) -> Decimal:
        """Everything of which the price is known, calls and upkeep."""
        return sum((part.cost for part in self.parts if part.cost is not None), Decimal(0))


def cost_report(
    reader: LedgerReader,
    selection: Selection,
    prices: PriceTable,
    *,
    today: date,
    by: By = "day",
    costs: CostSettings | None = None,
    reference: str | None = None,
) -> CostReport:
    """The report of the calls of a selection; raises `InputError` for a reference that has no price.

    The forecast is of the month of `today`, for the tenant of the selection.
    """
    if reference is not None and prices.find(reference) is None:
        raise InputError(
            f"There is no price of {reference}, so nothing can be compared with it.",
            hint="rag prices lists the models that have one.",
        )
    with reader.sums(selection) as sums:
        named, counts, span = sums.groups(by, lengths(prices)), sums.queries(by), sums.span()
        groups = nameless(named)
        queries = _queries(groups, sums.all_queries())
    first, last = _span(selection, span, today)
    recent = Selection(min(today.replace(day=1), today - timedelta(days=WINDOW_DAYS)), today, selection.tenant)
    return CostReport(
        by,
        first,
        last,
        _lines(named, by, counts),
        _line(None, groups, queries.count),
        _parts(groups, prices, costs or CostSettings(), _days(first, last), selection.tenant),
        queries,
        by_caching(groups, prices),
        None if reference is None else by_routing(groups, prices, reference),
        reference,
        forecast(reader.days(recent), today, reader.unpriced(recent)),
        prices.date,
    )


def _lines(groups: Sequence[Group], by: By, queries: Mapping[str | None, int]) -> tuple[Line, ...]:
    named: dict[str | None, list[Group]] = {}
    for group in groups:
        named.setdefault(group.name, []).append(group)
    lines = [_line(name, some, queries.get(name, 0)) for name, some in named.items()]
    if by == "day":
        return tuple(sorted(lines, key=lambda line: line.name or ""))
    return tuple(sorted(lines, key=lambda line: (-line.cost, -line.calls, line.name or "")))


def _line(name: str | None, groups: Sequence[Group], queries: int) -> Line:
    return Line(
        name,
        sum(group.calls for group in groups),
        sum(group.failed for group in groups),
        queries,
        sum((group.usage for group in groups), Usage()),
        sum(group.seconds for group in groups),
        _cost(groups),
        _unpriced(groups),
    )


def _parts(
    groups: Sequence[Group], prices: PriceTable, costs: CostSettings, days: Sequence[date], tenant: str | None
) -> tuple[Part, ...]:
    own = [group for group in groups if _is_own(group.model, prices)]
    return (
        _compute(own, costs.local_hour),
        _api([group for group in groups if not _is_own(group.model, prices)]),
        _upkeep("vector database", costs.vector_database, days, tenant),
        _upkeep("transfer", costs.transfer, days, tenant),
    )


def _is_own(model: str, prices: PriceTable) -> bool:
    """Whether it runs on a machine of one's own, which is paid for by the hour, if at all."""
    price = prices.find(model)
    return model.partition("/")[0] in LOCAL_PROVIDERS or (price is not None and price.gpu_hour is not None)


def _compute(groups: Sequence[Group], local_hour: Decimal | None) -> Part:
    local = sum(group.seconds for group in groups if not group.cost)
    charged, unpriced = _cost(groups), _unpriced(groups)
    notes = [f"{unpriced:,} calls of unknown price"] if unpriced else []
    if local_hour is not None:
        charged += (Decimal(str(local)) * local_hour / PER_HOUR).quantize(_SMALLEST)
    elif local:
        notes.insert(0, f"{local:,.1f} s of this machine: not configured (routing.costs.local_hour)")
    return Part("compute", charged if charged or not notes else None, ", ".join(notes) or None, unpriced)


def _api(groups: Sequence[Group]) -> Part:
    kinds = sorted({group.kind for group in groups})
    each = [_kind(kind, [group for group in groups if group.kind == kind]) for kind in kinds]
    cost, unpriced = _cost(groups), _unpriced(groups)
    notes = [*(each if len(each) > 1 else []), *([f"{unpriced:,} of unknown price"] if unpriced else [])]
    return Part("model API", cost if cost or not unpriced else None, ", ".join(notes) or None, unpriced)


def _kind(kind: Kind, groups: Sequence[Group]) -> str:
    cost = _cost(groups)
    return f"{kind} {dollars(cost if cost or not _unpriced(groups) else None)}"


def _unpriced(groups: Sequence[Group]) -> int:
    return sum(group.calls for group in groups if not group.priced)


def _upkeep(name: str, upkeep: UpkeepSettings | None, days: Sequence[date], tenant: str | None) -> Part:
    if upkeep is None:
        return Part(name, None, f"not configured (routing.costs.{name.replace(' ', '_')})")
    if tenant is not None:
        return Part(name, None, "of all tenants together; not divided among them")
    month = upkeep.per_month + upkeep.per_gb * upkeep.gb
    shares = (month / calendar.monthrange(day.year, day.month)[1] for day in days)
    return Part(name, sum(shares, Decimal(0)).quantize(_SMALLEST), f"${month:,.2f} a month, {len(days):,} days")


def _cost(groups: Iterable[Group]) -> Decimal:
    return sum((group.cost for group in groups), Decimal(0))


def _queries(groups: Sequence[Group], count: int) -> Queries:
    asked = [group for group in groups if group.asked]
    return Queries(count, _cost(asked), _unpriced(asked))


def _span(selection: Selection, known: tuple[date, date] | None, today: date) -> tuple[date | None, date | None]:
    """The days that are reported on, none of them still to come."""
    first, last = known or (None, None)
    until = selection.until and min(selection.until, max(today, last or today))
    return selection.since or first, until or last


def _days(first: date | None, last: date | None) -> list[date]:
    if first is None or last is None:
        return []
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
