"""A PDF's pages put together as one text: lines, tables, words broken at line ends, and what repeats on every page."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rag.ingest.load.pdf_lines import HYPHEN, Cell, Line
from rag.ingest.load.pdf_tables import tables
from rag.ingest.structure import TextBuilder
from rag.types import Page

_BROKEN_WORD = re.compile(rf"(\w*){HYPHEN}(\w*)")
_COUNTING = re.compile(r"\d+|\b[ivxlc]+\b")
_EDGE_LINES = 3
"""The head and the foot of a page are among so many of its highest and lowest lines."""
_MIN_REPEATS = 3


class PlacedLine(NamedTuple):
    """A line at its `offset` in the document's text, on the page at index `page`; `in_table` tells one of a table."""

    line: Line
    page: int
    offset: int
    in_table: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """`text` with its `pages` and its `lines` in their order there; `tables` and `dropped` are counts."""

    text: str
    pages: tuple[Page, ...]
    lines: tuple[PlacedLine, ...]
    tables: int
    dropped: int


def lay_out(pages: Sequence[Sequence[Line]], *, markdown: bool) -> Layout:
    """The text of all pages, parted by blank lines; tables in Markdown if `markdown`, else as the lines they are."""
    builder = TextBuilder()
    relative: list[list[tuple[int, bool]]] = []
    count = 0
    for lines in pages:
        builder.page()
        text, places, found = _page(lines, markdown=markdown)
        builder.block(text)
        relative.append(places)
        count += found
    text, spans, _ = builder.build()
    placed = tuple(
        PlacedLine(line, index, spans[index].start + offset, in_table)
        for index, lines in enumerate(pages)
        for line, (offset, in_table) in zip(lines, relative[index], strict=True)
    )
    return Layout(text, spans, placed, count, builder.dropped)


def _page(lines: Sequence[Line], *, markdown: bool) -> tuple[str, list[tuple[int, bool]], int]:
    """The text of a page; where in it each line begins, and whether that is in a table; how many tables there are."""
    found = {table.first: table for table in tables(lines)}
    written: list[str] = []
    places: list[tuple[int, bool]] = []
    offset = index = 0
    while index < len(lines):
        table = found.get(index)
        last = table.last if table else index
        if table and markdown:
            starts = []
            for row in table.rows:
                starts.append(offset)
                written.append(row)
                offset += len(row) + 1
            places += [(starts[row], True) for row in table.row_of_line]
        else:
            for line in lines[index : last + 1]:
                places.append((offset, table is not None))
                written.append(line.text)
                offset += len(line.text) + 1
        index = last + 1
    return "\n".join(written), places, len(found)


def mend_words(pages: Sequence[list[Line]]) -> None:
    """Put words together that were broken at the end of a line, in place.

    The hyphen goes where the word without it stands elsewhere in the document ("exam-ple"); it stays where the
    document does not say so ("short-term").
    """
    if not any(HYPHEN in line.text for lines in pages for line in lines):
        return
    words = "\n".join(line.text for lines in pages for line in lines).casefold()

    def mended(match: re.Match[str]) -> str:
        joined = match[1] + match[2]
        return joined if match[1] and match[2] and joined.casefold() in words else f"{match[1]}-{match[2]}"

    for lines in pages:
        for index, line in enumerate(lines):
            if HYPHEN in line.text:
                text = _BROKEN_WORD.sub(mended, line.text)
                cell = Cell(0, len(text), line.left, line.right)
                lines[index] = line._replace(text=text, cells=(cell,))


def running_lines(lines: Sequence[PlacedLine], pages: int) -> set[int]:
    """The offsets of heads and feet of pages: the same but for numbers, at the same height, on several of the pages."""
    repeats: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for page in by_page(lines):
        ordered = sorted(page, key=lambda placed: placed.line.bottom)
        edges = ordered if len(ordered) <= 2 * _EDGE_LINES else ordered[:_EDGE_LINES] + ordered[-_EDGE_LINES:]
        for placed in edges:
            repeats[comparable(placed.line.text), round(placed.line.bottom / 4)].append(placed.offset)
    least = max(_MIN_REPEATS, pages // 50)
    return {offset for offsets in repeats.values() if len(offsets) >= least for offset in offsets}


def comparable(text: str) -> str:
    """The text of a head or foot, the same on every page."""
    return _COUNTING.sub("#", text.casefold())


def by_page(lines: Sequence[PlacedLine]) -> Iterator[Sequence[PlacedLine]]:
    """The lines of each page that has some."""
    start = 0
    for index in range(1, len(lines) + 1):
        if index == len(lines) or lines[index].page != lines[start].page:
            yield lines[start:index]
            start = index
