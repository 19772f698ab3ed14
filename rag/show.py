"""How answers, hits, a status and traces look in a terminal.

Names, texts and errors come from outside: they are printed as `Text`, never as markup, and without control characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from plumbline.text.printable import printable
from rag.plain import LONGEST_QUOTE, confidence, coverage, money, place, seconds, short, unwrapped, where
from rag.types import Answer, Hit

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    from plumbline.trace import SpanRecord
    from rag.knowledge import Status
    from routing.cost.budget_state import BudgetState
    from routing.cost.ledger import LedgerEntry, LedgerTotals

LONGEST_EXCERPT = 280
# Attributes that a span's name already says.
_IN_THE_TITLE = {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"}
_STYLE = {
    "supported": "green",
    "partial": "yellow",
    "unsupported": "red",
    "not_found": "red",
}


def answer(console: Console, result: Answer) -> None:
    """Print an answer with its evidence, confidence, price and times."""
    from rich.padding import Padding
    from rich.text import Text

    body = Text(unwrapped(result.text), style="bold" if not result.refused else "bold yellow")
    for number, citation in reversed(list(enumerate(result.citations, 1))):
        body = Text.assemble(body[: citation.answer_end], (f" [{number}]", "cyan"), body[citation.answer_end :])
    console.print(Padding(body, (1, 2, 0, 2)))
    for number, citation in enumerate(result.citations, 1):
        head = Text.assemble(
            (f"[{number}] ", "cyan"), where(citation), "  ", (citation.verdict, _STYLE[citation.verdict])
        )
        console.print(Padding(head, (1, 2, 0, 2)))
        if citation.quote:
            console.print(Padding(Text(f"“{short(citation.quote, LONGEST_QUOTE)}”", style="italic"), (0, 2, 0, 6)))
    for note in filter(None, (result.note, result.degraded)):
        console.print(Padding(styled(note, style="yellow"), (1, 2, 0, 2)))
    console.print(Padding(styled(_facts_line(result), style="dim"), (1, 2, 0, 2)))
    console.print(Padding(Text(_times_line(result), style="dim"), (0, 2, 1, 2)))


def hits(console: Console, found: Sequence[Hit]) -> None:
    """Print a result list."""
    from rich.padding import Padding
    from rich.text import Text

    if not found:
        console.print("Nothing found.")
    for number, hit in enumerate(found, 1):
        chunk = hit.chunk
        sides = [f"{side} #{rank}" for side, rank in (("meaning", hit.dense_rank), ("words", hit.lexical_rank)) if rank]
        head = Text.assemble(
            (f"{number:>2}. ", "cyan"),
            (place(hit.document, chunk.page, chunk.section), "bold"),
            (f"  {hit.score:.3f}  {', '.join(sides)}  chars {chunk.start}-{chunk.end}", "dim"),
        )
        console.print(head)
        console.print(Padding(Text(short(chunk.text, LONGEST_EXCERPT)), (0, 0, 1, 4)))


def status(console: Console, state: Status, spent: LedgerTotals) -> None:
    """Print what a knowledge base holds and what the home has spent."""
    from rich.table import Table

    totals = state.totals
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("knowledge base", styled(str(state.path)))
    table.add_row(
        "documents",
        f"{totals.documents:,} ({totals.pages:,} pages, {totals.chunks:,} chunks, {totals.tokens:,} tokens)",
    )
    for source in state.sources:
        table.add_row("source", styled(coverage(source)))
    for label in state.labels:
        used = f"{label.name}: {_several(label.values, 'value')}, said of {_several(label.sources, 'source')}"
        table.add_row("label", styled(used))
    if totals.waiting:
        table.add_row(
            "waiting", f"[yellow]{totals.waiting:,} documents are not searchable yet: run rag ingest again[/yellow]"
        )
    if totals.failed_files:
        table.add_row("failed files", f"[red]{totals.failed_files:,}[/red] (rag ingest says why)")
    for name, value in sorted(state.facts.items()):
        table.add_row(styled(name), styled(str(value)))
    table.add_row("store", styled(state.store))
    table.add_row("model", styled(state.model))
    table.add_row("rerank", styled(state.rerank))
    unpriced = f" + {spent.unpriced:,} calls of unknown price" if spent.unpriced else ""
    table.add_row("spent", f"{money(spent.cost)}{unpriced} in {spent.calls:,} calls (this home)")
    for budget in state.standing.budgets:
        table.add_row("budget", styled(budget_line(budget)))
    if state.standing.unknown is not None:
        table.add_row("budgets", styled(state.standing.unknown))
    for circuit in state.standing.left_alone:
        why = f"after {circuit.failures} failures in a row" if circuit.failures else "as it does not work"
        table.add_row("left alone", f"[yellow]{styled(circuit.name)}[/yellow] {why}")
    if state.dropped_spans:
        table.add_row("dropped spans", f"[yellow]{state.dropped_spans:,}[/yellow]")
    console.print(table)


def budget_line(budget: BudgetState) -> str:
    """A budget on one line: whose, how much of it is spent, and what calls under way hold."""
    whose = budget.name if budget.per == "everything" else f"{budget.name}, {budget.per} {budget.subject}"
    held = f", {money(budget.reserved)} held by calls under way" if budget.reserved else ""
    return f"{whose}, {budget.period}: {money(budget.spent)} of {money(budget.limit)}{held}"


def _several(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def trace(console: Console, spans: Sequence[SpanRecord], calls: Sequence[LedgerEntry]) -> None:
    """Print a request's whole way: its stages as a tree with times, then what was paid for."""
    from rich.table import Table
    from rich.tree import Tree

    depth_first: dict[str | None, list[SpanRecord]] = {}
    ids = {span.span_id for span in spans}
    for span in spans:
        depth_first.setdefault(span.parent_id if span.parent_id in ids else None, []).append(span)
    tree = Tree(styled(f"trace {spans[0].trace_id}"), guide_style="dim")
    _grow(tree, depth_first, None)
    console.print(tree)
    table = Table(box=None, pad_edge=False, title="ledger", title_justify="left")
    for heading in ("kind", "model", "input", "cached", "output", "cost", "time", "error"):
        table.add_column(heading, justify="left" if heading in {"kind", "model", "error"} else "right")
    for call in calls:
        usage = call.usage
        table.add_row(
            styled(call.kind),
            styled(call.model),
            f"{usage.input_tokens:,}",
            f"{usage.cached_input_tokens:,}",
            f"{usage.output_tokens:,}",
            money(call.cost),
            seconds(call.seconds),
            styled(call.error or ""),
        )
    console.print(table)


