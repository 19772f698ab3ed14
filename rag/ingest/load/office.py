"""Word, Excel, OpenDocument, EPUB, RTF and e-mail, through kreuzberg.

The text is rebuilt from kreuzberg's tree of nodes, block by block, so that every heading has its exact offset.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rag.errors import DamagedFileError, EncryptedFileError
from rag.ingest.load.kreuzberg import extract, extracted
from rag.ingest.load.rows import add_records, table
from rag.ingest.structure import Extracted, TextBuilder

_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MIDNIGHT = " 00:00:00"
"""How a cell that holds a day, and no time, ends."""


def read_nodes(data: bytes, path: Path, *, media_type: str) -> Extracted:
    """A document without pages, from its tree: headings, paragraphs, lists and tables in reading order."""
    if data.startswith(_OLE_MAGIC):
        raise EncryptedFileError(path, "it is protected by a password, or of an older format under this name")
    if media_type == "application/rtf" and not _is_whole_rtf(data):
        raise DamagedFileError(path, "it is truncated or damaged, or no RTF file")
    result = extract(data, path, media_type)
    builder = TextBuilder()
    records = media_type.endswith(("spreadsheetml.sheet", "opendocument.spreadsheet"))
    for node in result.document["nodes"] if result.document else []:
        if node.get("content_layer") not in ("header", "footer"):
            _add_node(builder, node["content"], records=records)
    text, _, sections = builder.build()
    return extracted(result, text, builder.dropped, sections=sections)


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
