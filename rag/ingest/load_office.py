"""PDF, Word, Excel, OpenDocument, EPUB, RTF and e-mail, through kreuzberg (PDFium inside for PDF).

The text is rebuilt from kreuzberg's pages or its tree of nodes, block by block, so that every page and heading has
its exact offset; kreuzberg's own cache and clean-up are off, the text stays as the format gives it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.errors import DamagedFileError, EncryptedFileError, LoadError, NoTextError, UnsupportedFileError
from rag.ingest.load_headings import numbered_headings
from rag.ingest.load_rows import add_records, table
from rag.ingest.load_text import iso_date
from rag.ingest.structure import Extracted, TextBuilder, clean, sections_from

if TYPE_CHECKING:
    from kreuzberg import ExtractionResult

_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MIDNIGHT = " 00:00:00"
"""How a cell that holds a day, and no time, ends."""
_PASSWORD = re.compile(r"password|encrypt", re.IGNORECASE)


def reader(media_type: str) -> Callable[[bytes, Path], Extracted]:
    """The reader for a format that has no pages."""
    return partial(read_nodes, media_type=media_type)


def read_pdf(data: bytes, path: Path) -> Extracted:
    """A PDF, page by page; its headings are those that number themselves (see `rag.ingest.load_headings`).

    `metadata["pages_without_text"]` counts pages that hold none: scanned, or drawn.
    Raises `NoTextError` when none of the pages holds text.
    """
    result = _extract(data, path, "application/pdf")
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
    return _extracted(result, text, builder.dropped, pages=pages, sections=sections, metadata=notes)


def read_nodes(data: bytes, path: Path, *, media_type: str) -> Extracted:
    """A document without pages, from its tree: headings, paragraphs, lists and tables in reading order."""
    if data.startswith(_OLE_MAGIC):
        raise EncryptedFileError(path, "it is protected by a password, or of an older format under this name")
    if media_type == "application/rtf" and not _is_whole_rtf(data):
        raise DamagedFileError(path, "it is truncated or damaged, or no RTF file")
    result = _extract(data, path, media_type)
    builder = TextBuilder()
    records = media_type.endswith("spreadsheetml.sheet")
    for node in result.document["nodes"] if result.document else []:
        if node.get("content_layer") not in ("header", "footer"):
            _add_node(builder, node["content"], records=records)
    text, _, sections = builder.build()
    return _extracted(result, text, builder.dropped, sections=sections)


def _add_node(builder: TextBuilder, content: Mapping[str, Any], *, records: bool) -> None:
    kind = content["node_type"]
    if kind in ("heading", "title"):
        builder.heading(content.get("level", 1), content["text"])
    elif kind == "table":
        rows = list(_rows(content["grid"]))
        if records:
            add_records(builder, [[cell.removesuffix(_MIDNIGHT) for cell in row] for row in rows])
        else:
            builder.block(table(rows))
    elif kind == "list_item":
        builder.item(content["text"])
    elif kind == "metadata_block":
        builder.block("\n".join(f"{name}: {value}" for name, value in content["entries"]))
    elif kind not in ("group", "image", "page_break"):
        builder.block(content.get("text") or "")


def _is_whole_rtf(data: bytes) -> bool:
    """kreuzberg reads what there is of a file cut short, and any text as RTF."""
    return data.lstrip().startswith(b"{\\rtf") and data.rstrip(b"\0 \t\r\n").endswith(b"}")


def _rows(grid: Mapping[str, Any]) -> Iterator[list[str]]:
    rows = [[""] * grid["cols"] for _ in range(grid["rows"])]
    for cell in grid["cells"]:
        rows[cell["row"]][cell["col"]] = cell["content"]
    yield from rows


def _extract(data: bytes, path: Path, media_type: str) -> ExtractionResult:
    import kreuzberg

    pages = media_type == "application/pdf"
    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        pages=kreuzberg.PageConfig(extract_pages=pages),
        include_document_structure=not pages,
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )
    try:
        return kreuzberg.extract_bytes_sync(data, media_type, config)
    except Exception as error:  # the Rust core raises many kinds: what they say decides
        raise _load_error(path, media_type, error) from error


def _load_error(path: Path, media_type: str, error: Exception) -> LoadError:
    message = str(error)
    if _PASSWORD.search(message):
        return EncryptedFileError(path, "it is protected by a password")
    if "unsupported format" in message.lower():
        return UnsupportedFileError(path, f"'{media_type}' is not read by the installed kreuzberg")
    return DamagedFileError(path, f"it is truncated or damaged, or no {path.suffix.lstrip('.').upper()} file")


def _extracted(result: ExtractionResult, text: str, dropped: int, **structure: Any) -> Extracted:
    facts = result.metadata
    title = " ".join(str(facts.get("title") or facts.get("subject") or "").split())
    return Extracted(
        text,
        title=clean(title)[0] or None,
        language=str(facts["language"]).split("-")[0].lower() if facts.get("language") else None,
        created=_date(facts.get("created_at")),
        dropped=dropped,
        **structure,
    )


def _date(value: str | None) -> str | None:
    """The date in ISO 8601, from ISO 8601 or an e-mail's form."""
    if not value:
        return None
    if found := iso_date(value):
        return found
    try:
        return parsedate_to_datetime(value).date().isoformat()
    except ValueError:
        return None
