"""From a ranking of chunks to what is read: the chunks themselves, the larger spans they belong to, or passages grown
around the sentences that matter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from rag.index.catalogue import Catalogue
from rag.index.filters import Filter
from rag.index.store import Found, Ranking
from rag.ingest.chunk import chunk_id
from rag.retrieve import grow
from rag.retrieve.context import without_repeats
from rag.retrieve.settings import RetrievalSettings
from rag.types import Chunk, Hit

_NOT: tuple[int | None, float | None] = (None, None)

Standing = tuple[int | None, float | None, int | None, float | None, int | None, float | None]
Standings = Callable[[Collection[str]], Mapping[str, Standing]]
"""Of chunks, by id: rank and score on the dense side, on the lexical side, and in the fused ranking."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads from one knowledge base; `count` counts tokens as its chunker does."""

    catalogue: Catalogue
    settings: RetrievalSettings
    count: Callable[[str], int]

    def hits(
        self, ranked: Ranking, found: Sequence[Found], top_k: int, generation: int, access: Filter | None
    ) -> list[Hit]:
        """The `top_k` best hits of a fused ranking of what was found in one or several searches, best first.

        Of a document that was given to others since, and of which the store has not heard yet, nothing is read.
        """
        standings, stored = partial(_standings, ranked, found), _InTurn(self.catalogue, ranked, generation, access)
        if self.settings.expand == "passages":
            return self._passages(stored, standings, top_k)
        return self._chunks(stored, standings, top_k)

    def expanded(self, hits: Sequence[Hit], generation: int) -> list[Hit]:
        """The hits with what stands around them, as far as that has at most `expand_tokens`; repeats are left out."""
        return without_repeats([replace(hit, chunk=self._expanded(hit.chunk, generation)) for hit in hits])

    def span(self, chunk: Chunk, start: int, end: int) -> Chunk:
        """Another span of the document of `chunk`, as a chunk."""
        span = self.catalogue.span(chunk.document_id, start, end)
        if span is None:  # the document was removed a moment ago
            return chunk
        return replace(
            chunk,
            id=chunk_id(chunk.document_id, start, end, span.text),
            start=start,
            end=end,
            text=span.text,
            tokens=self.count(span.text),
            page=span.page,
            section=span.section,
            parent=None,
        )

    def _expanded(self, chunk: Chunk, generation: int) -> Chunk:
        for start, end in self._around(chunk, generation):
            wider = self.span(chunk, min(start, chunk.start), max(end, chunk.end))
            if wider.tokens <= self.settings.expand_tokens:
                return wider
        return chunk

    def _around(self, chunk: Chunk, generation: int) -> Iterator[tuple[int, int]]:
        """The spans that could be read in place of a chunk, the one wanted most first."""
        if self.settings.expand == "section":
            section = self.catalogue.section_span(chunk.document_id, chunk.start)
            if section is not None:
                yield section
        spans = self.catalogue.neighbours(chunk.document_id, chunk.index, generation=generation)
        if spans:
            yield spans[0][0], max(end for _, end in spans)

    def _chunks(self, stored: _InTurn, standings: Standings, top_k: int) -> list[Hit]:
        """Chunks; of those that are read as part of a larger span, each span once, at its best chunk's rank."""
        found: list[tuple[Chunk, Chunk, str, float]] = []
        read: set[tuple[str, tuple[int, int]]] = set()
        for chunk, document, score in stored.read(top_k):
            shown = chunk
            if chunk.parent is not None:
                if (chunk.document_id, chunk.parent) in read:
                    continue
                read.add((chunk.document_id, chunk.parent))
                shown = self.span(chunk, *chunk.parent)
            found.append((chunk, shown, document, score))
            if len(found) == top_k:
                break
        stood = standings({chunk.id for chunk, *_ in found})
        return [Hit(shown, document, score, *stood[chunk.id]) for chunk, shown, document, score in found]

    def _passages(self, stored: _InTurn, standings: Standings, top_k: int) -> list[Hit]:
        ranked, generation = stored.ranked, stored.generation
        by_id = {chunk.id: (chunk, document) for chunk, document, _ in stored.read(len(ranked))}
        least = ranked[-1][1] if ranked else 0.0  # cosines and RRF's scores lie close together far above 0
        scores = {point_id: score - least for point_id, score in ranked}
        candidates = [
            grow.Found(chunk.id, chunk.document_id, chunk.start, chunk.end, scores[chunk.id])
            for chunk, _ in by_id.values()
        ]
        documents = {each.document_id: _Stored(self.catalogue, each.document_id, generation) for each in candidates}
        passages = grow.grown(
            candidates,
            documents,
            top_k,
            share=self.settings.passage_share,
            max_chars=self.settings.passage_characters,
        )
        hits, stood = [], standings({passage.found.id for passage in passages})
        for passage in passages:
            chunk, document = by_id[passage.found.id]
            shown = self.span(chunk, passage.start, passage.end)
            hits.append(Hit(shown, document, passage.score, *stood[chunk.id]))
        return hits


@dataclass(frozen=True, slots=True)
class _InTurn:
    """What a ranking names, read from the catalogue as far as it is asked for."""

    catalogue: Catalogue
    ranked: Ranking
    generation: int
    access: Filter | None

    def read(self, at_once: int) -> Iterator[tuple[Chunk, str, float]]:
        """The chunks with their documents' names and scores, `at_once` read when they are asked for.

        The store may still hold a chunk that the catalogue has just replaced; it is on its way out, and left out.
        """
        for start in range(0, len(self.ranked), max(at_once, 1)):
            some = self.ranked[start : start + at_once]
            ids = [point_id for point_id, _ in some]
            chunks = self.catalogue.chunks(ids, generation=self.generation, access=self.access)
            for point_id, score in some:
                if point_id in chunks:
                    yield *chunks[point_id], score


@dataclass(frozen=True, slots=True)
class _Stored:
    """A stored document, of which only the parts that are looked at are read."""

    catalogue: Catalogue
    document_id: str
    generation: int

    def text(self, start: int, end: int) -> str:
        """As `grow.Readable.text`."""
        span = self.catalogue.span(self.document_id, start, end)
        return "" if span is None else span.text

    def chunks(self, start: int, end: int) -> Sequence[tuple[int, int]]:
        """As `grow.Readable.chunks`."""
        return self.catalogue.chunk_spans(self.document_id, start, end, generation=self.generation)


def _standings(ranked: Ranking, found: Sequence[Found], ids: Collection[str]) -> Mapping[str, Standing]:
    """Of several searches, the first that found a chunk on a side tells its rank and score there."""
    dense, lexical = _ranks((each.dense for each in found), ids), _ranks((each.lexical for each in found), ids)
    fused = _ranks([ranked], ids)
    return {id_: (*dense.get(id_, _NOT), *lexical.get(id_, _NOT), *fused.get(id_, _NOT)) for id_ in ids}


def _ranks(rankings: Iterable[Ranking], ids: Collection[str]) -> dict[str, tuple[int | None, float | None]]:
    ranks: dict[str, tuple[int | None, float | None]] = {}
    for ranking in rankings:
        for rank, (id_, score) in enumerate(ranking, 1):
            if id_ in ids:
                ranks.setdefault(id_, (rank, score))
    return ranks
