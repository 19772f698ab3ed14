"""From settings to a chunker: those that need nothing but the text."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from rag.ingest.chunk.recursive import RecursiveChunker
from rag.ingest.settings import ChunkingSettings
from rag.types import Chunk, Document


class Splitter(Protocol):
    """A chunker that asks no model: it works in any thread or process."""

    @property
    def name(self) -> str:
        """As `Chunker.name`."""
        ...

    async def chunk(self, document: Document) -> list[Chunk]:
        """As `Chunker.chunk`."""
        ...

    def split(self, document: Document) -> list[Chunk]:
        """As `chunk`, in the calling thread."""
        ...


@lru_cache(maxsize=8)
def build_splitter(chunking: ChunkingSettings) -> Splitter | None:
    """The chunker that the settings ask for, or `None` when it needs a model."""
    return RecursiveChunker(size=chunking.size, overlap=chunking.overlap, tokenizer=chunking.tokenizer)
