"""Late chunking: the whole document is embedded token by token, and only then is each chunk's vector pooled, so that
it knows what "it" and "the company" stand for. The method is that of Günther et al., "Late Chunking: Contextual Chunk
Embeddings Using Long-Context Embedding Models" (2024).
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from plumbline.text.tokens import DEFAULT_TOKENIZER, Tokenizer
from rag.ingest.chunk import IN_CONTEXT
from rag.ingest.chunk.recursive import RecursiveChunker
from rag.types import Chunk, Document
from routing.chat import Tags
from routing.embedding import MeteredEmbedder

if TYPE_CHECKING:
    from routing.vectors import TokenEmbeddings, Vectors

_TAGS = Tags("ingest")
_STRETCH = 100_000  # characters embedded at once: their token vectors are held in memory
_MARGIN = 4_000  # characters read before and after a stretch for the context of its ends


class LateChunker:
    """The spans of the recursive chunker without overlap, with vectors that know their surroundings.

    `embedder` must give one vector per token ("embedded/wordllama", whose vectors are the same everywhere, or a model
    of the extra `st`) and pool texts by the mean of their tokens. A chunk's context is not embedded: the document is.
    Raises `InputError` for a budget that cannot work, `ConfigError` for an unknown tokenizer; `embed` raises
    `ConfigError` for an embedder without vectors of tokens, and `ModelError` when it fails.
    """

    def __init__(
        self, embedder: MeteredEmbedder, *, size: int = 256, tokenizer: str | Tokenizer = DEFAULT_TOKENIZER
    ) -> None:
        self._embedder = embedder
        self._base = RecursiveChunker(size=size, overlap=0, tokenizer=tokenizer)

    @property
    def name(self) -> str:
        """Such as "late recursive 256/0 cl100k_base"."""
        return f"{IN_CONTEXT}{self._base.name}"

    async def chunk(self, document: Document) -> list[Chunk]:
        """The chunks of `document`; a long one is cut in a worker thread."""
        return await self._base.chunk(document)

    async def embed(self, document: Document, chunks: Sequence[Chunk]) -> Vectors:
        """The mean over the tokens of each chunk (in order), float32[len(chunks), dim], each of unit length."""
        import numpy as np

        pooled = [np.zeros((0, self._embedder.embedder.dim), np.float32)] if not chunks else []
        for stretch in _stretches(chunks):
            start = max(stretch[0].start - _MARGIN, 0)
            end = stretch[-1].end + _MARGIN
            tokens = await self._embedder.tokens(document.text[start:end], _TAGS)
            pooled.append(await asyncio.to_thread(_pooled, tokens, stretch, start))
        return np.concatenate(pooled)


def _stretches(chunks: Sequence[Chunk]) -> Iterator[Sequence[Chunk]]:
    """The chunks in runs that span at most `_STRETCH` characters, or one chunk."""
    first = 0
    for index in range(1, len(chunks) + 1):
        if index == len(chunks) or chunks[index].end - chunks[first].start > _STRETCH:
            yield chunks[first:index]
            first = index


def _pooled(tokens: TokenEmbeddings, chunks: Sequence[Chunk], offset: int) -> Vectors:
    """`offset` is where the text of `tokens` starts in the document. A token belongs to the chunk it begins in."""
    import numpy as np

    starts = [start + offset for start, _ in tokens.spans]
    vectors = np.zeros((len(chunks), tokens.vectors.shape[1]), np.float32)
    for row, chunk in zip(vectors, chunks, strict=True):
        first, last = bisect_left(starts, chunk.start), bisect_left(starts, chunk.end)
        total = tokens.vectors[first:last].sum(axis=0, dtype=np.float64)
        length = float(np.linalg.norm(total))
        if length > 0:
            row[:] = total / length
    return vectors
