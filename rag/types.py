"""The ground of the rag floor: documents, their spans, and answers. Every offset counts Unicode code points.

One rule makes citations checkable: `document.text[chunk.start:chunk.end] == chunk.text`, always. Pages, sections,
chunks, citations and claims all speak in offsets into the same document text; citations and claims also carry their
offsets in the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import blake2b
from typing import Literal

from routing.chat import Attempt, Usage

Scalar = str | int | float | bool
MetadataValue = Scalar | tuple[str, ...]
Verdict = Literal["supported", "partial", "unsupported", "not_found"]


def text_hash(text: str) -> str:
    """32 hexadecimal digits that are equal for equal texts."""
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Page:
    """text[start:end] is page `number` (one-based) of its document."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Section:
    """text[start:end] stands under the heading path `path`, outermost first; the span includes its subsections."""

    path: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was read.

    `id` is stable over edits (derived from `source`); `source` is the path or address as the user gave it, `name` what
    a citation calls it; `hash` is the SHA-256 of the bytes it was read from. `created` is an ISO 8601 date if known;
    `pages` is empty where the format has none. `dropped` counts characters that could not be kept (null bytes, broken
    encodings).
    """

    id: str
    source: str
    name: str
    text: str
    hash: str
    media_type: str
    pages: tuple[Page, ...] = ()
    sections: tuple[Section, ...] = ()
    language: str | None = None
    created: str | None = None
    dropped: int = 0
    metadata: Mapping[str, MetadataValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of a document: `text == document.text[start:end]`.

    `context` is put before the text for indexing only (headings, say) and is never part of the span. `page` is the
    page on which the chunk starts, `section` the heading path there joined by " > ", `tokens` the length of `text`
    in the chunk tokenizer. `parent`, where given, is the larger span (start, end) of the document that a reader is
    shown in its place.
    """

    id: str
    document_id: str
    index: int
    start: int
    end: int
    text: str
    tokens: int
    page: int | None = None
    section: str | None = None
    context: str = ""
    parent: tuple[int, int] | None = None

    @property
    def indexed_text(self) -> str:
        """What embedders and the lexical index read: the context, then the text."""
        return f"{self.context}\n{self.text}" if self.context else self.text

    @property
    def hash(self) -> str:
        """32 hexadecimal digits of `indexed_text`: equal for chunks whose vectors are equal."""
        return text_hash(self.indexed_text)


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found for a query.

    `score` is the last stage's (fusion or reranker) and comparable within one result list only. Ranks are one-based;
    `None` means that side did not find the chunk, or that it was not reranked. `relevance_rank` is where it stood
    before hits that say the same were moved apart (`retrieval.rerank.diversity`), `None` where that was not done.
    """

    chunk: Chunk
    document: str
    score: float
    dense_rank: int | None = None
    dense_score: float | None = None
    lexical_rank: int | None = None
    lexical_score: float | None = None
    fused_rank: int | None = None
    fused_score: float | None = None
    rerank_score: float | None = None
    relevance_rank: int | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a piece of the answer comes from, checked against the stored text.

    answer[answer_start:answer_end] rests on document[start:end], which reads `quote`. `verdict` is "supported" when
    the quote carries the claim, "partial" when it carries part of it, "unsupported" when it does not, and "not_found"
    when the model cited something that was not among its evidence (then `start == end` and `quote` is empty).
    """

    document: str
    document_id: str | None
    page: int | None
    section: str | None
    start: int
    end: int
    answer_start: int
    answer_end: int
    quote: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of the answer, answer[start:end], and whether the evidence carries it (`support` in [0, 1])."""

    text: str
    start: int
    end: int
    verdict: Verdict
    support: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its evidence, its price and its confidence.

    `confidence` in [0, 1]; until something is fitted on labelled data `calibrated` is false and it only ranks.
    `cost` is in US dollars over everything the question caused, `None` when any price is unknown. `timings` maps a
    stage to seconds of wall time. `degraded` says why a fallback answered or a reranker
    was done without, or is `None`. `note` says why nothing was found, where that is known, and what was left out
    because of what the request wants, or is `None`.
    """

    question: str
    text: str
    refused: bool
    confidence: float
    citations: tuple[Citation, ...]
    claims: tuple[Claim, ...]
    hits: tuple[Hit, ...]
    usage: Usage
    cost: Decimal | None
    timings: Mapping[str, float]
    model: str
    trace_id: str
    calibrated: bool = False
    cached: bool = False
    degraded: str | None = None
    note: str | None = None
    attempts: tuple[Attempt, ...] = ()

    def __str__(self) -> str:
        from rag.plain import plain_answer

        return plain_answer(self)
