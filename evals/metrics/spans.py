"""How much of the reference text was retrieved, and how much else, in characters.

The definitions are those of Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval" (Chroma, 2024), in
characters (code points) instead of tokens, as in their code (brandonstarxel/chunking_evaluation):

    found      = characters of the references that lie in at least one chunk, each counted once
    recall     = found / characters of the references
    precision  = found / lengths of the chunks added up
    IoU        = found / (lengths of the chunks added up + characters of the references that were not found)

Chunks count with their full length however much they overlap, in the denominators only: reading a passage twice is
paid twice and finds nothing new. Chunks of other documents count there, too. References that overlap are taken
together first, which their code leaves to the data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from plumbline.errors import InputError

Span = tuple[str, int, int]
"""(document, start, end), in code points, `end` behind the last."""

Ranges = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class SpanScores:
    """Each in [0, 1]; all are 0 when nothing was retrieved."""

    recall: float
    precision: float
    iou: float


def span_scores(retrieved: Sequence[Span], references: Sequence[Span]) -> SpanScores | None:
    """Recall, precision and IoU of the chunks `retrieved`; `None` without references, where nothing could be found."""
    wanted, chunks = _by_document(references), _by_document(retrieved)
    if not wanted:
        return None
    total = sum(map(_length, wanted.values()))
    found = sum(overlap(chunks.get(document, []), ranges) for document, ranges in wanted.items())
    read = sum(end - start for _, start, end in retrieved)
    return SpanScores(found / total, found / read if read else 0.0, found / (read + total - found))


def precision_omega(chunks: Iterable[Span], references: Sequence[Span]) -> float | None:
    """What a perfect retriever could reach with this chunking: the IoU of all chunks that touch a reference.

    Here chunks that overlap are taken together, as in the original; unlike there, a chunk that only borders on a
    reference does not count. It depends on the chunker alone. `None` without references.
    """
    wanted = _by_document(references)
    if not wanted:
        return None
    touching = _by_document(chunk for chunk in chunks if touches(chunk, wanted))
    total = sum(map(_length, wanted.values()))
    found = sum(overlap(touching.get(document, []), ranges) for document, ranges in wanted.items())
    return found / (sum(map(_length, touching.values())) + total - found)


def touches(span: Span, ranges: Mapping[str, Ranges]) -> bool:
    """Whether the span shares a character with any of the ranges of its document."""
    document, start, end = span
    return any(start < other_end and other_start < end for other_start, other_end in ranges.get(document, []))


def merged(spans: Iterable[tuple[int, int]]) -> Ranges:
    """The same characters in as few ranges as possible, in order; empty ranges vanish."""
    found: Ranges = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def overlap(first: Ranges, second: Ranges) -> int:
    """How many characters lie in both; each list merged."""
    total = i = j = 0
    while i < len(first) and j < len(second):
        start, end = max(first[i][0], second[j][0]), min(first[i][1], second[j][1])
        total += max(end - start, 0)
        if first[i][1] <= second[j][1]:
            i += 1
        else:
            j += 1
    return total


def _by_document(spans: Iterable[Span]) -> dict[str, Ranges]:
    found: defaultdict[str, Ranges] = defaultdict(list)
    for document, start, end in spans:
        if not 0 <= start <= end:
            raise InputError(f"{document}[{start}:{end}] is no span: 0 <= start <= end must hold.")
        found[document].append((start, end))
    return {document: ranges for document, all_ in found.items() if (ranges := merged(all_))}


def _length(ranges: Ranges) -> int:
    return sum(end - start for start, end in ranges)
