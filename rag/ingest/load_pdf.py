"""PDF through kreuzberg (PDFium inside), page by page."""

from __future__ import annotations

from pathlib import Path

from rag.errors import NoTextError
from rag.ingest.load_headings import numbered_headings
from rag.ingest.load_kreuzberg import extract, extracted
from rag.ingest.structure import Extracted, TextBuilder, sections_from


def read_pdf(data: bytes, path: Path) -> Extracted:
    """A PDF, page by page; its headings are those that number themselves (see `rag.ingest.load_headings`).

    `metadata["pages_without_text"]` counts pages that hold none: scanned, or drawn.
    Raises `NoTextError` when none of the pages holds text.
    """
    result = extract(data, path, "application/pdf")
    builder = TextBuilder()
    empty = 0
    for page in sorted(result.pages or [], key=lambda page: page["page_number"]):
        empty += not page["content"].strip()
        builder.page()
        builder.block(page["content"])
    text, pages, _ = builder.build()
    if not text:
        raise NoTextError(
            path,
            f"none of its {len(pages)} pages holds text, as if scanned",
            hint="Run OCR on it first, then ingest it.",
        )
    notes = {"pages_without_text": empty} if empty else {}
    sections = sections_from(numbered_headings(text), len(text))
    return extracted(result, text, builder.dropped, pages=pages, sections=sections, metadata=notes)
