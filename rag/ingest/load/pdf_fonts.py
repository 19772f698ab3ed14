"""Lines of a PDF that its fonts set apart as titles: larger than the text around them, bold, or in italics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rag.ingest.load.pdf_layout import PlacedLine, by_page, comparable
from rag.ingest.load.pdf_lines import MAX_HEADING, Font

_LARGER = 1.1
_HEAVIER = 1.15
_MAX_WORDS = 18
_MAX_LINES = 3
"""More lines than that in one font are a paragraph that is set apart, no heading."""
_INDENT, _CENTRED = 0.12, 0.04
"""Shares of the width of a page's text: a title begins near its left edge or stands in its middle."""

Rank = tuple[float, bool, bool]
"""How much a line stands out: its size, whether it is bold, whether it is in capitals."""


class Title(NamedTuple):
    """One to three lines that can be a heading, at the `offset` of the first one."""

    text: str
    offset: int
    rank: Rank


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


def titles(lines: Sequence[PlacedLine], ranks: Mapping[int, Rank], running: Collection[int]) -> Iterator[Title]:
    """What stands out and reads as a title; `ranks` has what stands out, by offset, `running` what repeats."""
    repeated = {comparable(placed.line.text) for placed in lines if placed.offset in running}
    for page in by_page(lines):
        for group in _groups(page, ranks):
            text = _title(group)
            if text and comparable(text) not in repeated and _is_in_place(group[0], page):
                yield Title(text, group[0].offset, ranks[group[0].offset])


def _groups(page: Sequence[PlacedLine], ranks: Mapping[int, Rank]) -> Iterator[list[PlacedLine]]:
    """Lines that stand out, each with those that go on from it."""
    group: list[PlacedLine] = []
    for placed in page:
        stands_out = placed.offset in ranks
        if stands_out and group and _follows(group[-1], placed):
            group.append(placed)
            continue
        if group:
            yield group
        group = [placed] if stands_out else []
    if group:
        yield group


def _follows(above: PlacedLine, below: PlacedLine) -> bool:
    """Whether the second line goes on where the first one ends, set alike."""
    first, second = above.line, below.line
    return first.font is second.font and 0 < first.bottom - second.bottom < 1.7 * first.height


def _is_in_place(placed: PlacedLine, page: Sequence[PlacedLine]) -> bool:
    """Near the left edge of the page's text or in its middle: names of columns stand elsewhere."""
    left = min(each.line.left for each in page)
    right = max(each.line.right for each in page)
    width = right - left
    middle = (placed.line.left + placed.line.right - left - right) / 2
    return placed.line.left - left <= _INDENT * width or abs(middle) <= _CENTRED * width


def _title(group: Sequence[PlacedLine]) -> str | None:
    """The lines as one title; `None` for what reads as a sentence, a figure, a row or a paragraph."""
    if len(group) > _MAX_LINES or not all(placed.line.plain and len(placed.line.cells) == 1 for placed in group):
        return None
    title = " ".join(placed.line.text for placed in group)
    if not 3 <= len(title) <= MAX_HEADING or len(title.split()) > _MAX_WORDS or title[-1] in ",;:.":
        return None
    letters = sum(map(str.isalpha, title))
    begins = title.lstrip("“\"'")[:1]
    return " ".join(title.split()) if 2 * letters > len(title) and not begins.islower() and begins.isalnum() else None
