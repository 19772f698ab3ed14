"""The contextual chunker at half the price: what it asks about many documents goes out in batches."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from plumbline.aio import together
from rag.ingest.chunk.contextual import ContextualChunker
from rag.types import Chunk, Document
from routing.chat import Tier


class BatchedContextualChunker(ContextualChunker):
    """Cuts and asks as `ContextualChunker` does, about everything at the same time; a `BatchChunker`.

    Its router's model is a `routing.batch.model.BatchingModel` that `keeps` its answers. Requests are those of single
    calls, the mark that has their beginning cached too; a provider finds in its cache what it comes to late enough.
    """

    tier: Tier = "batch"
    _asked = False

    async def chunk(self, document: Document) -> list[Chunk]:
        """As `Chunker.chunk`."""
        (chunks,) = await self.chunk_all([document])
        return chunks

    async def chunk_all(self, documents: Sequence[Document]) -> list[list[Chunk]]:
        """As `BatchChunker.chunk_all`; raises `ModelError` when a request fails, and keeps what is answered."""
        self._asked = True
        return await together([self._of_one(document) for document in documents])

    async def stored(self) -> None:
        """As `BatchChunker.stored`."""
        from routing.batch.model import BatchingModel

        if self._asked:
            for model in self._make_router().models.values():
                if isinstance(model, BatchingModel):
                    await model.forget()

    async def close(self) -> None:
        """As `BatchChunker.close`."""
        if self._asked:
            await self._make_router().close()

    async def _of_one(self, document: Document) -> list[Chunk]:
        chunks = await self._base.chunk(document)
        asked = [
            self._situated(head, chunk, nullcontext())
            for head, view in self._shown(document, chunks)
            for chunk in view.chunks
        ]
        return await together(asked)