def _grow(tree: Tree, children: Mapping[str | None, Sequence[SpanRecord]], parent: str | None) -> None:
    from rich.text import Text

    for span in children.get(parent, ()):
        title = Text.assemble((printable(span.name), "bold"), f"  {seconds(span.seconds)}")
        if span.error:
            title.append(f"  {printable(span.error)}", "red")
        branch = tree.add(title)
        for name, value in sorted(span.attributes.items()):
            if name not in _IN_THE_TITLE and value not in (0, "", []):
                short_name = name.removeprefix("plumbline.").removeprefix("gen_ai.")
                values = value if isinstance(value, list) else [value]
                for line in values:
                    branch.add(styled(f"{short_name}: {short(str(line), LONGEST_QUOTE)}", "dim"))
        _grow(branch, children, span.span_id)


def styled(text: str, style: str = "") -> Text:
    """The text as it stands: no markup is read from it, and nothing in it steers the terminal."""
    from rich.text import Text

    return Text(printable(text), style=style)


def _facts_line(answer: Answer) -> str:
    usage = answer.usage
    tokens = f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out" + (
        " (estimated)" if usage.estimated else ""
    )
    return f"{confidence(answer)} · {answer.model} · {tokens} · {money(answer.cost)}"


def _times_line(answer: Answer) -> str:
    stages = [f"{stage} {seconds(value)}" for stage, value in answer.timings.items()]
    return " · ".join([*stages, f"trace {answer.trace_id[:12]}"])
