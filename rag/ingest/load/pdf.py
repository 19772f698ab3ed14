"""PDF through PDFium: pages, tables in Markdown, headings from bookmarks, numbers and fonts; scanned pages noticed.

Pages come in the order of the file, lines in the order in which a page draws them. PDFium may be used by one thread at
a time, so reading takes turns; worker processes read side by side.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import DamagedFileError, NoTextError
from rag.ingest.load.pdf_file import facts, opened
from rag.ingest.load.pdf_headings import pdf_headings
from rag.ingest.load.pdf_layout import Layout, lay_out, mend_words, running_lines
from rag.ingest.load.pdf_lines import Line, PageReader
from rag.ingest.load.pdf_outline import bookmarks, outline_headings
from rag.ingest.settings import LoadingSettings
from rag.ingest.structure import Extracted, sections_from
from rag.types import MetadataValue

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_PDFIUM = threading.Lock()
"""PDFium keeps its state in the process and has no locks of its own."""
_MAX_LISTED = 100
_MAX_DAMAGED = 1000
"""After so many damaged pages with no good one the rest is not tried."""


def read_pdf(data: bytes, path: Path, loading: LoadingSettings | None = None) -> Extracted:
    """A PDF, page by page.

    In `metadata`, where it is not zero: `pages_without_text` counts pages that hold none (scanned, or drawn) and
    `scanned_pages` names them; `ocr_pages` counts those that were read by OCR (`loading.ocr`), `damaged_pages` names
    pages that could not be read, `running_lines` counts heads and feet of pages, `tables` counts tables.
    Raises `NoTextError` when none of the pages holds text, `DamagedFileError` and `EncryptedFileError`.
    """
    loading = loading or LoadingSettings()
    with _PDFIUM, opened(data, path) as document:
        reader = PageReader(document)
        pages, damaged = _lines(document, reader, path)
        empty = [index for index, lines in enumerate(pages) if not lines and index not in damaged]
        read = _read_scans(document, pages, empty) if loading.ocr and empty else []
        marks = list(bookmarks(document))
        known = facts(document)
    if not any(pages):
        raise _no_text(path, len(pages), ocr=loading.ocr)
    mend_words(pages)
    layout = lay_out(pages, markdown=loading.pdf_tables == "markdown")
    running = running_lines(layout.lines, len(pages))
    headings = pdf_headings(layout, outline_headings(marks, layout.lines), running)
    left = [index for index in empty if index not in read]
    return Extracted(
        layout.text,
        pages=layout.pages,
        sections=sections_from(headings, len(layout.text)),
        title=known.title,
        language=known.language,
        created=known.created,
        dropped=reader.dropped + layout.dropped,
        metadata=_notes(layout, len(running), left, read, damaged),
    )


def _lines(document: PdfDocument, reader: PageReader, path: Path) -> tuple[list[list[Line]], set[int]]:
    """The lines of every page, and the indices of damaged ones."""
    pages: list[list[Line]] = []
    damaged: set[int] = set()
    for index in range(len(document)):
        lines = reader.lines(index)
        if lines is None:
            damaged.add(index)
            if len(damaged) == len(pages) + 1 >= min(len(document), _MAX_DAMAGED):
                raise DamagedFileError(path, "none of its pages can be read")
        pages.append(lines or [])
    return pages, damaged


def _read_scans(document: PdfDocument, pages: list[list[Line]], empty: list[int]) -> list[int]:
    """Put the lines that OCR finds on the `empty` pages into `pages`; the indices of pages where it found some."""
    from rag.ingest.load.pdf_ocr import PageScanner

    scanner = PageScanner(document)
    for index in empty:
        pages[index] = scanner.lines(index)
    return [index for index in empty if pages[index]]


def _no_text(path: Path, count: int, *, ocr: bool) -> NoTextError:
    if ocr:
        return NoTextError(path, f"none of its {count} pages holds text, and OCR found none either")
    return NoTextError(
        path,
        f"none of its {count} pages holds text, as if scanned",
        hint="For OCR set 'loading.ocr: true' and install the extra: pip install 'plumbline[ocr]'.",
    )


def _notes(
    layout: Layout, running: int, left: list[int], read: list[int], damaged: set[int]
) -> Mapping[str, MetadataValue]:
    notes: dict[str, MetadataValue] = {
        "pages_without_text": len(left),
        "scanned_pages": _listed(left),
        "ocr_pages": len(read),
        "damaged_pages": _listed(sorted(damaged)),
        "running_lines": running,
        "tables": layout.tables,
    }
    return {name: value for name, value in notes.items() if value}


def _listed(indices: list[int]) -> str:
    """Page numbers as "1, 2, 7"; of many only the first."""
    numbers = ", ".join(str(index + 1) for index in indices[:_MAX_LISTED])
    return numbers + ", …" if len(indices) > _MAX_LISTED else numbers
