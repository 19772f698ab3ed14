"""What every chunk carries about where it comes from, whatever the format it was read from."""

from __future__ import annotations

from pathlib import PurePath

from rag.ingest.labels import ACCESS
from rag.types import Chunk, Document

LONGEST = 200
"""Characters of a value of a document's own metadata that are worth a filter."""


def chunk_metadata(document: Document, chunk: Chunk) -> dict[str, object]:
    """Where a chunk comes from; what is not known is left out.

    source_document (as citations name it), source (its address), document_id, page_number, section_heading (the full
    path joined by " > "), date_created (ISO 8601: the document's own date, or that of its file, as date_from says),
    start and end (offsets in code points), hash (SHA-256 of the file), media_type, language (ISO 639-1); and the
    document's own metadata under names that are none of these, its `tenant` and `groups` among them.
    """
    modified = document.metadata.get("modified")
    facts: dict[str, object] = {
        "source_document": document.name,
        "source": document.source,
        "document_id": document.id,
        "page_number": chunk.page,
        "section_heading": chunk.section,
        "date_created": document.created or (str(modified)[:10] if modified else None),
        "date_from": "document" if document.created else ("file" if modified else None),
        "start": chunk.start,
        "end": chunk.end,
        "hash": document.hash,
        "media_type": document.media_type,
        "language": document.language,
    }
    said = document.metadata.items()
    own = {name: value for name, value in said if name not in facts and (name in ACCESS or _is_short(value))}
    return {name: value for name, value in {**own, **facts}.items() if value is not None}


def title(document: Document) -> str:
    """What the lexical side reads as the document's title: its own, or the name of its file."""
    own = document.metadata.get("title")
    return own if isinstance(own, str) and own.strip() else PurePath(document.name).stem


def _is_short(value: object) -> bool:
    return not isinstance(value, str) or len(value) <= LONGEST
