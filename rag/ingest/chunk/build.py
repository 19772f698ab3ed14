"""From settings to a chunker."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from plumbline.errors import ConfigError
from rag.ingest.chunk import Chunker
from rag.ingest.chunk.fixed import FixedChunker
from rag.ingest.chunk.parent_child import ParentChildChunker
from rag.ingest.chunk.recursive import RecursiveChunker
from rag.ingest.chunk.sentence import SentenceChunker
from rag.ingest.chunk.structure import StructureChunker
from rag.ingest.settings import ChunkingSettings
from rag.types import Chunk, Document

if TYPE_CHECKING:
    from routing.cost.prices import PriceTable
    from routing.embedding import MeteredEmbedder
    from routing.router import Router

EXTRACTIVE = "extractive/"


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
    """The chunker that the settings ask for, or `None` when it needs a model.

    Raises `ConfigError`, which names the key, for sizes that do not go together.
    """
    size, overlap, tokenizer = chunking.size, chunking.overlap, chunking.tokenizer
    if chunking.chunker == "parent_child":
        if chunking.parent_size < size:
            raise ConfigError(
                f"Parents of {chunking.parent_size} tokens are smaller than their children of {size}.",
                key="chunking.parent_size",
                value=chunking.parent_size,
                hint="Give a parent_size of several times chunking.size.",
            )
        return ParentChildChunker(size=size, overlap=overlap, parent_size=chunking.parent_size, tokenizer=tokenizer)
    return _of_one_size(chunking)


def _of_one_size(chunking: ChunkingSettings) -> Splitter | None:
    size, overlap, tokenizer = chunking.size, chunking.overlap, chunking.tokenizer
    match chunking.chunker:
        case "fixed":
            return FixedChunker(size=size, overlap=overlap, tokenizer=tokenizer)
        case "recursive":
            return RecursiveChunker(size=size, overlap=overlap, tokenizer=tokenizer)
        case "sentence":
            return SentenceChunker(size=size, overlap=overlap, tokenizer=tokenizer)
        case "structure":
            return StructureChunker(size=size, overlap=overlap, tokenizer=tokenizer)
        case _:
            return None


def build_chunker(
    chunking: ChunkingSettings,
    embedder: MeteredEmbedder,
    model: str,
    make_router: Callable[[], Router],
    prices: PriceTable,
) -> Chunker:
    """The chunker that the settings ask for; `model` answers through the router, which is made when it is needed.

    Raises `ConfigError` as `build_splitter`, for an embedder that gives no vectors of tokens where they are needed, and
    for a model that quotes and cannot write.
    """
    if (splitter := build_splitter(chunking)) is not None:
        return splitter
    size, overlap, tokenizer = chunking.size, chunking.overlap, chunking.tokenizer
    if chunking.chunker == "contextual":
        from rag.ingest.chunk.contextual import ContextualChunker
        from rag.ingest.chunk.contextual_batch import BatchedContextualChunker

        if model.startswith(EXTRACTIVE):
            raise ConfigError(
                f"The chunker 'contextual' needs a language model; '{model}' only quotes.",
                key="generation.model",
                value=model,
                hint="Name one, e.g. openai/…, anthropic/… or vllm/…, or choose another chunker.",
            )
        kind = BatchedContextualChunker if chunking.batch else ContextualChunker
        return kind(model, make_router, prices, size=size, overlap=overlap, tokenizer=tokenizer)
    if chunking.chunker == "late":
        from rag.ingest.chunk.late import LateChunker

        return LateChunker(embedder, size=size, tokenizer=tokenizer)
    from rag.ingest.chunk.semantic import SemanticChunker

    return SemanticChunker(embedder, size=size, tokenizer=tokenizer)
