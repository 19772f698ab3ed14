"""From chunks in the catalogue to points in a store. A chunk whose text was there before keeps its vector."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.index.backlog import Backlog
from rag.index.catalogue import Catalogue
from rag.index.generations import Generation
from rag.index.live import MUST_FIT, LiveIndex
from rag.index.store import Point, Store
from rag.ingest.chunk import IN_CONTEXT, BatchChunker, ChunkEmbedder, Chunker
from rag.ingest.metadata import chunk_metadata, title
from rag.types import Chunk, Document, text_hash
from routing.chat import Tags
from routing.embedding import MeteredEmbedder

if TYPE_CHECKING:
    from rag.index.store import Vector

CHUNKS_PER_EMBEDDING_CALL = 256
POINTS_PER_WRITE = 1000
TAGS = Tags("ingest")

CutDocument = tuple[Document, Sequence[Chunk]]


@dataclass(frozen=True, slots=True)
class Indexer:
    """Brings the points of documents into the store of a generation."""

    catalogue: Catalogue
    backlog: Backlog
    live: LiveIndex
    embedder: MeteredEmbedder
    chunker: Chunker

    @property
    def gathers(self) -> bool:
        """Whether documents are better cut many at a time."""
        return isinstance(self.chunker, BatchChunker)

    async def cut(self, documents: Sequence[Document]) -> list[list[Chunk]]:
        """The chunks of documents; raises `ModelError`."""
        if isinstance(self.chunker, BatchChunker):
            return await self.chunker.chunk_all(documents)
        return [await self.chunker.chunk(document) for document in documents]

    async def cuts_stored(self) -> None:
        """All that was cut is stored."""
        if isinstance(self.chunker, BatchChunker):
            await self.chunker.stored()

    async def index(self, cuts: Sequence[CutDocument], generation: int, *, like: Sequence[int] = ()) -> dict[str, int]:
        """Index documents that are in the catalogue; returns how many chunks of each were embedded, by its id.

        Vectors come from points of `generation` and of the generations in `like`, which the same embedder made, as far
        as their texts are the same. Raises `ModelError` and `StateError`; then the documents still wait.
        """
        store = self.live.store(generation)
        if isinstance(self.chunker, ChunkEmbedder):
            vectors, embedded = await self._embedded_in_context(self.chunker, cuts)
        else:
            vectors, embedded = await self._embedded_apart(cuts, (generation, *like))
        points = (
            Point(chunk.id, vectors[key], chunk.text, chunk_metadata(document, chunk), chunk.context, title(document))
            for document, chunks in cuts
            for chunk, key in zip(chunks, _keys(chunks, vectors), strict=True)
        )
        for some in _portions(points):
            await store.upsert(some)
        gone = await asyncio.to_thread(
            self.backlog.mark_indexed, [document.id for document, _ in cuts], generation=generation
        )
        await store.delete([chunk.id for document, chunks in cuts if document.id in gone for chunk in chunks])
        return embedded

    async def settle(self, generation: int) -> None:
        """Make the store forget what the catalogue has replaced or removed."""
        obsolete = await asyncio.to_thread(self.backlog.obsolete, generation=generation)
        if obsolete:
            await self.live.store(generation).delete(obsolete)
            await asyncio.to_thread(self.backlog.forget_obsolete, obsolete, generation=generation)

    def alike(self, generation: Generation) -> list[int]:
        """The number of `generation`, in a list, where its vectors are what the embedder would make of their texts."""
        facts, wanted = generation.facts, self.live.wanted
        same = all(facts.get(name) == wanted[name] for name in MUST_FIT)
        apart = not facts.get("chunking", "").startswith(IN_CONTEXT)
        return [generation.number] if same and apart and not isinstance(self.chunker, ChunkEmbedder) else []

    async def known(self, hashes: Sequence[str], generations: Sequence[int]) -> dict[str, Vector]:
        """The vectors that the stores of these generations hold for texts with these hashes."""
        found: dict[str, Vector] = {}
        for generation in generations:
            missing = [each for each in hashes if each not in found]
            twins = await asyncio.to_thread(self.backlog.twins, missing, generation=generation)
            ids = [point_id for some in twins.values() for point_id in some]
            await _take(found, ids, self.live.store(generation))
        return {each: found[each] for each in hashes if each in found}

    async def _embedded_apart(
        self, cuts: Sequence[CutDocument], generations: Sequence[int]
    ) -> tuple[dict[str, Vector], dict[str, int]]:
        texts = {chunk.hash: chunk.indexed_text for _, chunks in cuts for chunk in chunks}
        vectors = await self.known(list(texts), generations)
        new = [each for each in texts if each not in vectors]
        for start in range(0, len(new), CHUNKS_PER_EMBEDDING_CALL):
            some = new[start : start + CHUNKS_PER_EMBEDDING_CALL]
            made = await self.embedder.passages([texts[each] for each in some], TAGS)
            vectors.update(zip(some, made, strict=True))
        fresh = set(new)
        counts = {document.id: sum(chunk.hash in fresh for chunk in chunks) for document, chunks in cuts}
        return vectors, counts

    async def _embedded_in_context(
        self, chunker: ChunkEmbedder, cuts: Sequence[CutDocument]
    ) -> tuple[dict[str, Vector], dict[str, int]]:
        """Each vector depends on the whole document, so it is kept under the chunk's id."""
        vectors: dict[str, Vector] = {}
        for document, chunks in cuts:
            if chunks:
                made = await chunker.embed(document, chunks)
                vectors.update(zip((chunk.id for chunk in chunks), made, strict=True))
        return vectors, {document.id: len(chunks) for document, chunks in cuts}


def _keys(chunks: Sequence[Chunk], vectors: Mapping[str, Vector]) -> Iterator[str]:
    for chunk in chunks:
        yield chunk.id if chunk.id in vectors else chunk.hash


async def _take(found: dict[str, Vector], ids: Sequence[str], store: Store) -> None:
    for start in range(0, len(ids), POINTS_PER_WRITE):
        for point in await store.get(ids[start : start + POINTS_PER_WRITE]):
            # A point may be of an older text under the same id: only its own text tells what its vector stands for.
            found.setdefault(text_hash(point.indexed_text), point.vector)


def _portions(points: Iterator[Point]) -> Iterator[list[Point]]:
    some: list[Point] = []
    for point in points:
        some.append(point)
        if len(some) == POINTS_PER_WRITE:
            yield some
            some = []
    if some:
        yield some
