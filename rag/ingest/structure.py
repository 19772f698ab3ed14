"""Pages and headings as offsets: what loaders build, and look-ups by offset for whoever cites.

A heading path such as ("Leases", "Maturities") comes from headings in reading order: a section ends where the next
heading of the same or a higher rank stands, so sections nest and each span includes its subsections.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from rag.types import Document, MetadataValue, Page, Section

PATH_SEPARATOR = " > "
"""Joins the headings of a path where it is shown."""

_UNWANTED = re.compile("[\x00\ud800-\udfff]")
_START = attrgetter("start")
_GAP = "\n\n"


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of rank `level` (1 is the highest) whose line begins at `offset`."""

    level: int
    title: str
    offset: int


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a format's reader makes of one file's bytes; the loader adds where it came from."""

    text: str
    pages: tuple[Page, ...] = ()
    sections: tuple[Section, ...] = ()
    title: str | None = None
    language: str | None = None
    created: str | None = None
    dropped: int = 0
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)


def clean(text: str) -> tuple[str, int]:
    """Line breaks as "\\n"; null bytes and lone surrogates removed and counted."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNWANTED.subn("", text)


class TextBuilder:
    """Joins blocks of text with blank lines and records where headings and pages come to stand.

    `dropped` counts characters that could not be kept.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._parts: list[str] = []
        self._length = 0
        self._headings: list[Heading] = []
        self._pages: list[int] = []
        self._last_item = 0

    def block(self, text: str) -> None:
        """Add a paragraph or a table; text of nothing but white space is left out."""
        text = text.strip()
        if text:
            self._add(text)

    def item(self, text: str) -> None:
        """Add an item of a list: items that follow each other stand on consecutive lines."""
        text = text.strip()
        if text:
            follows = bool(self._parts) and self._last_item == len(self._parts)
            self._add(f"- {text}", gap="\n" if follows else _GAP)
            self._last_item = len(self._parts)

    def heading(self, level: int, title: str) -> None:
        """Add a heading as a line of its own."""
        title = " ".join(clean(title)[0].split())
        if title:
            self._headings.append(Heading(level, title, self._add(title)))

    def page(self) -> None:
        """Begin the next page: what is added from here on stands on it."""
        self._pages.append(self._length + len(_GAP) if self._parts else 0)

    def _add(self, text: str, gap: str = _GAP) -> int:
        """Append `text` and return its offset."""
        text, lost = clean(text)
        self.dropped += lost
        if self._parts:
            self._parts.append(gap)
            self._length += len(gap)
        offset = self._length
        self._parts.append(text)
        self._length += len(text)
        return offset

    def build(self) -> tuple[str, tuple[Page, ...], tuple[Section, ...]]:
        """The text, its pages (numbered from one) and its sections."""
        text = "".join(self._parts)
        pages = []
        nexts = [*self._pages[1:], len(text) + len(_GAP)]
        for number, (begun, following) in enumerate(zip(self._pages, nexts, strict=False), 1):
            start = min(begun, len(text))
            pages.append(Page(number, start, max(start, following - len(_GAP))))
        return text, tuple(pages), sections_from(self._headings, len(text))


def sections_from(headings: Iterable[Heading], length: int) -> tuple[Section, ...]:
    """Sections for headings in reading order over a text of `length` code points."""
    found: list[Section] = []
    open_: list[tuple[int, int]] = []  # (level, index into found)

    def close(level: int, end: int) -> None:
        while open_ and open_[-1][0] >= level:
            index = open_.pop()[1]
            found[index] = Section(found[index].path, found[index].start, end)

    for heading in headings:
        close(heading.level, heading.offset)
        parent = found[open_[-1][1]].path if open_ else ()
        open_.append((heading.level, len(found)))
        found.append(Section((*parent, heading.title), heading.offset, length))
    return tuple(found)


def page_at(document: Document, offset: int) -> int | None:
    """The number of the page on which `offset` stands (between two pages: the earlier one), `None` without pages."""
    if not document.pages:
        return None
    return document.pages[max(bisect_right(document.pages, offset, key=_START) - 1, 0)].number


def section_at(document: Document, offset: int) -> Section | None:
    """The innermost section that holds `offset`, `None` before the first heading."""
    index = bisect_right(document.sections, offset, key=_START) - 1
    while index >= 0 and document.sections[index].end <= offset:
        index -= 1
    return document.sections[index] if index >= 0 else None


def heading_path(document: Document, offset: int) -> str | None:
    """The heading path at `offset` as it is shown, "Leases > Maturities", or `None`."""
    section = section_at(document, offset)
    return PATH_SEPARATOR.join(section.path) if section else None
