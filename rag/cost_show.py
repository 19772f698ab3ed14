"""How `rag cost` and `rag prices` look on a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from rag.cost_output import PriceOutput
from rag.show import styled
from routing.cost.check import PriceCheck
from routing.cost.money import dollars
from routing.cost.report import CostReport, Line
from routing.cost.report_forecast import LEAST_DAYS, LEVEL

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

MOST_LINES = 40
_NAMELESS = "(none)"


def cost(console: Console, report: CostReport) -> None:
    """Print a report: its lines, what it went to, a thousand questions, what was saved, the month."""
    if not report.total.calls:
        console.print("No call in this time: there is nothing to report.")
        return
    console.print(styled(f"{report.first} to {report.last}, UTC", "bold"))
    console.print(_lines(report))
    if len(report.lines) > MOST_LINES:
        console.print(styled(f"… and {len(report.lines) - MOST_LINES:,} more (--csv or --json has all)", "dim"))
    console.print()
    console.print(_facts(report))


def _lines(report: CostReport) -> Table:
    counts = ("queries", "calls", "tokens\nin", "cached", "tokens\nout")
    table = _table((report.by, False), *((heading, True) for heading in counts), ("cost", True))
    shown = report.lines[-MOST_LINES:] if report.by == "day" else report.lines[:MOST_LINES]
    for line in shown:
        table.add_row(*_row(line, _NAMELESS if line.name is None else line.name, report.total.unpriced))
    table.add_row(*_row(report.total, "total", report.total.unpriced), style="bold")
    return table


def _row(line: Line, name: str, unpriced: int) -> list[RenderableType]:
    usage = line.usage
    cached = f"{usage.cached_input_tokens / usage.input_tokens:.0%}" if usage.input_tokens else ""
    counts = [f"{line.queries:,}", f"{line.calls:,}", _tokens(usage.input_tokens)]
    aside = "" if line.unpriced or not unpriced else "\u2007\u2007"  # the digits stay below those before a "+"
    return [styled(name), *counts, cached, _tokens(usage.output_tokens), _known(line.cost, line.unpriced) + aside]


def _tokens(count: int) -> str:
    """A number of tokens, to the thousand or the tenth of a million where it is large: JSON and CSV have all digits."""
    if count < 10_000:
        return f"{count:,}"
    return f"{count / 1000:,.0f} k" if count < 1_000_000 else f"{count / 1_000_000:,.1f} M"


def _known(cost: Decimal | None, unpriced: int) -> str:
    """What is known of a cost: a "+" says that there is more to it."""
    if unpriced and not cost:
        return "unknown"
    return f"{dollars(cost)}{' +' if unpriced else ''}"


def _facts(report: CostReport) -> Table:
    table = _table(("", False), ("", True), ("", False), heading=False)
    for part in report.parts:
        cost = "–" if part.cost is None and not part.unpriced else _known(part.cost, part.unpriced)
        table.add_row(part.name, cost, styled(part.note or "", "dim"))
    if report.total.unpriced:
        unknown = (
            f"{report.total.unpriced:,} of {report.total.calls:,} calls have no known price: they are in no sum (+)"
        )
        table.add_row("unknown", "?", styled(unknown, "yellow"))
    asked = report.queries
    more = f" + {asked.unpriced:,} calls of unknown price" if asked.unpriced else ""
    note = f"of {asked.count:,} asked, their calls alone{more}"
    cost = _known(report.per_thousand, asked.unpriced) if asked.count else "–"
    table.add_row("1,000 queries", cost, styled(note, "dim"))
    caching, routing = report.caching, report.routing
    note = f"of {dollars(caching.instead_of)} without the providers' caches" if caching.calls else "nothing was cached"
    table.add_row("caching saved", dollars(caching.saved), styled(note + _unknown(caching.unknown), "dim"))
    if routing is None:
        table.add_row("routing saved", "–", styled("against which model? --reference MODEL", "dim"))
    else:
        note = f"of {dollars(routing.instead_of)} at {report.reference}{_unknown(routing.unknown)}"
        table.add_row("routing saved", dollars(routing.saved), styled(note, "dim"))
    _forecast(table, report)
    return table


def _unknown(calls: int) -> str:
    return f"; {calls:,} calls could not be compared" if calls else ""


def _forecast(table: Table, report: CostReport) -> None:
    month = report.forecast
    so_far = _known(month.spent, month.unpriced)
    if month.estimate is None:
        note = f"{so_far} so far; no whole day yet to go by"
    elif month.low is None or month.high is None:
        note = f"{so_far} so far; only {month.days} of {LEAST_DAYS} days that an interval needs"
    else:
        note = f"{dollars(month.low)} to {dollars(month.high)} at {LEVEL:.0%}, by the last {month.days} days"
    if month.unpriced:
        note += f"; without {month.unpriced:,} calls of unknown price"
    table.add_row(f"{month.month} will be", _known(month.estimate, month.unpriced), styled(note, "dim"))


def prices(console: Console, rows: Sequence[PriceOutput], date: str | None) -> None:
    """Print prices; of one model all that is known of it, with its source."""
    models = {row.model for row in rows}
    alone = len(models) == 1
    shown = rows if alone else [row for row in rows if row.tier == "standard" and row.above is None]
    table = _table(("tier" if alone else "model", False))
    keys = [key for key in _COLUMNS if _any(shown, key) and (alone or key != "cache_write_1h")]
    for key in keys:
        table.add_column(_HEADINGS.get(key, key), justify="right", no_wrap=True)
    for row in shown:
        above = f" > {row.above:,}" if row.above else ""
        table.add_row(styled(f"{row.tier}{above}" if alone else row.model), *(_rate(row, key) for key in keys))
    if alone:
        console.print(styled(rows[0].model, "bold"))
    console.print(table)
    sources = sorted({row.source for row in shown if row.source}) if alone else []
    more = "" if alone else "; rag prices MODEL shows its tiers and sources"
    for line in [*sources, f"Dollars per million tokens, as of {date}{more}."]:
        console.print(styled(line, "dim"))


_COLUMNS = (
    "input",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "output",
    "reasoning",
    "searches",
    "requests",
    "images",
    "gpu_hour",
)
_HEADINGS = {
    "cached_input": "cached",
    "cache_write": "write",
    "cache_write_1h": "write 1h",
    "searches": "searches/k",
    "requests": "requests/k",
    "images": "images/k",
    "gpu_hour": "per hour",
}


def _any(rows: Sequence[PriceOutput], key: str) -> bool:
    return any(_rate(row, key) for row in rows)


def _rate(row: PriceOutput, key: str) -> str:
    rate: Decimal | None = getattr(row, key)
    if rate is None or (key in {"input", "output"} and not rate and _other(row)):
        return ""
    return f"{rate:f}"


def _other(row: PriceOutput) -> bool:
    """Whether it is paid for by something else than tokens, or has nothing that it writes."""
    return bool(row.searches or row.requests or row.gpu_hour or row.input)


def check(console: Console, result: PriceCheck) -> None:
    """Print what a comparison found."""
    table = _table(
        ("model", False), ("tier", False), ("price", False), ("ours", True), ("theirs", True), ("ratio", True)
    )
    for each in result.differences:
        above = f" > {each.above:,}" if each.above else ""
        ratio = "" if each.ratio is None else f"{each.ratio:.3g}"
        values = ("none" if value is None else f"{value:f}" for value in (each.ours, each.theirs))
        table.add_row(styled(each.model), each.tier, f"{each.key}{above}", *values, ratio)
    if result.differences:
        console.print(table)
    found = f"{len(result.differences):,} of {result.rates:,} prices of {result.models:,} models differ"
    console.print(styled(f"{found} from {result.source}.", "bold yellow" if result.differences else "green"))
    if result.missing:
        console.print(styled(f"Not compared, as it does not have them: {', '.join(result.missing)}.", "dim"))


def _table(*columns: tuple[str, bool], heading: bool = True) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=heading)
    for name, right in columns:
        table.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    return table
