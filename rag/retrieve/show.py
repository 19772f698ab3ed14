"""How an explained search looks in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plumbline.text.printable import printable
from rag.index.filter_text import filter_text
from rag.plain import place
from rag.retrieve.explain import Explained, Span
from rag.retrieve.search import Retrieval
from rag.show import LONGEST_EXCERPT
from rag.types import Hit

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

BEFORE = 40
"""Characters of an excerpt before the first matched word in it."""


def explanation(console: Console, retrieval: Retrieval, hits: Sequence[Explained]) -> None:
    """Print what was searched for and how, then every hit with its way through the ranks."""
    from rich.padding import Padding
    from rich.text import Text

    for line in _lines(retrieval):
        console.print(Text(printable(line), style="dim"))
    if not hits:
        console.print("Nothing found.")
    for number, each in enumerate(hits, 1):
        chunk = each.hit.chunk
        console.print()
        console.print(
            Text.assemble(
                (f"{number:>2}. ", "cyan"),
                (printable(place(each.hit.document, chunk.page, chunk.section)), "bold"),
                (f"  chars {chunk.start}-{chunk.end}", "dim"),
            )
        )
        console.print(Padding(Text(_ranks(each.hit), style="dim"), (0, 0, 0, 4)))
        console.print(Padding(_excerpt(each), (0, 0, 0, 4)))


def _lines(retrieval: Retrieval) -> list[str]:
    report = retrieval.rerank
    ways = [f"{retrieval.store} store", f"lexical: {retrieval.scorer}", f"fusion: {retrieval.fusion}"]
    ways += [] if report is None or report.reranker is None else [f"reranker: {report.reranker}"]
    lines = [" · ".join(ways)]
    for each in retrieval.searches:
        found = f"{len(each.found.dense)} by meaning, {len(each.found.lexical)} by words"
        limit = "" if each.condition is None else f" where {filter_text(each.condition)}"
        lines.append(f"searched “{each.asked.text}”{limit}: {found}")
        if each.asked.passage is not None:
            lines.append(f"  by meaning for “{each.asked.passage}”")
    if report is not None and report.diversity > 0:
        lines.append(f"diversity {report.diversity:g}: {report.moved} hits moved to another rank")
    return [*lines, *retrieval.notes]


def _ranks(hit: Hit) -> str:
    steps = (
        ("meaning", hit.dense_rank, hit.dense_score),
        ("words", hit.lexical_rank, hit.lexical_score),
        ("fused", hit.fused_rank, hit.fused_score),
    )
    shown = [f"{name} #{rank} ({score:.3f})" for name, rank, score in steps if rank is not None and score is not None]
    if hit.rerank_score is not None:
        shown.append(f"reranked {hit.rerank_score:.3f}")
    if hit.relevance_rank is not None:
        shown.append(f"by relevance #{hit.relevance_rank}")
    return " · ".join(shown)


def _excerpt(explained: Explained) -> Text:
    """The stretch of the text that holds most of the matched words, these in bold."""
    from rich.text import Text

    text, matched = explained.hit.chunk.text, explained.matched
    start = max((first for first, _ in matched), key=lambda at: _held(matched, at), default=0)
    start = text.rfind(" ", 0, max(start - BEFORE, 0)) + 1
    end = min(start + LONGEST_EXCERPT, len(text))
    shown = Text("…" if start else "")
    at = start
    for first, last in matched:
        if start <= first and last <= end:
            shown.append(_flat(text[at:first]))
            shown.append(_flat(text[first:last]), style="bold green")
            at = last
    return shown.append(_flat(text[at:end])).append("…" if end < len(text) else "")


def _held(matched: Sequence[Span], start: int) -> int:
    """How many matched words an excerpt holds that shows text from `start` on."""
    return sum(start <= first and last <= start + LONGEST_EXCERPT - BEFORE for first, last in matched)


def _flat(text: str) -> str:
    return printable(text.replace("\n", " "))
