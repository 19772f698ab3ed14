"""What is answered from: the best hits, overlaps joined, within a budget of tokens, in the order the prompt shows them.

Pure but for `span`, which reads another span of a hit's document.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from plumbline.text.sentences import sentences
from rag.types import Chunk, Hit

Order = Literal["relevance", "document"]
_BLANK = re.compile(r"\s")
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
        shared = [other for other in chosen if _overlap(hit.chunk, other.chunk)]
        if shared:
            joined = _joined(shared, hit.chunk, span)
            more = joined.chunk.tokens - sum(other.chunk.tokens for other in shared)
            if more <= left:
                left -= more
                chosen = [joined if each is shared[0] else each for each in chosen if each not in shared[1:]]
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
    of_document: defaultdict[str, list[Chunk]] = defaultdict(list)
    for hit in hits:
        others = of_document[hit.chunk.document_id]
        if not any(_within(hit.chunk, other) for other in others):
            others.append(hit.chunk)
            kept.append(hit)
    return kept


def _overlap(one: Chunk, other: Chunk) -> bool:
    return one.document_id == other.document_id and one.start < other.end and other.start < one.end


def _within(one: Chunk, other: Chunk) -> bool:
    return one.document_id == other.document_id and other.start <= one.start and one.end <= other.end


def _joined(hits: Sequence[Hit], chunk: Chunk, span: Span) -> Hit:
    """The first of the hits, with what the others hold, and `chunk`, which shares characters with each."""
    first = hits[0]
    if _within(chunk, first.chunk):
        return first
    every = (chunk, *(hit.chunk for hit in hits))
    return replace(first, chunk=span(first.chunk, min(each.start for each in every), max(each.end for each in every)))


def _beginning(chunk: Chunk, max_tokens: int, span: Span, tokens: Callable[[str], int]) -> Chunk:
    """As many sentences from the start of `chunk` as fit into `max_tokens`, or what does of the first one's words."""
    text = chunk.text

    def fitting(ends: Sequence[int]) -> int:
        return bisect_right(ends, max_tokens, key=lambda end: tokens(text[:end]))

    ends = [end for _, end in sentences(text)] or [len(text)]
    count = fitting(ends)
    if count == 0:
        ends = [match.start() for match in _BLANK.finditer(text, 1, ends[0])] or [len(text)]
        count = max(fitting(ends), 1)
    return span(chunk, chunk.start, chunk.start + ends[count - 1])


def _place(hit: Hit) -> tuple[str, str, int]:
    return hit.document, hit.chunk.document_id, hit.chunk.start
