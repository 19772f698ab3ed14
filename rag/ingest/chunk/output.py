"""What `rag chunk --json` prints; the shape is documented in docs/json.md."""

from __future__ import annotations

from rag.output import Output
from rag.types import Chunk, Document


class ChunkOutput(Output):
    """One line: `text` is document[start:end]; `context` goes before it for indexing, `parent` is [start, end]."""

    document: str
    start: int
    end: int
    text: str
    tokens: int
    page: int | None
    section: str | None
    context: str
    parent: tuple[int, int] | None

    @classmethod
    def of(cls, document: Document, chunk: Chunk) -> ChunkOutput:
        """From a chunk of `document`."""
        own = {name: getattr(chunk, name) for name in cls.model_fields if name != "document"}
        return cls(document=document.name, **own)
