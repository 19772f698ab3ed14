"""Passages grown around the sentences that matter, in place of the chunks as they were cut.

Small chunks find the place; what should be read begins and ends where relevance does. Each sentence is as relevant as
the chunks around it on average (a chunk that was not found counts 0), and a passage grows from the most relevant
sentence to the stretch in which relevance above a share of the best adds up to the most: the maximum-sum segment
(Bentley, "Programming Pearls", 1984). Pure functions; `benchmarks/chunking.py` measures what it gains.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from plumbline.text.sentences import sentences

Span = tuple[int, int]


class Sliceable(Protocol):
    """A text, or what reads parts of one when they are asked for."""

    def __getitem__(self, part: slice, /) -> str:
        """text[part.start:part.stop]."""
        ...


SHARE = 0.5
"""A default, measured: sentences with at least this share of the best one's relevance make a passage longer."""
MAX_CHARS = 900
"""A default: about 200 tokens of English."""
_GAP = 200  # characters between two chunks found that a passage may reach across


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that was found, text[start:end] of its document, with a score of at least 0."""

    id: str
    document_id: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Passage:
    """text[start:end] of a document; `score` is the relevance of its best sentence, `found` the best chunk there."""

    document_id: str
    start: int
    end: int
    score: float
    found: Found


@dataclass(frozen=True, slots=True)
class _Sentence:
    document_id: str
    region: int
    start: int
    end: int
    relevance: float
    found: Found


def grown(
    found: Sequence[Found],
    texts: Mapping[str, Sliceable],
    chunks: Mapping[str, Sequence[Span]],
    count: int,
    *,
    share: float = SHARE,
    max_chars: int = MAX_CHARS,
) -> list[Passage]:
    """The `count` best passages, best first; no two share a character.

    `texts` has the text of every document in `found`, `chunks` all spans it is cut into, in order of their starts.
    A passage has at most `max_chars` characters, or one sentence. Time grows with what was found, not with documents.
    """
    rows = _sentences(found, texts, chunks)
    best = max((row.relevance for row in rows), default=0.0)
    worth = [(row.relevance - share * best) * (row.end - row.start) for row in rows]
    free = [True] * len(rows)
    passages: list[Passage] = []
    for middle in sorted(range(len(rows)), key=lambda index: -rows[index].relevance):
        if len(passages) == count or rows[middle].relevance <= 0:
            break
        if free[middle]:
            first, last = _stretch(rows, worth, free, middle, max_chars)
            free[first : last + 1] = [False] * (last + 1 - first)
            row = rows[middle]
            passages.append(Passage(row.document_id, rows[first].start, rows[last].end, row.relevance, row.found))
    return passages


def _stretch(
    rows: Sequence[_Sentence], worth: Sequence[float], free: Sequence[bool], middle: int, max_chars: int
) -> Span:
    """The first and last sentence of the stretch around `middle` that is worth most."""
    low = middle
    while low and _joins(rows, free, low - 1, middle) and rows[middle].end - rows[low - 1].start <= max_chars:
        low -= 1
    best, chosen = worth[middle], (middle, middle)
    before = 0.0
    for first in range(middle, low - 1, -1):
        before += worth[first]
        total, last = before, middle
        while True:
            if total > best:
                best, chosen = total, (first, last)
            last += 1
            if last == len(rows) or not _joins(rows, free, last, middle):
                break
            if rows[last].end - rows[first].start > max_chars:
                break
            total += worth[last]
    return chosen


def _joins(rows: Sequence[_Sentence], free: Sequence[bool], index: int, middle: int) -> bool:
    return free[index] and rows[index].region == rows[middle].region


def _sentences(
    found: Sequence[Found], texts: Mapping[str, Sliceable], chunks: Mapping[str, Sequence[Span]]
) -> list[_Sentence]:
    """The sentences of what was found, in order of their places; a region is what one passage may hold."""
    by_document: defaultdict[str, list[Found]] = defaultdict(list)
    for each in sorted(found, key=lambda each: each.start):
        by_document[each.document_id].append(each)
    rows: list[_Sentence] = []
    region = 0
    for document_id, here in by_document.items():
        spans = chunks[document_id]
        starts, longest = [start for start, _ in spans], max(end - start for start, end in spans)
        for some in _regions(here):
            region += 1
            begin, stop = some[0].start, max(each.end for each in some)
            for first, last in sentences(texts[document_id][begin:stop]):
                start, end = begin + first, begin + last
                near = spans[bisect_left(starts, start - longest) : bisect_right(starts, end)]
                rows.append(_sentence(document_id, region, start, end, some, near))
    return rows


def _sentence(
    document_id: str, region: int, start: int, end: int, found: Sequence[Found], chunks: Sequence[Span]
) -> _Sentence:
    """`chunks` holds all that could share characters with the sentence; between chunks that were found it is 0."""
    around = sum(_shared(span, start, end) for span in chunks)
    covering = [each for each in found if each.start < end and start < each.end]
    total = sum(each.score * _shared((each.start, each.end), start, end) for each in covering)
    best = max(covering or found, key=lambda each: each.score)
    return _Sentence(document_id, region, start, end, total / around if around else 0.0, best)


def _regions(found: Sequence[Found]) -> list[list[Found]]:
    """Chunks of one document in groups, each near to the next."""
    groups = [[found[0]]]
    end = found[0].end
    for each in found[1:]:
        if each.start > end + _GAP:
            groups.append([])
        groups[-1].append(each)
        end = max(end, each.end)
    return groups


def _shared(span: Span, start: int, end: int) -> int:
    return max(min(span[1], end) - max(span[0], start), 0)
