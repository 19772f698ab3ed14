"""How ingestion looks in a terminal: its progress, its report, a verification."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plumbline.text.printable import printable
from rag.plain import skipped, summary
from rag.show import styled

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from rag.ingest.report import FileOutcome, IngestReport, OnProgress, Outcome
    from rag.ingest.report import Progress as Step
    from rag.ingest.verify import Finding, Verification

_STYLE = {
    "added": "green", "updated": "cyan", "unchanged": "dim", "removed": "yellow", "failed": "red", "skipped": "dim",
}  # fmt: skip
_CHANGES: tuple[Outcome, ...] = ("added", "updated", "removed", "failed")
MOST_ROWS = 200
MOST_FINDINGS = 50


@contextmanager
def progress_bar(console: Console) -> Iterator[OnProgress]:
    """A bar of files with pages, chunks, tokens a second and the time left; nothing where it is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("files · {task.fields[pages]:,} pages · {task.fields[chunks]:,} chunks", markup=False),
        TextColumn("· {task.fields[speed]:,.0f} tokens/s ·", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, pages=0, chunks=0, speed=0.0)

        def advance(step: Step) -> None:
            bar.update(
                task,
                completed=step.done,
                total=step.total,
                description=printable(step.last.name),
                pages=step.pages,
                chunks=step.chunks,
                speed=step.tokens / step.seconds if step.seconds else 0.0,
            )

        yield advance


def report(console: Console, result: IngestReport) -> None:
    """Print what an ingestion did: a table of what failed or changed, why files were skipped, the sums."""
    from rich.table import Table

    looked_at = (file for file in result.files if file.outcome not in {"unchanged", "skipped"})
    shown = heapq.nsmallest(MOST_ROWS, looked_at, key=lambda file: file.outcome != "failed")
    if shown:
        table = Table(box=None, pad_edge=False)
        for heading in ("file", "outcome"):
            table.add_column(heading, overflow="fold")
        for heading in ("pages", "chunks", "embedded", "characters", "seconds"):
            table.add_column(heading, justify="right")
        table.add_column("remark", overflow="fold", ratio=1)
        for file in shown:
            table.add_row(*_row(file))
        console.print(table)
    if (more := sum(map(result.count, _CHANGES)) - len(shown)) > 0:
        console.print(styled(f"… and {more:,} more (--json lists all)", "dim"))
    for line in skipped(result):
        console.print(styled(line, "dim"))
    console.print(styled(summary(result)))


def verification(console: Console, seen: Verification) -> None:
    """Print what was checked, what was amiss, and what is left of that."""
    from rich.table import Table

    left = set(seen.left)
    if seen.found:
        table = Table(box=None, pad_edge=False)
        for heading in ("kind", "where", "what", "now"):
            table.add_column(heading, overflow="fold")
        for each in [*seen.left, *(each for each in seen.found if each not in left)][:MOST_FINDINGS]:
            table.add_row(*_finding(each, repaired=each not in left))
        console.print(table)
        if len(seen.found) > MOST_FINDINGS:
            console.print(styled(f"… {len(seen.found):,} findings in all (--json lists them)", "dim"))
    counted = (
        f"{seen.files:,} files, {seen.documents:,} documents, {seen.chunks:,} chunks, {seen.characters:,} characters"
    )
    console.print(styled(f"checked: {counted}"))
    if seen.complete:
        done = "" if not seen.found else f"; {len(seen.found):,} findings repaired"
        console.print(
            styled(f"complete: every file is indexed, every chunk has its vector and postings{done}", "green")
        )
    else:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in Counter(each.kind for each in seen.left).most_common())
        console.print(styled(f"not complete: {kinds}", "red"))


def _row(file: FileOutcome) -> list[Text]:
    remark = "; ".join([*([file.reason] if file.reason else []), *file.notes])
    numbers = [f"{n:,}" if n else "" for n in (file.pages, file.chunks, file.embedded, file.characters)]
    return [
        styled(file.name),
        styled(file.outcome, _STYLE[file.outcome]),
        *map(styled, numbers),
        styled(f"{file.seconds:.2f}"),
        styled(remark),
    ]


def _finding(each: Finding, *, repaired: bool) -> list[Text]:
    now = styled("repaired", "green") if repaired else styled("open", "red")
    return [styled(each.kind), styled(each.where), styled(each.detail), now]
