"""How an assessment looks in a terminal: the scores, then what took points, worst first, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plumbline.text.printable import printable
from rag.ingest.quality.assess import PASS_MARK, Assessment
from rag.ingest.quality.overrides import Override
from rag.ingest.quality.scale import FULL_MARKS, Dimension, Evidence, Example

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SHOWN_EXAMPLES = 3
SHOWN_FROM = 0.05
"""Evidence that took fewer points is in the JSON alone."""
WEAK = 2.0
"""A score below this is named even where the total suffices."""
_BAR = 10


def assessment(console: Console, result: Assessment, override: Override | None = None) -> None:
    """Print an assessment."""
    from rich.padding import Padding
    from rich.table import Table

    unread = f", {result.unread:,} unread" if result.unread else ""
    console.print(_text(f"{result.source}: {result.documents:,} documents{unread}, {result.characters:,} characters"))
    table = Table(box=None, show_header=False, pad_edge=False)
    for dimension in result.dimensions:
        filled = round(dimension.score / FULL_MARKS * _BAR)
        bar = _text("█" * filled + "░" * (_BAR - filled), _style(dimension.score))
        table.add_row(_text(dimension.name), bar, f"{dimension.score:.1f}", _text(dimension.note or "", "dim"))
    console.print(Padding(table, (1, 0)))
    for dimension, evidence in result.worst():
        if evidence.lost >= SHOWN_FROM:
            _evidence(console, dimension, evidence)
    if result.sensitive:
        found = ", ".join(f"{count:,} {kind}" for kind, count in result.sensitive.items())
        console.print(_text(f"secrets and personal data: {found}", "yellow"))
        for example in result.sensitive_examples[:SHOWN_EXAMPLES]:
            console.print(_text(f"     {_place(example)}", "dim"))
        console.print(_text("     → mask them while ingesting: loading.redact=all", "dim"))
    console.print(_verdict(result, override))


def history(console: Console, overrides: Sequence[Override]) -> None:
    """Print who let low quality pass."""
    from rich.table import Table

    if not overrides:
        console.print("Nobody has let low quality pass.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("time", "source", "total", "by", "reason"):
        table.add_column(heading, overflow="fold")
    for each in overrides:
        table.add_row(*map(_text, (each.time, each.source, f"{each.total:.1f}", each.by, each.reason)))
    console.print(table)


def _evidence(console: Console, dimension: Dimension, evidence: Evidence) -> None:
    from rich.text import Text

    head = Text.assemble(
        (f"−{evidence.lost:.1f} ", "red" if evidence.lost >= 1 else "yellow"),
        (f"{dimension.name}: ", "bold"),
        printable(evidence.says),
    )
    console.print(head)
    for example in evidence.examples[:SHOWN_EXAMPLES]:
        console.print(_text(f"     {_place(example)}", "dim"))
    console.print(_text(f"     → {evidence.do}"))


def _place(example: Example) -> str:
    """ "handbook.pdf, page 3, chars 120-160: its text"."""
    parts = [example.document] if example.document else []
    parts += [f"page {example.page}"] if example.page is not None else []
    parts += [f"chars {example.start}-{example.end}"] if example.start is not None else []
    return ": ".join(part for part in (", ".join(parts), example.text) if part)


def _verdict(result: Assessment, override: Override | None) -> Text:
    total = f"{result.total:.1f} of 30"
    weak = [dimension.name for dimension in result.dimensions if dimension.score < WEAK]
    if result.passed and weak:
        return _text(
            f"{total}: enough in all, but {' and '.join(weak)} below {WEAK:.0f}: mend that first", "bold yellow"
        )
    if result.passed:
        return _text(f"{total}: good enough to answer from", "bold green")
    if override is not None:
        return _text(f"{total}: below {PASS_MARK:.0f}, let through by {override.by}: {override.reason}", "bold yellow")
    return _text(f"{total}: below {PASS_MARK:.0f}: fix the data first", "bold red")


def _style(score: float) -> str:
    return "green" if score >= 4 else "yellow" if score >= 3 else "red"


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(printable(text), style=style)
