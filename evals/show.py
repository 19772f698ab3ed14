"""How results look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from evals.amounts import dollars, duration, money
from evals.interval import IntervalOutput
from evals.result import DifferenceOutput, EvalOutput, ScoreOutput
from evals.scoring import SHARE
from evals.searching import SearchOutput
from evals.taken import TakenOutput
from plumbline.text.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_STYLE = {"better": "green", "worse": "red"}


def result(console: Console, output: EvalOutput) -> None:
    """Print scores, differences, verdict and gate."""
    from rich.text import Text

    configs = list(output.configs)
    title = f"{output.experiment}  {output.suite}: {output.questions:,} questions, {len(configs)} configurations"
    console.print(Text(printable(title), style="bold"))
    console.print()
    console.print(scores_table(output.scores, configs, output.primary))
    console.print()
    console.print(taken_table(output.taken))
    console.print()
    shown = [found for found in output.differences if found.metric == output.primary or found.verdict in _STYLE]
    if shown:
        console.print(differences_table(shown))
        if len(shown) < len(output.differences):
            rest = len(output.differences) - len(shown)
            console.print(Text(f"{rest} more differences, none of them shown beyond chance: report.html", style="dim"))
        console.print()
    for found in output.failures:
        line = f"{found.config}: {found.failed:,} questions failed; '{found.example}': {found.error}"
        console.print(Text(printable(line), style="yellow"))
    for line in remarks(output):
        console.print(Text(printable(line), style="dim"))
    console.print(Text.assemble(("verdict  ", "bold"), printable(output.verdict)))
    for reason in output.gate.reasons:
        console.print(Text.assemble(("gate     ", "bold red"), printable(reason)))


def search_result(console: Console, output: SearchOutput) -> None:
    """Print what was found in each way of searching."""
    from rich.text import Text

    facts = f"{output.queries:,} queries, {output.documents:,} documents, {output.chunks:,} chunks, {output.embedder}"
    console.print(Text.assemble((printable(output.name), "bold"), "  ", facts))
    console.print()
    console.print(scores_table(output.scores, list(dict.fromkeys(score.config for score in output.scores))))
    if output.differences:
        console.print()
        console.print(differences_table(output.differences))
    for note in output.notes:
        console.print(Text(f"not read: {printable(note)}", style="yellow"))


def scores_table(scores: Sequence[ScoreOutput], configs: Sequence[str], primary: str | None = None) -> Table:
    """Metrics down, configurations across; each cell an estimate, its interval, and its rows where they are not all."""
    table = _table("metric", *configs)
    by_metric: dict[str, list[ScoreOutput]] = {}
    for score in scores:
        by_metric.setdefault(score.metric, []).append(score)
    for metric, row in by_metric.items():
        name = metric + ("" if row[0].unit == SHARE else f" ({row[0].unit})") + (" *" if metric == primary else "")
        table.add_row(name, *[_cell(score) for score in row])
    failed = [next(score.failed for score in scores if score.config == config) for config in configs]
    of = scores[0].of if scores else 0
    if of:
        table.add_row("answered", *[f"{of - count:,} of {of:,}" for count in failed], style="dim")
    return table


def differences_table(differences: Sequence[DifferenceOutput]) -> Table:
    """A row for each difference (there is one at least): to the baseline, its corrected p-value, what it shows."""
    table = _table(f"against {differences[0].baseline}", "metric", "difference", "p, Holm", "shows")
    table.columns[0].no_wrap = False
    for column in table.columns[1:]:
        column.no_wrap = True
    for found in differences:
        table.add_row(
            printable(found.config),
            found.metric,
            signed(found.interval),
            p_value(found.adjusted_p_value),
            found.verdict if found.verdict in _STYLE else "nothing",
            style=_STYLE.get(found.verdict, ""),
        )
    return table


def taken_table(taken: Iterable[TakenOutput]) -> Table:
    """What each configuration took per query, and what its right answers did cost."""
    table = _table("what it took", "p50", "p95", "tokens in", "out", "$/1,000", "$/right answer")
    for row in taken:
        table.add_row(
            printable(row.config),
            duration(row.p50),
            duration(row.p95),
            f"{row.input_tokens:,.0f}"
            + (f" ({row.cached_input_tokens:,.0f} cached)" if row.cached_input_tokens else ""),
            f"{row.output_tokens:,.0f}",
            dollars(row.per_1000),
            "–" if row.per_correct is None else money(row.per_correct),
        )
    return table


def remarks(output: EvalOutput) -> list[str]:
    """What a reader of the scores has to know."""
    lines = [f"{name} is the same as {same}" for name, same in output.aliases.items()]
    lines += [f"not read: {note}" for note in output.notes]
    if output.degraded:
        lines.append(f"{output.degraded:,} answers came from a fallback")
    clusters = {score.interval.clusters for score in output.scores if score.interval is not None} - {None}
    groups = f", resampled by {max(map(int, filter(None, clusters))):,} groups" if clusters else ""
    lines.append(f"Intervals: 95 %{groups}. A failed row counts as 0. * primary metric. {output.folder}")
    return lines


def interval(found: IntervalOutput | None) -> str:
    """An estimate and its interval, with digits that mean something."""
    return "–" if found is None else f"{number(found.estimate)} {ends(found)}"


def ends(found: IntervalOutput, *, sign: bool = False) -> str:
    """The two ends in brackets; "∞" for one that the data do not bound."""
    low = "-∞" if found.low is None else number(found.low, sign=sign)
    high = ("+" if sign else "") + "∞" if found.high is None else number(found.high, sign=sign)
    return f"[{low}, {high}]"


def signed(found: IntervalOutput) -> str:
    """A difference and its interval."""
    return f"{number(found.estimate, sign=True)} {ends(found, sign=True)}"


def number(value: float, *, sign: bool = False) -> str:
    """Three decimals, more of small numbers, none of large ones: .949, 1.000, 1.2e-05, 12.3, 1,234."""
    plus = "+" if sign else ""
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1000:
        return f"{value:{plus},.0f}"
    if size >= 10:
        return f"{value:{plus}.1f}"
    if size < 0.0005:
        return f"{value:{plus}.2g}"
    return f"{value:{plus}.3f}".replace("0.", ".", 1) if size < 1 else f"{value:{plus}.3f}"


def p_value(value: float) -> str:
    """A p-value; never 0."""
    return f"{value:.3f}" if value >= 0.001 else "<.001"


def _cell(score: ScoreOutput) -> Text:
    from rich.text import Text

    if score.interval is None:
        return Text("–", style="dim")
    rows = "" if score.rows == score.of else f" n={score.rows:,}"
    return Text.assemble(number(score.interval.estimate), ("\n" + ends(score.interval) + rows, "dim"))


def _table(first: str, *rest: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(printable(first), no_wrap=True)
    for heading in rest:
        table.add_column(printable(heading), overflow="fold")
    return table
