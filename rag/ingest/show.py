"""How ingestion looks in a terminal: its progress, its report, a verification."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING

from plumbline.text.printable import printable
from rag.plain import skipped, summary
from rag.show import styled

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn, Task
    from rich.table import Table
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
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    columns = (
        SpinnerColumn(table_column=Column(no_wrap=True)),
        BarColumn(bar_width=6, table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[sums]}", markup=False, table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        _name_column(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, sums="looking at files")

        def advance(step: Step) -> None:
            bar.update(
                task,
                completed=step.done,
                total=step.total,
                description=printable(step.last.name),
                sums=_sums(step),
            )

        yield advance


def report(console: Console, result: IngestReport) -> None:
    """Print what an ingestion did: what failed and why, a table of what changed, remarks, why files were skipped, the
    sums.
    """
    looked_at = (file for file in result.files if file.outcome not in {"unchanged", "skipped"})
    shown = heapq.nsmallest(MOST_ROWS, looked_at, key=lambda file: file.outcome != "failed")
    for file in shown:
        if file.outcome == "failed":
            console.print(_remark("failed", file.name, file.reason or "no reason is known", "red"))
    if changed := [file for file in shown if file.outcome != "failed"]:
        console.print(_table(changed))
    for file in shown:
        for note in file.notes:
            console.print(_remark("note", file.name, note, "yellow"))
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


def _sums(step: Step) -> str:
    """How far it is, short enough for one line of 80 columns."""
    total = "?" if step.total is None else f"{step.total:,}"
    speed = step.tokens / step.seconds if step.seconds else 0.0
    return (
        f"{step.done:,}/{total} files · {_rounded(step.pages)} pages · {_rounded(step.chunks)} chunks · "
        f"{_rounded(speed)} tokens/s"
    )


def _rounded(number: float) -> str:
    return f"{number:,.0f}" if number < 10_000 else f"{number / 1000:,.0f}k"


def _name_column() -> ProgressColumn:
    """The newest file's name, as much of it as there is room for."""
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Name(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(task.description, overflow="ellipsis", no_wrap=True)

    return Name()


def _table(files: Sequence[FileOutcome]) -> Table:
    """Files with what they gave, without columns that would say nothing."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("outcome")
    columns = [name for name in ("pages", "chunks", "embedded", "characters") if any(map(attrgetter(name), files))]
    if all(file.embedded == file.chunks for file in files) and "embedded" in columns:
        columns.remove("embedded")
    for heading in (*columns, "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for file in files:
        numbers = [f"{n:,}" if (n := getattr(file, name)) or name == "embedded" else "" for name in columns]
        cells = [styled(file.name), styled(file.outcome, _STYLE[file.outcome]), *map(styled, numbers)]
        table.add_row(*cells, styled(f"{file.seconds:.2f}"))
    return table


def _remark(kind: str, name: str, words: str, style: str) -> Text:
    from rich.text import Text

    return Text.assemble((kind, style), " ", printable(f"{name}: {words}"))


def _finding(each: Finding, *, repaired: bool) -> list[Text]:
    now = styled("repaired", "green") if repaired else styled("open", "red")
    return [styled(each.kind), styled(each.where), styled(each.detail), now]
