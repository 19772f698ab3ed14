"""Searching chunks as the knowledge base does, over texts and questions in memory, and scoring what is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evals.formats.chunking import load_chunking
from evals.metrics.spans import SpanScores, span_scores
from plumbline.text.terms import terms
from rag.index.lexical import LexicalIndex
from rag.retrieve.fuse import default_dense_weight, weighted
from rag.retrieve.grow import Found, WholeText, grown
from rag.types import Chunk, Document

Vectors = npt.NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
Span = tuple[str, int, int]
RETRIEVED = 5
CANDIDATES = 100


@dataclass(frozen=True, slots=True)
class Data:
    """The texts as documents, and each question with the spans that answer it and the text that those are in."""

    documents: tuple[Document, ...]
    questions: tuple[str, ...]
    references: tuple[tuple[Span, ...], ...]
    corpus: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Data:
        """From the layout of brandonstarxel/chunking_evaluation."""
        dataset, paths = load_chunking(folder)
        documents = tuple(
            Document(path.name, path.name, path.name, path.read_text(encoding="utf-8"), "", "text/plain")
            for path in paths
        )
        rows = dataset.examples
        references = tuple(tuple((span.document, span.start, span.end) for span in row.spans) for row in rows)
        return cls(documents, tuple(row.question for row in rows), references, tuple(row.documents[0] for row in rows))


@dataclass(frozen=True, slots=True)
class Searched:
    """All chunks of all texts, and for each question the candidates with their scores, best first, by position."""

    chunks: tuple[Chunk, ...]
    dense: tuple[list[tuple[str, float]], ...]
    hybrid: tuple[list[tuple[str, float]], ...]


def search(data: Data, chunks: Sequence[Chunk], vectors: Vectors, asked: Vectors, embedder: str) -> Searched:
    """One collection over all texts, searched exactly; hybrid is the default fusion of the knowledge base."""
    index = LexicalIndex(terms(chunk.text) for chunk in chunks)
    scores = asked @ vectors.T
    dense = tuple(_best(row, -1.0) for row in scores)
    lexical = [_best(index.scores(terms(question)), 0.0) for question in data.questions]
    weight = default_dense_weight(embedder)
    hybrid = tuple(list(weighted(one, two, weight)) for one, two in zip(dense, lexical, strict=True))
    return Searched(tuple(chunks), tuple(list(weighted(one, [], 1.0)) for one in dense), hybrid)


def _best(scores: npt.NDArray[Any], floor: float) -> list[tuple[str, float]]:
    order = np.argsort(-scores, kind="stable")[:CANDIDATES]
    return [(str(place), float(scores[place])) for place in order if scores[place] > floor]


def plain(searched: Searched, ranking: Sequence[tuple[str, float]]) -> list[Span]:
    """The best chunks, or their parents, each parent once."""
    read: dict[Span, None] = {}
    for place, _ in ranking:
        chunk = searched.chunks[int(place)]
        read[chunk.document_id, *(chunk.parent or (chunk.start, chunk.end))] = None
        if len(read) == RETRIEVED:
            break
    return list(read)


def passages(
    data: Data, searched: Searched, ranking: Sequence[tuple[str, float]], share: float, max_chars: int
) -> list[Span]:
    """The passages that grow around what was found."""
    spans: dict[str, list[tuple[int, int]]] = {document.id: [] for document in data.documents}
    for chunk in searched.chunks:
        spans[chunk.document_id].append((chunk.start, chunk.end))
    hits = []
    for place, score in ranking:
        chunk = searched.chunks[int(place)]
        hits.append(Found(chunk.id, chunk.document_id, chunk.start, chunk.end, score))
    documents = {document.id: WholeText(document.text, spans[document.id]) for document in data.documents}
    found = grown(hits, documents, RETRIEVED, share=share, max_chars=max_chars)
    return [(passage.document_id, passage.start, passage.end) for passage in found]


def scored(data: Data, read: Sequence[Sequence[Span]]) -> list[SpanScores]:
    """The scores of each question."""
    found = [span_scores(spans, gold) for spans, gold in zip(read, data.references, strict=True)]
    return [scores for scores in found if scores is not None]


class Remembered:
    """An embedder behind a memo of vectors by text, in memory: chunkings share many of their pieces."""

    def __init__(self, embedder: Any) -> None:
        self.embedder = embedder
        self.name: str = embedder.name
        self.dim: int = embedder.dim
        self.max_tokens: int | None = embedder.max_tokens
        self.embed_tokens = embedder.embed_tokens
        self._known: dict[str, Vectors] = {}

    async def embed_queries(self, texts: Sequence[str]) -> Any:
        """Not remembered."""
        return await self.embedder.embed_queries(texts)

    async def embed_passages(self, texts: Sequence[str]) -> Any:
        """Asks for what is new."""
        from routing.chat import Usage
        from routing.vectors import Embeddings

        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            self._known.update(zip(new, (await self.embedder.embed_passages(new)).vectors, strict=True))
        return Embeddings(np.stack([self._known[text] for text in texts]), Usage())

    async def close(self) -> None:
        """Gives back the embedder."""
        await self.embedder.close()


def embed_with(embedder: Remembered) -> Embed:
    """A plain function for code that is not asynchronous."""
    return lambda texts: np.asarray(asyncio.run(embedder.embed_passages(list(texts))).vectors, np.float32)
