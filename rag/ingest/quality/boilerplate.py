"""Notices lines that stand on most pages of a document or in many documents: headers, footers, disclaimers, menus."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from rag.ingest.quality.scale import Example
from rag.types import Document

PAGE_SHARE = 0.5
"""A line on this share of a document's pages, and on `LEAST_PAGES`, is a header or footer."""
LEAST_PAGES = 4
DOCUMENT_SHARE = 0.3
"""A line in this share of all documents, and in `LEAST_DOCUMENTS`, is boilerplate."""
LEAST_DOCUMENTS = 4
SHORTEST = 8
LONGEST = 400
MOST_LINES = 200_000
"""Different lines remembered; past it, those seen once are forgotten (Manku and Motwani's lossy counting, 2002)."""

_LINE = re.compile(r"[^\n]+")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Repeated:
    """A line that stands on `count` of `of` pages or in so many documents, `characters` in all."""

    over: Literal["pages", "documents"]
    count: int
    of: int
    characters: int
    example: Example


@dataclass(slots=True)
class _Seen:
    count: int
    characters: int
    example: Example


class Boilerplate:
    """Collects the lines of documents, one document at a time."""

    def __init__(self) -> None:
        self.documents = 0
        self.characters = 0
        self.page_characters = 0
        self._lines: dict[bytes, _Seen] = {}

    def add(self, document: Document) -> list[Repeated]:
        """Take in a document; the lines repeated over its pages, which count no further."""
        self.documents += 1
        self.characters += len(document.text)
        repeated = repeated_lines(document)
        self.page_characters += sum(each.characters for each in repeated)
        taken = {_key(document.text[each.example.start : each.example.end]) for each in repeated}
        for key, spans in _by_line(document, 0, len(document.text)).items():
            if key not in taken:
                seen = self._lines.setdefault(key, _Seen(0, 0, Example.of(document, *spans[0])))
                seen.count += 1
                seen.characters += sum(end - start for start, end in spans)
        if len(self._lines) > MOST_LINES:
            self._lines = {key: seen for key, seen in self._lines.items() if seen.count > 1}
        return repeated

    def over_documents(self) -> list[Repeated]:
        """The lines that stand in many documents, those with the most characters first."""
        least = max(LEAST_DOCUMENTS, DOCUMENT_SHARE * self.documents)
        found = [
            Repeated("documents", seen.count, self.documents, seen.characters, seen.example)
            for seen in self._lines.values()
            if seen.count >= least
        ]
        return sorted(found, key=lambda each: -each.characters)

    def share(self) -> float:
        """The share of all characters that are repeated, over pages or documents."""
        repeated = self.page_characters + sum(each.characters for each in self.over_documents())
        return repeated / self.characters if self.characters else 0.0


def repeated_lines(document: Document) -> list[Repeated]:
    """The lines on most pages of a document, numbers in them aside ("page 7 of 90"), in the order of the text."""
    pages: dict[bytes, int] = {}
    spans: dict[bytes, list[tuple[int, int]]] = {}
    for page in document.pages:
        for key, found in _by_line(document, page.start, page.end).items():
            pages[key] = pages.get(key, 0) + 1
            spans.setdefault(key, []).extend(found)
    least = max(LEAST_PAGES, PAGE_SHARE * len(document.pages))
    return [
        Repeated(
            "pages",
            count,
            len(document.pages),
            sum(end - start for start, end in spans[key]),
            Example.of(document, *spans[key][0]),
        )
        for key, count in pages.items()
        if count >= least
    ]


def _by_line(document: Document, start: int, end: int) -> dict[bytes, list[tuple[int, int]]]:
    lines: dict[bytes, list[tuple[int, int]]] = {}
    for line, first, last in _lines(document.text, start, end):
        lines.setdefault(_key(line), []).append((first, last))
    return lines


def _lines(text: str, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    for match in _LINE.finditer(text, start, end):
        line = match[0]
        if SHORTEST <= len(line.strip()) <= LONGEST and not line.lstrip().startswith("|"):  # no row of a table
            yield line, match.start(), match.end()


def _key(line: str) -> bytes:
    normal = _DIGITS.sub("#", " ".join(line.casefold().split()))
    return blake2b(normal.encode("utf-8", "replace"), digest_size=8).digest()
