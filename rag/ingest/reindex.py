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
from rag.types import Chunk, Document

DOCUMENTS_AT_ONCE = 32
GATHERED_CHARACTERS = 16_000_000
"""Where the model answers in batches, in hours: as much as can be waited for at once."""


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
        some: list[Document] = []
        for document_id in waiting:
            document = await asyncio.to_thread(self.indexer.catalogue.document, document_id)
            some += [] if document is None else [document]
            if self._enough(some):
                await self.indexer.index(await self._cut(some, active, building.number), building.number, like=like)
                some = []
        if some:
            await self.indexer.index(await self._cut(some, active, building.number), building.number, like=like)
        await self.indexer.cuts_stored()
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

    def _enough(self, documents: Sequence[Document]) -> bool:
        if self.indexer.gathers:
            return sum(len(document.text) for document in documents) >= GATHERED_CHARACTERS
        return len(documents) >= DOCUMENTS_AT_ONCE

    async def _cut(self, documents: Sequence[Document], active: Generation, building: int) -> list[CutDocument]:
        """Documents with their chunks of the new generation, cut and stored unless they are there."""
        known = [await self._known(document.id, active, building) for document in documents]
        made = iter(await self.indexer.cut([each for each, its in zip(documents, known, strict=True) if its is None]))
        cuts: list[CutDocument] = []
        for document, chunks in zip(documents, known, strict=True):
            cuts.append((document, next(made) if chunks is None else chunks))
            if chunks is None:
                await self._put(cuts[-1][1], building)
        return cuts

    async def _known(self, document_id: str, active: Generation, building: int) -> Sequence[Chunk] | None:
        """The chunks that the new generation has, or can have from the active one; `None`: they are to be made."""
        catalogue = self.indexer.catalogue
        chunks = await asyncio.to_thread(lambda: catalogue.chunks_of(document_id, generation=building))
        if not chunks and active.facts.get("chunking") == self.indexer.live.wanted["chunking"]:
            chunks = await asyncio.to_thread(lambda: catalogue.chunks_of(document_id, generation=active.number))
            await self._put(chunks, building)
            return chunks
        return chunks or None

    async def _put(self, chunks: Sequence[Chunk], building: int) -> None:
        catalogue = self.indexer.catalogue
        await asyncio.to_thread(lambda: catalogue.put_chunks(chunks, generation=building))

    async def _drop(self, generation: int) -> None:
        generations = self.indexer.live.generations
        await asyncio.to_thread(generations.retire, generation)
        await self.indexer.live.forget(generation)
        await asyncio.to_thread(generations.drop, generation)
