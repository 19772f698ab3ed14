"""The shape of what `rag cost` and `rag prices` print as JSON and CSV; see docs/json.md."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase

from rag.output import Dollars, Output
from routing.chat import Tier, Usage
from routing.cost.check import PriceCheck
from routing.cost.price_file import RATES
from routing.cost.prices import Price, PriceTable
from routing.cost.report import CostReport, Line
from routing.cost.report_forecast import LEVEL
from routing.cost.report_rows import By

_COUNTS = [each.name for each in fields(Usage) if each.name != "estimated"]

_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")


class CostLineOutput(Output):
    """Calls under one name; `cost` is that of the calls whose price is known."""

    name: str | None
    queries: int
    calls: int
    failed: int
    unpriced: int
    cost: Dollars
    seconds: float
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    searches: int
    images: int
    estimated: bool

    @classmethod
    def of(cls, line: Line) -> CostLineOutput:
        """From a line of a report."""
        counts = {name: getattr(line.usage, name) for name in (*_COUNTS, "estimated")}
        return cls(
            name=line.name,
            queries=line.queries,
            calls=line.calls,
            failed=line.failed,
            unpriced=line.unpriced,
            cost=line.cost,
            seconds=round(line.seconds, 6),
            **counts,
        )


class CostPartOutput(Output):
    """What one kind of thing cost, `null` when that is not configured or not known; `unpriced` calls are not in it."""

    name: str
    cost: Dollars | None
    note: str | None
    unpriced: int


class SavingOutput(Output):
    """What was not spent, of `instead_of`; `unknown` calls could not be compared."""

    saved: Dollars
    instead_of: Dollars
    calls: int
    unknown: int
    reference: str | None = None


class ForecastOutput(Output):
    """What a month comes to; `low` and `high` at `level`."""

    month: str
    spent: Dollars
    days: int
    days_left: int
    estimate: Dollars | None
    low: Dollars | None
    high: Dollars | None
    unpriced: int
    level: float


class CostOutput(Output):
    """What `rag cost --json` prints."""

    by: By
    since: date | None
    until: date | None
    lines: list[CostLineOutput]
    total: CostLineOutput
    parts: list[CostPartOutput]
    cost: Dollars
    queries: int
    cost_per_1000_queries: Dollars | None
    unpriced_in_queries: int
    saved_by_caching: SavingOutput
    saved_by_routing: SavingOutput | None
    forecast: ForecastOutput
    prices_date: str | None

    @classmethod
    def of(cls, report: CostReport) -> CostOutput:
        """From a report."""
        routing = report.routing
        return cls(
            by=report.by,
            since=report.first,
            until=report.last,
            lines=[CostLineOutput.of(line) for line in report.lines],
            total=CostLineOutput.of(report.total),
            parts=[CostPartOutput(**asdict(part)) for part in report.parts],
            cost=report.cost,
            queries=report.queries.count,
            cost_per_1000_queries=report.per_thousand,
            unpriced_in_queries=report.queries.unpriced,
            saved_by_caching=SavingOutput(**asdict(report.caching)),
            saved_by_routing=None if routing is None else SavingOutput(**asdict(routing), reference=report.reference),
            forecast=ForecastOutput(**asdict(report.forecast), level=LEVEL),
            prices_date=report.prices_date,
        )


def cost_csv(report: CostReport) -> str:
    """The lines of a report as CSV (RFC 4180), money with all its digits.

    A name that a spreadsheet would run as a formula has an apostrophe before it: anybody may choose a tenant's.
    """
    text = io.StringIO()
    columns = [report.by, *(name for name in CostLineOutput.model_fields if name != "name")]
    writer = csv.writer(text)
    writer.writerow(columns)
    for line in report.lines:
        values = CostLineOutput.of(line).model_dump()
        name = values.pop("name")
        writer.writerow([_name(name), *(_plain(value) for value in values.values())])
    return text.getvalue()


def _name(name: str | None) -> str:
    return f"'{name}" if name and name.lstrip()[:1] in _FORMULA else name or ""


def _plain(value: object) -> object:
    return f"{value:f}" if isinstance(value, Decimal) else value


class PriceOutput(Output):
    """One price: of a model, in a tier, for prompts of more than `above` tokens (`null`: for all others)."""

    model: str
    tier: Tier
    above: int | None
    input: Dollars
    output: Dollars | None
    cached_input: Dollars | None
    cache_write: Dollars | None
    cache_write_1h: Dollars | None
    reasoning: Dollars | None
    searches: Dollars | None
    requests: Dollars | None
    images: Dollars | None
    gpu_hour: Dollars | None
    source: str | None


def price_rows(prices: PriceTable, pattern: str) -> list[PriceOutput]:
    """All prices of the models that `pattern` ("openai/gpt-6*") fits, or of the one model it names."""
    if found := prices.find(pattern):
        return list(_rows(pattern, found))
    models = [model for model in prices.prices if fnmatchcase(model, pattern)]
    return [row for model in models for row in _rows(model, prices.prices[model])]


def _rows(model: str, price: Price) -> Iterator[PriceOutput]:
    tiers: Sequence[tuple[Tier, Price]] = [("standard", price), *price.tiers.items()]
    for tier, each in tiers:
        yield _row(model, tier, None, each, each.source)
        if each.long_context is not None:
            yield _row(model, tier, each.long_above, each.long_context, each.source)


def _row(model: str, tier: Tier, above: int | None, price: Price, source: str | None) -> PriceOutput:
    return PriceOutput(
        model=model, tier=tier, above=above, source=source, **{key: getattr(price, key) for key in RATES}
    )


class DifferenceOutput(Output):
    """One rate that is not the same here and there; `null` where a table has none."""

    model: str
    tier: Tier
    above: int | None
    key: str
    ours: Dollars | None
    theirs: Dollars | None
    ratio: float | None


class CheckOutput(Output):
    """What `rag prices check --json` prints."""

    source: str
    models: int
    rates: int
    differences: list[DifferenceOutput]
    missing: list[str]

    @classmethod
    def of(cls, check: PriceCheck) -> CheckOutput:
        """From a comparison."""
        return cls(
            source=check.source,
            models=check.models,
            rates=check.rates,
            differences=[
                DifferenceOutput(**asdict(each), ratio=None if each.ratio is None else round(float(each.ratio), 6))
                for each in check.differences
            ],
            missing=list(check.missing),
        )
