"""The semantic chunker: cuts where the meaning changes, found for the whole document at once under a token budget.

A chunk is worth the similarities of its sentences to each other, each less a typical one, so that joining pays as long
as sentences are about the same thing; the cuts that are worth most together are found exactly by dynamic programming,
as in ClusterSemantic of Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval" (Chroma, 2024). Other than
there, sentences are whole and of any length, "typical" is what sentences have that could share a chunk instead of any
two of the document, and prefix sums of the vectors give what a chunk is worth without a matrix of all pairs.
`benchmarks/chunking.py` compares the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from plumbline.text.sentences import sentences
from plumbline.text.tokens import DEFAULT_TOKENIZER, TokenIndex, Tokenizer
from rag.ingest.chunk import Span, chunks_from
from rag.ingest.chunk.budget import Budget
from rag.ingest.chunk.recursive import recursive_spans
from rag.ingest.chunk.segments import best_cuts
from rag.types import Chunk, Document
from routing.chat import Tags
from routing.embedding import MeteredEmbedder

if TYPE_CHECKING:
    from routing.vectors import Vectors

SECTION_GAIN = 1.0
PAGE_GAIN = 0.25
"""What a cut at the start of a section or page is worth; one pair of sentences that say the same is worth 1 at most."""

_TAGS = Tags("ingest")
_AT_ONCE = 256  # sentences per call of the embedder


class SemanticChunker:
    """Chunks of at most `size` tokens without overlap, made of whole sentences that belong together.

    A sentence larger than the budget is cut as the recursive chunker does. Every sentence is embedded once. `tokenizer`
    is a name (see `plumbline.text.tokens`) or a `Tokenizer`. Raises `InputError` for a budget that cannot work,
    `ConfigError` for an unknown tokenizer; `chunk` raises `ModelError` when the embedder fails.
    """

    def __init__(
        self, embedder: MeteredEmbedder, *, size: int = 256, tokenizer: str | Tokenizer = DEFAULT_TOKENIZER
    ) -> None:
        self._embedder = embedder
        self._budget = Budget(size, 0, tokenizer)

    @property
    def name(self) -> str:
        """Such as "semantic 256/0 cl100k_base embedded/wordllama"."""
        return f"semantic {self._budget} {self._embedder.embedder.name}"

    async def chunk(self, document: Document) -> list[Chunk]:
        """The chunks of `document`; all but the embedding happens in a worker thread."""
        tokens, pieces = await asyncio.to_thread(self._pieces, document)
        vectors = await self._embed([document.text[start:end] for start, end, _ in pieces])
        return await asyncio.to_thread(self._joined, document, tokens, pieces, vectors)

    def _pieces(self, document: Document) -> tuple[TokenIndex, list[Span]]:
        """The sentences, each within the budget."""
        tokens = self._budget.index(document.text)
        pieces: list[Span] = []
        for start, end in sentences(document.text, longest=None):
            count = tokens.count(start, end)
            if count <= self._budget.size:
                pieces.append((start, end, count))
            else:
                pieces.extend(recursive_spans(tokens, self._budget, start=start, end=end))
        return tokens, pieces

    async def _embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        batches = [
            await self._embedder.passages(texts[first : first + _AT_ONCE], _TAGS)
            for first in range(0, len(texts), _AT_ONCE)
        ]
        return np.concatenate(batches) if batches else np.zeros((0, 1), np.float32)

    def _joined(self, document: Document, tokens: TokenIndex, pieces: Sequence[Span], vectors: Vectors) -> list[Chunk]:
        gains = _gains(document, pieces)
        return chunks_from(document, _fitting(tokens, pieces, vectors, gains, self._budget.size, self._budget.size))


def _fitting(
    tokens: TokenIndex, pieces: Sequence[Span], vectors: Vectors, gains: Sequence[float], size: int, reach: int
) -> Iterator[Span]:
    """The best chunks of at most `size` tokens. They are sought with the tokens that they have inside the whole text,
    at most `reach`; one that has more by itself is sought again with less.
    """
    first = [tokens.at(start) for start, _, _ in pieces]
    last = [tokens.at(end - 1) + 1 for _, end, _ in pieces]
    for begin, stop in best_cuts(vectors, first, last, gains, reach):
        start, end = pieces[begin][0], pieces[stop - 1][1]
        count = pieces[begin][2] if stop - begin == 1 else tokens.count(start, end)
        if count <= size:
            yield start, end, count
        else:
            inside = slice(begin, stop)
            less = min(reach, last[stop - 1] - first[begin]) - (count - size)
            yield from _fitting(tokens, pieces[inside], vectors[inside], gains[inside], size, less)


def _gains(document: Document, pieces: Sequence[Span]) -> list[float]:
    """What a cut before each piece is worth for the sections and pages that start since the piece before."""
    marks = [(section.start, SECTION_GAIN) for section in document.sections]
    marks += [(page.start, PAGE_GAIN) for page in document.pages]
    marks.sort(reverse=True)
    gains = []
    for start, _, _ in pieces:
        gain = 0.0
        while marks and marks[-1][0] <= start:
            gain = max(gain, marks.pop()[1])
        gains.append(gain)
    return gains
