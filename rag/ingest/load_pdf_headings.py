"""The headings of a PDF: its bookmarks, lines that number themselves, and lines set apart by their font.

A section that a bookmark opens holds those that numbers open, and these hold those that fonts open; only a line that
stands out more than the numbered heading above it ends that one's section.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from rag.ingest.load_headings import numbered_headings
from rag.ingest.load_pdf_layout import Layout, PlacedLine
from rag.ingest.load_pdf_lines import MAX_HEADING, Font
from rag.ingest.structure import Heading

_NUMBERED, _FONTS = 20, 40
"""What is added to levels, so that bookmarks (1 to 15) rank before numbers and numbers before fonts."""
_LARGER = 1.1
_HEAVIER = 1.15
_MAX_WORDS = 18
_MAX_LINES = 3
"""More lines than that in one font are a paragraph that is set apart, no heading."""
_SHORTEST_SECTION = 150
_CHARS_PER_HEADING = 600
"""Fonts that give more headings than one in so many characters do not mark headings."""

Rank = tuple[float, bool, bool]
"""How much a line stands out: its size, whether it is bold, whether it is in capitals."""


@dataclass(frozen=True, slots=True)
class Body:
    """The font of most text; `named` tells whether the names of fonts say which are bold."""

    font: Font
    named: bool

    @classmethod
    def of(cls, lines: Sequence[PlacedLine]) -> Body:
        """The body of a document with these lines."""
        used: Counter[Font] = Counter()
        for placed in lines:
            used[placed.line.font] += len(placed.line.text)
        usual = used.most_common(1)[0][0]
        return cls(usual, named=any(font.bold for font in used))

    def rank(self, font: Font, text: str) -> Rank | None:
        """How much a line of this font stands out, `None` if it does not."""
        if font is self.font:
            return None
        body = self.font
        larger = font.size >= _LARGER * body.size
        bold = font.bold and not body.bold
        if font.size >= body.size and font.name != body.name:
            bold = bold or not self.named or font.weight > _HEAVIER * body.weight
        italic = font.italic and not body.italic and font.size >= body.size
        return (font.size if larger else body.size, bold, text.isupper()) if larger or bold or italic else None


def pdf_headings(layout: Layout, outline: Sequence[Heading], running: Collection[int]) -> list[Heading]:
    """All headings in the order of the text; `running` has the offsets of lines that repeat from page to page."""
    if not layout.lines:
        return []
    body = Body.of(layout.lines)
    taken = {heading.offset for heading in outline}
    firm = list(outline)
    for heading in numbered_headings(layout.text, ignored=running):
        if heading.offset not in taken:
            taken.add(heading.offset)
            firm.append(replace(heading, level=_NUMBERED + heading.level))
    ranks = {
        placed.offset: rank
        for placed in layout.lines
        if not placed.in_table and (rank := body.rank(placed.line.font, placed.line.text))
    }
    apart = _ranked([each for each in _set_apart(layout.lines, ranks, running) if each[1] not in taken], layout.text)
    found = _nested(sorted([*firm, *apart], key=lambda heading: heading.offset), ranks)
    return _with_text(found, len(layout.text))


def _set_apart(
    lines: Sequence[PlacedLine], ranks: dict[int, Rank], running: Collection[int]
) -> Iterator[tuple[str, int, Rank]]:
    """Title, offset and rank of each line, or lines that follow each other in one font, that can be a heading."""
    group: list[PlacedLine] = []
    for placed in (*lines, None):
        usable = placed is not None and placed.offset in ranks and placed.offset not in running
        if placed is not None and usable and group and _follows(group[-1], placed):
            group.append(placed)
            continue
        if group and (title := _title(group)):
            yield title, group[0].offset, ranks[group[0].offset]
        group = [placed] if placed is not None and usable else []


def _follows(above: PlacedLine, below: PlacedLine) -> bool:
    """Whether the second line goes on where the first one ends, set alike."""
    first, second = above.line, below.line
    alike = first.font is second.font and above.page == below.page
    return alike and 0 < first.bottom - second.bottom < 1.7 * first.height


def _title(group: Sequence[PlacedLine]) -> str | None:
    """The lines as one title; `None` for what reads as a sentence, a figure, a row or a paragraph."""
    if len(group) > _MAX_LINES or not all(placed.line.plain and len(placed.line.cells) == 1 for placed in group):
        return None
    title = " ".join(placed.line.text for placed in group)
    if not 3 <= len(title) <= MAX_HEADING or len(title.split()) > _MAX_WORDS or title[-1] in ",;:.":
        return None
    letters = sum(map(str.isalpha, title))
    begins = title.lstrip("“\"'(")[:1]
    return " ".join(title.split()) if 2 * letters > len(title) and not begins.islower() and begins.isalnum() else None


def _ranked(found: list[tuple[str, int, Rank]], text: str) -> list[Heading]:
    """Headings with levels by rank; the least ranks are left out while there are too many headings."""
    ranks = sorted({rank for _, _, rank in found}, reverse=True)
    while ranks and sum(rank >= ranks[-1] for _, _, rank in found) * _CHARS_PER_HEADING > len(text):
        if len(ranks) == 1 and len(found) <= 3:
            break
        least = ranks.pop()
        found = [each for each in found if each[2] != least]
    return [Heading(_FONTS + ranks.index(rank), title, offset) for title, offset, rank in found]


def _nested(found: Sequence[Heading], ranks: dict[int, Rank]) -> list[Heading]:
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
