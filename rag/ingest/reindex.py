"""Changing over to another chunker, tokenizer or embedder: a new generation is built from the stored documents, beside
the one that is searched, and takes its place at once when it is complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from rag.index.generations import Generation
from rag.index.publish import publish
from rag.ingest.indexing import CutDocument, Indexer
from rag.types import Chunk

DOCUMENTS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Changeover:
    """Builds what the configuration asks for, where that differs from what is there."""

    indexer: Indexer

    @property
    def needed(self) -> bool:
        """Whether the active generation is built otherwise than the configuration asks for."""
        active = self.indexer.live.generations.active()
        return active is not None and dict(active.facts) != self.indexer.live.wanted

    async def run(self) -> int:
        """Change over if that is needed; returns how many documents were cut or embedded anew.

        Killed half-way, it goes on at the next run. Raises `ModelError` and `StateError`; then the old generation is
        still searched.
        """
        live = self.indexer.live
        active, building = await self._begin()
        if active is None or building is None:
            return 0
        waiting = await asyncio.to_thread(self.indexer.backlog.waiting, generation=building.number)
        like = self.indexer.alike(active)
        for start in range(0, len(waiting), DOCUMENTS_AT_ONCE):
            cuts = [
                cut
                for document_id in waiting[start : start + DOCUMENTS_AT_ONCE]
                if (cut := await self._cut(document_id, active, building.number)) is not None
            ]
            await self.indexer.index(cuts, building.number, like=like)
        await self.indexer.settle(building.number)
        await live.store(building.number).compact()
        await asyncio.to_thread(live.generations.switch, building.number)
        await publish(live.store(building.number))
        await self._drop(active.number)
        return len(waiting)

    async def _begin(self) -> tuple[Generation | None, Generation | None]:
        """The active generation, and the one to build where one is needed; others are dropped."""
        generations, wanted = self.indexer.live.generations, self.indexer.live.wanted
        found = await asyncio.to_thread(generations.all)
        active = next((each for each in found if each.active), None)
        needed = active is not None and dict(active.facts) != wanted
        building = None
        for each in found:
            if not each.active:
                if needed and building is None and dict(each.facts) == wanted:
                    building = each
                else:
                    await self._drop(each.number)
        if needed and building is None:
            building = await asyncio.to_thread(lambda: generations.add(wanted, active=False))
        return active, building

    async def _cut(self, document_id: str, active: Generation, building: int) -> CutDocument | None:
        """A document with its chunks of the new generation, cut and stored unless they are there."""
        catalogue = self.indexer.catalogue
        document = await asyncio.to_thread(catalogue.document, document_id)
        if document is None:
            return None
        chunks: Sequence[Chunk] = await asyncio.to_thread(lambda: catalogue.chunks_of(document_id, generation=building))
        if not chunks:
            if active.facts.get("chunking") == self.indexer.live.wanted["chunking"]:
                chunks = await asyncio.to_thread(lambda: catalogue.chunks_of(document_id, generation=active.number))
            else:
                chunks = await self.indexer.chunker.chunk(document)
            await asyncio.to_thread(lambda: catalogue.put_chunks(chunks, generation=building))
        return document, chunks

    async def _drop(self, generation: int) -> None:
        generations = self.indexer.live.generations
        await asyncio.to_thread(generations.retire, generation)
        await self.indexer.live.forget(generation)
        await asyncio.to_thread(generations.drop, generation)
