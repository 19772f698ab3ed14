"""The headings of a PDF: its bookmarks, lines that number themselves, and titles set apart by their font.

A section that a bookmark opens holds those that numbers open, and these hold those that fonts open; only a title that
stands out more than the numbered heading above it ends that one's section.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from rag.ingest.load.headings import headings_in
from rag.ingest.load.pdf_fonts import Body, Rank, Title, titles
from rag.ingest.load.pdf_layout import Layout
from rag.ingest.structure import Heading

_NUMBERED, _FONTS = 20, 40
"""What is added to levels, so that bookmarks (1 to 15) rank before numbers and numbers before fonts."""
_SHORTEST_SECTION = 150
_CHARS_PER_HEADING = 600
"""Fonts that give more headings than one in so many characters do not mark headings."""


def pdf_headings(layout: Layout, outline: Sequence[Heading], running: Collection[int]) -> list[Heading]:
    """All headings in the order of the text; `running` has the offsets of lines that repeat from page to page."""
    if not layout.lines:
        return []
    taken = {heading.offset for heading in outline}
    firm = list(outline)
    for heading in headings_in(_standing(layout, running), len(layout.text)):
        if heading.offset not in taken:
            taken.add(heading.offset)
            firm.append(replace(heading, level=_NUMBERED + heading.level))
    body = Body.of(layout.lines)
    ranks = {
        placed.offset: rank
        for placed in layout.lines
        if not placed.in_table and (rank := body.rank(placed.line.font, placed.line.text))
    }
    apart = [title for title in titles(layout.lines, ranks, running) if title.offset not in taken]
    found = [*firm, *_by_fonts(apart, len(layout.text))]
    return _with_text(_nested(sorted(found, key=lambda heading: heading.offset), ranks), len(layout.text))


def _standing(layout: Layout, running: Collection[int]) -> list[tuple[int, str]]:
    return [(placed.offset, placed.line.text) for placed in layout.lines if placed.offset not in running]


def _by_fonts(found: list[Title], length: int) -> list[Heading]:
    """Headings with levels by rank; the least ranks are left out while there are too many headings."""
    ranks = sorted({title.rank for title in found}, reverse=True)
    while len(found) > 3 and len(found) * _CHARS_PER_HEADING > length:
        least = ranks.pop()
        found = [title for title in found if title.rank != least]
    return [Heading(_FONTS + ranks.index(title.rank), title.text, title.offset) for title in found]


def _nested(found: Sequence[Heading], ranks: Mapping[int, Rank]) -> list[Heading]:
    """A line that stands out more than the open numbered heading ends its section: it takes that one's level."""
    nested: list[Heading] = []
    numbered: Heading | None = None
    for heading in found:
        level = heading.level
        if level < _FONTS:
            numbered = heading if level > _NUMBERED else None
        elif numbered and (rank := ranks.get(numbered.offset)) and ranks[heading.offset] > rank:
            level = numbered.level
        nested.append(replace(heading, level=level))
    return nested


def _with_text(found: Sequence[Heading], length: int) -> list[Heading]:
    """Without headings by font that have next to no text below them."""
    kept: list[Heading] = []
    for heading in reversed(found):
        following = kept[-1] if kept else None
        room = (following.offset if following else length) - heading.offset
        deeper = following is not None and following.level > heading.level
        if heading.level < _FONTS or deeper or room >= _SHORTEST_SECTION:
            kept.append(heading)
    return kept[::-1]
