"""The bookmarks of a PDF as headings, each at the line in the text that it leads to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from rag.ingest.load.pdf_layout import PlacedLine
from rag.ingest.structure import Heading, clean

if TYPE_CHECKING:
    from pypdfium2 import PdfBookmark, PdfDocument

_MAX_BOOKMARKS = 20_000
_MAX_TITLE = 300
_TELLING = 8
"""Fewer letters stand in a line by chance."""
_UNLIKE = 4
_XYZ, _FIT_WIDTH = 1, 3
"""Kinds of destinations that say how high on the page they lead (PDF 32000-1, 12.3.2.2)."""


class Bookmark(NamedTuple):
    """`level` is from one; `page` counts from zero; `y` is the height on the page in points if it is known."""

    level: int
    title: str
    page: int
    y: float | None


def bookmarks(document: PdfDocument) -> Iterator[Bookmark]:
    """The bookmarks that lead to a page of the document, in their order."""
    for found in islice(document.get_toc(), _MAX_BOOKMARKS):
        title = " ".join(clean(found.get_title())[0].split())[:_MAX_TITLE]
        page, y = _destination(found)
        if title and page is not None:
            yield Bookmark(found.level + 1, title, page, y)


def _destination(bookmark: PdfBookmark) -> tuple[int | None, float | None]:
    destination = bookmark.get_dest()
    if destination is None:
        return None, None
    mode, place = destination.get_view()
    y = place[1] if mode == _XYZ and len(place) > 1 else place[0] if mode == _FIT_WIDTH and place else None
    return destination.get_index(), y


def outline_headings(found: Sequence[Bookmark], lines: Sequence[PlacedLine]) -> list[Heading]:
    """A heading for each bookmark whose page holds text, in the order of the text."""
    wanted = {bookmark.page for bookmark in found}
    pages: defaultdict[int, list[tuple[str, PlacedLine]]] = defaultdict(list)
    for placed in lines:
        if placed.page in wanted:
            pages[placed.page].append((_letters(placed.line.text), placed))
    headings = [
        Heading(bookmark.level, bookmark.title, _line_of(bookmark, pages[bookmark.page]).offset)
        for bookmark in found
        if bookmark.page in pages
    ]
    return sorted(headings, key=lambda heading: heading.offset)


def _line_of(bookmark: Bookmark, lines: Sequence[tuple[str, PlacedLine]]) -> PlacedLine:
    """The line that has the bookmark's title, nearest to where it leads; else the line it leads to."""
    title = _letters(bookmark.title)

    def distance(placed: PlacedLine) -> float:
        return 0.0 if bookmark.y is None else abs(bookmark.y - placed.line.bottom - placed.line.height)

    same = [placed for letters, placed in lines if letters == title]
    if same:
        return min(same, key=distance)
    ranked = [(_likeness(title, letters), distance(placed), placed) for letters, placed in lines]
    best = min(ranked, key=lambda each: each[:2])
    if best[0] == _UNLIKE and bookmark.y is None:
        return lines[0][1]
    return best[2]


def _likeness(title: str, line: str) -> int:
    """1: the line begins the title; 2: the title begins the line; 3: the title stands in the line; else 4."""
    if len(line) > _TELLING and title.startswith(line):
        return 1
    if len(title) > 3 and line.startswith(title):
        return 2
    return 3 if len(title) > _TELLING and title in line else _UNLIKE


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
