"""How answers and reports read as plain text: what `print` shows, and the pieces that `rag.show` is made of too."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

from plumbline.text.printable import printable

if TYPE_CHECKING:
    from rag.index.manifest import SourceRecord
    from rag.ingest.report import IngestReport
    from rag.types import Answer, Citation

LONGEST_QUOTE = 240
# A line break that no blank line, list item or table row follows.
_WRAP = re.compile(r"(?<!\n)\n(?![\n\s*•|#>-]|\d+[.)])")


def plain_answer(answer: Answer) -> str:
    """An answer as `print` shows it."""
    lines = [unwrapped(answer.text)]
    lines += [
        f"  [{number}] {where(citation)}: {short(citation.quote, LONGEST_QUOTE)!r} ({citation.verdict})"
        for number, citation in enumerate(answer.citations, 1)
    ]
    lines += [f"  note: {note}" for note in (answer.note, answer.degraded) if note]
    lines.append(
        f"  {confidence(answer)} · {answer.model} · {money(answer.cost)} · {seconds(answer.timings.get('total', 0.0))}"
    )
    return "\n".join(map(printable, lines))


_WOULD = {
    "added": "to add", "updated": "to update", "unchanged": "unchanged", "removed": "to remove",
    "failed": "cannot be read", "skipped": "to skip",
}  # fmt: skip


def plain_report(report: IngestReport) -> str:
    """An ingestion as `print` shows it."""
    lines = [summary(report)]
    named = [file for file in report.files if file.outcome != "skipped"]
    lines += [f"  {file.outcome}: {file.name}: {file.reason}" for file in named if file.reason]
    lines += [f"  {line}" for line in skipped(report)]
    lines += [f"  note: {file.name}: {note}" for file in named for note in file.notes]
    return "\n".join(map(printable, lines))


def skipped(report: IngestReport) -> list[str]:
    """The files that were passed over, one line for each reason, the most frequent first."""
    reasons = Counter(file.reason or "no reason given" for file in report.files if file.outcome == "skipped")
    return [printable(f"skipped: {count:,} × {reason}") for reason, count in reasons.most_common()]


def unwrapped(text: str) -> str:
    """The text without the line breaks of wrapped prose, each turned into a space, so that offsets stay right.

    What would steer the terminal is replaced, one character by one.
    """
    return printable(_WRAP.sub(" ", text.replace("\r", " ")))


def where(citation: Citation) -> str:
    """Document, page and section of a citation on one line."""
    return place(citation.document, citation.page, citation.section)


def place(document: str, page: int | None, section: str | None) -> str:
    """Document, page and section on one line."""
    parts = [document, f"page {page}" if page is not None else None, section]
    return printable(" · ".join(part for part in parts if part))


def money(cost: Decimal | None) -> str:
    """Dollars with as many digits as matter; "price unknown" for `None`."""
    if cost is None:
        return "price unknown"
    if cost == 0 or cost >= 1:
        return f"${cost:.2f}"
    return f"${cost:.6f}"


def seconds(value: float) -> str:
    """A duration for people."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def summary(report: IngestReport) -> str:
    """What an ingestion did, on one line."""
    counts = [
        f"{report.count(outcome):,} {_WOULD[outcome] if report.dry_run else outcome}"
        for outcome in ("added", "updated", "unchanged", "removed", "failed", "skipped")
        if report.count(outcome)
    ]
    if report.reindexed:
        counts.append(f"{report.reindexed:,} {'to index' if report.dry_run else 'indexed'} anew")
    chunks = sum(file.chunks for file in report.files)
    pages = sum(file.pages for file in report.files)
    read = f"; {pages:,} pages, {chunks:,} chunks" if chunks else ""
    what = f"{', '.join(counts) or 'nothing to do'}{read}"
    if report.dry_run:
        tokens = f"about {report.usage.input_tokens:,} tokens to embed or send, {money(report.cost)}"
        return f"{what}; {tokens}; nothing was stored or spent"
    return f"{what}; {seconds(report.seconds)}, {money(report.cost)}"


def coverage(source: SourceRecord) -> str:
    """How much of a source is indexed, on one line, as of its last run."""
    counts = source.counts
    indexed = sum(counts.get(outcome, 0) for outcome in ("added", "updated", "unchanged"))
    failed, passed = counts.get("failed", 0), counts.get("skipped", 0)
    share = indexed / (indexed + failed) if indexed + failed else 1.0
    line = f"{source.root}: {indexed:,} of {indexed + failed:,} files indexed ({share:.1%})"
    more = [*([f"{failed:,} failed"] if failed else []), *([f"{passed:,} skipped"] if passed else [])]
    return printable("; ".join([line, *more, f"looked at {source.finished}"]))


def confidence(answer: Answer) -> str:
    """The confidence, and whether it is calibrated."""
    return f"confidence {answer.confidence:.2f}" + ("" if answer.calibrated else " (not calibrated)")


def short(text: str, longest: int) -> str:
    """The text on one line, of at most `longest` characters."""
    flat = printable(" ".join(text.split()))
    return flat if len(flat) <= longest else f"{flat[: longest - 1].rstrip()}…"
