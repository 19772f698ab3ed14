"""Passages grown around the sentences that matter, in place of the chunks as they were cut.

Small chunks find the place; what should be read begins and ends where relevance does. Each sentence is as relevant as
the chunks around it on average (a chunk that was not found counts 0), and a passage grows from the most relevant
sentence to the stretch in which relevance above a share of the best adds up to the most: the maximum-sum segment
(Bentley, "Programming Pearls", 1984). Pure functions; `benchmarks/chunking.py` measures what it gains.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from plumbline.text.sentences import sentences

Span = tuple[int, int]


class Readable(Protocol):
    """A document of which parts are read when they are asked for."""

    def text(self, start: int, end: int) -> str:
        """Its text[start:end]."""
        ...

    def chunks(self, start: int, end: int) -> Sequence[Span]:
        """The spans of all its chunks that share characters with [start:end]."""
        ...


@dataclass(frozen=True, slots=True)
class WholeText:
    """A `Readable` held in memory, with the spans it is cut into."""

    whole: str
    spans: Sequence[Span]

    def text(self, start: int, end: int) -> str:
        """As `Readable.text`."""
        return self.whole[start:end]

    def chunks(self, start: int, end: int) -> Sequence[Span]:
        """As `Readable.chunks`."""
        return [span for span in self.spans if span[0] < end and start < span[1]]


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
    documents: Mapping[str, Readable],
    count: int,
    *,
    share: float = SHARE,
    max_chars: int = MAX_CHARS,
) -> list[Passage]:
    """The `count` best passages, best first; no two share a character.

    `documents` has every document in `found`. A passage has at most `max_chars` characters, or one sentence. Places are
    read in the order of the best that they can hold, and no more of them than can matter.
    """
    places = sorted(_places(found), key=_most, reverse=True)
    rows: list[_Sentence] = []
    passages: list[Passage] = []
    for start in range(0, len(places), count):
        for number, place in enumerate(places[start : start + count], start):
            rows += _sentences(place, documents[place[0].document_id], number)
        passages = _chosen(rows, count, share, max_chars)
        behind = _most(places[start + count]) if start + count < len(places) else 0.0
        if len(passages) == count and passages[-1].score >= behind:
            break
    return passages


def _chosen(rows: Sequence[_Sentence], count: int, share: float, max_chars: int) -> list[Passage]:
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


def _sentences(place: Sequence[Found], document: Readable, region: int) -> list[_Sentence]:
    """The sentences of one place, in order; one passage lies in one place."""
    begin, stop = place[0].start, max(each.end for each in place)
    spans = document.chunks(begin, stop)
    return [
        _sentence(region, begin + first, begin + last, place, spans)
        for first, last in sentences(document.text(begin, stop))
    ]


def _sentence(region: int, start: int, end: int, place: Sequence[Found], chunks: Sequence[Span]) -> _Sentence:
    """`chunks` holds all that could share characters with the sentence; between chunks that were found it is 0."""
    around = sum(_shared(span, start, end) for span in chunks)
    covering = [each for each in place if each.start < end and start < each.end]
    total = sum(each.score * _shared((each.start, each.end), start, end) for each in covering)
    best = max(covering or place, key=lambda each: each.score)
    return _Sentence(best.document_id, region, start, end, total / around if around else 0.0, best)


def _most(place: Sequence[Found]) -> float:
    """No sentence of a place is more relevant than its best chunk."""
    return max(each.score for each in place)


def _places(found: Sequence[Found]) -> list[list[Found]]:
    """The chunks found, in groups that lie near each other."""
    by_document: defaultdict[str, list[Found]] = defaultdict(list)
    for each in sorted(found, key=lambda each: each.start):
        by_document[each.document_id].append(each)
    return [place for here in by_document.values() for place in _regions(here)]


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
