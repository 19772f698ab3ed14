"""What is answered from: the best hits, overlaps joined, within a budget of tokens, in the order the prompt shows them.

Pure but for `span`, which reads another span of a hit's document.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from plumbline.text.sentences import sentences
from rag.types import Chunk, Hit

Order = Literal["relevance", "document"]
Span = Callable[[Chunk, int, int], Chunk]
"""Another span (start, end) of a chunk's document, as a chunk."""


def packed(
    hits: Sequence[Hit], count: int, *, max_tokens: int, order: Order, span: Span, tokens: Callable[[str], int]
) -> list[Hit]:
    """At most `count` passages of `max_tokens` tokens together, from hits given best first.

    Hits that share characters become one passage, at the rank of the better one; what does not fit is left out, and
    where not even the best fits, as many of its first sentences stand as do (at least one word's worth: its text is
    never empty). "relevance" keeps the best first; "document" sorts by document and place, so that questions that share
    passages share the beginning of the prompt.
    """
    chosen: list[Hit] = []
    left = max_tokens
    for hit in hits:
        at = next((n for n, other in enumerate(chosen) if _overlap(hit.chunk, other.chunk)), None)
        if at is not None:
            joined = _joined(chosen[at], hit.chunk, span)
            more = joined.chunk.tokens - chosen[at].chunk.tokens
            if more <= left:
                chosen[at], left = joined, left - more
        elif len(chosen) == count:
            break
        elif hit.chunk.tokens <= left:
            chosen.append(hit)
            left -= hit.chunk.tokens
        elif not chosen:
            return [replace(hit, chunk=_beginning(hit.chunk, max_tokens, span, tokens))]
    return sorted(chosen, key=_place) if order == "document" else chosen


def without_repeats(hits: Sequence[Hit]) -> list[Hit]:
    """The hits whose span is not within that of a better one."""
    kept: list[Hit] = []
    for hit in hits:
        if not any(_within(hit.chunk, other.chunk) for other in kept):
            kept.append(hit)
    return kept


def _overlap(one: Chunk, other: Chunk) -> bool:
    return one.document_id == other.document_id and one.start < other.end and other.start < one.end


def _within(one: Chunk, other: Chunk) -> bool:
    return one.document_id == other.document_id and other.start <= one.start and one.end <= other.end


def _joined(hit: Hit, chunk: Chunk, span: Span) -> Hit:
    if _within(chunk, hit.chunk):
        return hit
    start, end = min(hit.chunk.start, chunk.start), max(hit.chunk.end, chunk.end)
    return replace(hit, chunk=span(hit.chunk, start, end))


def _beginning(chunk: Chunk, max_tokens: int, span: Span, tokens: Callable[[str], int]) -> Chunk:
    """As many sentences from the start of `chunk` as fit into `max_tokens`, or what does of the first one's words."""
    ends = [end for _, end in sentences(chunk.text)] or [len(chunk.text)]
    fitting = [end for end in ends if tokens(chunk.text[:end]) <= max_tokens]
    if not fitting:
        ends = [at for at, character in enumerate(chunk.text[: ends[0]]) if at and character.isspace()]
        fitting = [end for end in ends if tokens(chunk.text[:end]) <= max_tokens] or ends[:1] or [len(chunk.text)]
    return span(chunk, chunk.start, chunk.start + fitting[-1])


def _place(hit: Hit) -> tuple[str, str, int]:
    return hit.document, hit.chunk.document_id, hit.chunk.start
