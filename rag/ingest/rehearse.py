"""What an ingestion would do and use, worked out without storing, asking or spending anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from plumbline.text.tokens import estimate_tokens
from rag.ingest.batch import copied, stored, without_document
from rag.ingest.chunk import ChunkEmbedder, PricedChunker
from rag.ingest.copies import Copies
from rag.ingest.indexing import Indexer
from rag.ingest.prepare import Cut, Prepared
from rag.ingest.reindex import Changeover
from rag.ingest.report import FileOutcome
from rag.types import Chunk
from routing.chat import Usage
from routing.cost.prices import total_cost


@dataclass(slots=True)
class Estimate:
    """Grows with every document that would be embedded: `cost` is `None` once any price is unknown.

    Tokens are counted by the chunk tokenizer, those of the context before a chunk estimated; the embedder's own may
    differ by some percent.
    """

    usage: Usage = Usage()
    cost: Decimal | None = Decimal(0)

    def add(self, usage: Usage, cost: Decimal | None) -> None:
        """Add a call or many."""
        self.usage += usage
        self.cost = total_cost([self.cost, cost])


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Estimates for one knowledge base. A chunk whose text has a vector already costs nothing, and nor does one that
    stands twice among what would be embedded. Memory grows by some 100 bytes with each text.
    """

    indexer: Indexer
    copies: Copies
    estimate: Estimate = field(default_factory=Estimate)
    seen: set[str] = field(default_factory=set)

    async def changeover(self) -> int:
        """Count what changing over to another chunker or embedder would use; returns for how many documents."""
        active = await asyncio.to_thread(self.indexer.live.generations.active)
        if active is None or not Changeover(self.indexer).needed:
            return 0
        catalogue = self.indexer.catalogue
        documents = await asyncio.to_thread(catalogue.documents)
        for row in documents:
            if (document := await asyncio.to_thread(catalogue.document, row["id"])) is not None:
                await self.document(Cut(document, None))
        return len(documents)

    async def outcome(self, prepared: Prepared, *, had: bool) -> FileOutcome:
        """What would become of a file."""
        if not prepared.cuts:
            return without_document(prepared, known=had)
        kept, left_out = await self.copies.left_out(prepared.cuts)
        if not kept:
            return copied(prepared, left_out)
        cuts, embedded = [], 0
        for cut in kept:
            chunks, new = await self.document(cut)
            cuts.append((cut.document, chunks))
            embedded += new
        return replace(stored(prepared, cuts, had=had), embedded=embedded)

    async def document(self, cut: Cut) -> tuple[Sequence[Chunk], int]:
        """Count one document; returns its chunks (none while a model would have to make them) and how many are new."""
        chunks = cut.chunks
        if chunks is None:
            chunker = self.indexer.chunker
            if isinstance(chunker, PricedChunker):
                forecast = await asyncio.to_thread(chunker.forecast, cut.document)
                self.estimate.add(forecast.usage, forecast.cost)
                return [], forecast.calls
            chunks = await chunker.chunk(cut.document)
        new = await self._new(chunks)
        self._add_embedding(sum(new.values()))
        return chunks, len(new)

    async def _new(self, chunks: Sequence[Chunk]) -> dict[str, int]:
        """The tokens of each text that has no vector yet, by hash."""
        live = self.indexer.live
        active = await asyncio.to_thread(live.generations.active)
        if isinstance(self.indexer.chunker, ChunkEmbedder):
            return {chunk.id: self._tokens(chunk) for chunk in chunks}
        wanted = {chunk.hash: self._tokens(chunk) for chunk in chunks if chunk.hash not in self.seen}
        self.seen.update(wanted)
        known = await self.indexer.known(list(wanted), [] if active is None else self.indexer.alike(active))
        return {each: tokens for each, tokens in wanted.items() if each not in known}

    def _tokens(self, chunk: Chunk) -> int:
        return chunk.tokens + estimate_tokens(chunk.context)

    def _add_embedding(self, tokens: int) -> None:
        if tokens:
            usage = Usage(input_tokens=tokens)
            self.estimate.add(usage, self.indexer.embedder.price(usage))
