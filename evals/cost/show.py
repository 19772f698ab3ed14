"""How a report looks in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evals.amounts import dollars, duration, money
from evals.cost.output import ConfigOutput, CostOutput, LeverOutput, SavingOutput
from evals.interval import IntervalOutput
from plumbline.text.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

ASSUMED = " †"


def report(console: Console, result: CostOutput) -> None:
    """Print the comparison, the stages, the levers, and what of it is assumed."""
    from rich.text import Text

    work = result.workload
    console.print(Text(printable(result.name), style="bold"))
    console.print(Text(printable(work.origin), style="dim"))
    console.print(
        Text(
            f"{work.done:,} queries done, {work.repeats:,} of all in the words of an earlier one, "
            f"{work.judged:,} with an answer to judge by",
            style="dim",
        )
    )
    if result.stopped:
        console.print(
            Text(printable(f"Stopped after {work.done:,} of {work.planned:,} queries: {result.stopped}"), "yellow")
        )
    _comparison(console, result)
    _stages(console, result)
    _levers(console, result)
    if any(config.simulated for config in result.configs):
        console.print(Text(f"{ASSUMED.strip()} simulated: whether and how answers are right is assumed", style="dim"))
    console.print(
        Text(
            f"Tokens: input (of it cached) → output. Intervals: 95 %, resampled by question. Prices of "
            f"{result.prices_of}. Real models did cost {dollars(result.spent)}.",
            style="dim",
        )
    )
    for note in result.notes:
        console.print(Text(printable(note), style="yellow"))


def _comparison(console: Console, result: CostOutput) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title="cost and quality", title_justify="left")
    table.add_column("config", overflow="fold")
    for heading in ("correct", "$/1,000 queries", "$/correct answer", "tokens", "p50", "p95"):
        table.add_column(heading, justify="right", overflow="fold")
    for config in result.configs:
        table.add_row(
            printable(config.config) + (ASSUMED if config.simulated else ""),
            _stacked(share(config.correct) if config.correct else "not judged"),
            _stacked(money(config.dollars_per_1000_queries)),
            _stacked(per_correct(config)),
            tokens(config),
            duration(config.seconds_p50),
            duration(config.seconds_p95),
        )
    console.print()
    console.print(table)


def _stages(console: Console, result: CostOutput) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title="per query, by stage", title_justify="left")
    for heading in ("config", "stage"):
        table.add_column(heading, overflow="fold")
    for heading in ("time", "$/1,000", "input", "cached", "written", "output"):
        table.add_column(heading, justify="right")
    for config in result.configs:
        for number, stage in enumerate(config.stages):
            table.add_row(
                printable(config.config) if number == 0 else "",
                printable(stage.stage),
                duration(stage.seconds),
                dollars(None if stage.cost is None else stage.cost * 1000),
                count(stage.input_tokens),
                count(stage.cached_input_tokens),
                count(stage.cache_write_tokens),
                count(stage.output_tokens),
            )
    console.print()
    console.print(table)


def _levers(console: Console, result: CostOutput) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title="what levers save", title_justify="left")
    table.add_column("lever", overflow="fold")
    table.add_column("claimed", justify="right")
    table.add_column("measured here", overflow="fold", ratio=1)
    for lever in result.levers:
        table.add_row(lever.lever, claimed(lever), "\n".join(map(saving, lever.measured)) or not_measured(lever))
    console.print()
    console.print(table)


def claimed(lever: LeverOutput) -> str:
    """The range of the literature."""
    low, high = lever.claimed_from, lever.claimed_to
    return f"{low:.0%}" if low == high else f"{low * 100:.0f}–{high:.0%}"


def not_measured(lever: LeverOutput) -> str:
    """Why a lever was not measured."""
    return f"not measured: {lever.not_measured}"


def saving(measured: SavingOutput) -> str:
    """One measured saving on one line."""
    mark = ASSUMED if measured.simulated else ""
    gained = measured.correct_gained
    quality = "" if gained is None else f", right answers {share(gained, sign=True)}"
    return f"{share(measured.saved)} of the bill of {printable(measured.between)}{mark}{quality}"


def share(interval: IntervalOutput, *, sign: bool = False) -> str:
    """A share with its interval, in percent."""
    low, high = ("?" if end is None else str(round(end * 100)) for end in (interval.low, interval.high))
    return f"{round(interval.estimate * 100):{'+' if sign else ''}} % [{low}, {high}]"


def per_correct(config: ConfigOutput) -> str:
    """Dollars for a right answer, or why there is no such number."""
    if config.dollars_per_correct_answer is None and config.dollars is not None:
        return "not judged" if config.correct is None else "none correct"
    return money(config.dollars_per_correct_answer)


def tokens(config: ConfigOutput) -> str:
    """Tokens per query: input, how much of it was cached, output."""
    cached, written = config.cached_input_tokens_per_query, config.output_tokens_per_query
    return f"{config.input_tokens_per_query:,.0f}" + (f" ({cached:,.0f})" if cached else "") + f" → {written:,.0f}"


def count(value: float) -> str:
    """A mean count, empty for none."""
    return f"{value:,.0f}" if value else ""


def _stacked(text: str) -> Text:
    """An estimate with its interval below it."""
    from rich.text import Text

    estimate, _, rest = text.partition(" [")
    return Text.assemble(estimate, (f"\n[{rest}", "dim") if rest else "")
