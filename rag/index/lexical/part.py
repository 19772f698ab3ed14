"""A part of the lexical index: the postings of a run of chunks, in arrays that never change and may be mapped from a
file. This module imports numpy.

A posting is the position of a chunk, int32, and the frequency of the term there, uint16 in sixteenths.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np
import numpy.typing as npt

from rag.index.lexical.fields import UNIT
from rag.index.lexical.vocabulary import Vocabulary, union

Ints = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int32]
Frequencies = npt.NDArray[np.uint16]

MOST = int(np.iinfo(np.uint16).max)
"""A frequency above this, 4,095.9 occurrences, counts as this: BM25 has long saturated there."""
_CHUNKS_AT_ONCE = 2**19  # a chunk, a term and a frequency must fit into 63 bits, to be sorted as one number
_CHUNK_BITS, _FREQUENCY_BITS = 19, 16


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The postings of the n-th term are at `indptr[n]:indptr[n + 1]`, by position, ascending."""

    vocabulary: Vocabulary
    indptr: Ints
    chunks: Positions
    frequencies: Frequencies

    def __len__(self) -> int:
        return len(self.chunks)

    def postings(self, term: str) -> tuple[Positions, Frequencies] | None:
        """Where the term stands, and how often."""
        at = self.vocabulary.find(term)
        if at is None:
            return None
        some = slice(int(self.indptr[at]), int(self.indptr[at + 1]))
        return self.chunks[some], self.frequencies[some]

    def check(self, positions: int, *, postings: bool = True) -> None:
        """Raises `ValueError` when the arrays do not fit together, for an index of so many positions.

        `postings=False` leaves out what reads every posting.
        """
        self.vocabulary.check()
        if len(self.indptr) != len(self.vocabulary) + 1 or len(self.chunks) != len(self.frequencies):
            raise ValueError("its parts differ in length")
        if self.indptr[0] != 0 or self.indptr[-1] != len(self.chunks) or np.any(np.diff(self.indptr) < 0):
            raise ValueError("the bounds of its postings are out of order")
        if not postings or not len(self.chunks):
            return
        if not 0 <= int(self.chunks.min()) <= int(self.chunks.max()) < positions:
            raise ValueError("a posting points outside the chunks")
        ascending = self.chunks[1:] > self.chunks[:-1]
        inner = self.indptr[1:-1]
        ascending[inner[(inner > 0) & (inner < len(self.chunks))] - 1] = True  # where one term ends and the next begins
        if not ascending.all():
            raise ValueError("the postings of a term are out of order")


def build(chunks: Sequence[Mapping[str, float]], first: int) -> tuple[Part, npt.NDArray[np.int32]]:
    """The part of chunks given as terms with their frequencies, the first at position `first`, and their lengths in
    sixteenths of a word.
    """
    if len(chunks) > _CHUNKS_AT_ONCE:
        some = [chunks[at : at + _CHUNKS_AT_ONCE] for at in range(0, len(chunks), _CHUNKS_AT_ONCE)]
        built = [build(each, first + number * _CHUNKS_AT_ONCE) for number, each in enumerate(some)]
        return merge([part for part, _ in built]), np.concatenate([lengths for _, lengths in built])
    sizes = np.fromiter(map(len, chunks), np.int64, len(chunks))
    total = int(sizes.sum())
    met: defaultdict[str, int] = defaultdict(count().__next__)
    ids = np.fromiter(map(met.__getitem__, chain.from_iterable(chunks)), np.int64, total)
    values = np.fromiter(chain.from_iterable(chunk.values() for chunk in chunks), np.float64, total)
    owners = np.repeat(np.arange(len(chunks)), sizes)
    sixteenths = np.rint(values * UNIT)
    lengths = np.bincount(owners, sixteenths, len(chunks)).astype(np.int32)
    terms = sorted(met)
    rank = np.empty(len(terms), np.int64)
    rank[np.fromiter(map(met.__getitem__, terms), np.int64, len(terms))] = np.arange(len(terms))
    keys = rank[ids] << (_CHUNK_BITS + _FREQUENCY_BITS) | owners << _FREQUENCY_BITS
    keys |= np.clip(sixteenths, 1, MOST).astype(np.int64)
    keys.sort()
    indptr = np.searchsorted(keys, np.arange(len(terms) + 1) << (_CHUNK_BITS + _FREQUENCY_BITS))
    positions = (keys >> _FREQUENCY_BITS & (1 << _CHUNK_BITS) - 1) + first
    frequencies = (keys & MOST).astype(np.uint16)
    return Part(Vocabulary.of(terms), indptr.astype(np.int64), positions.astype(np.int32), frequencies), lengths


def merge(parts: Sequence[Part], alive: npt.NDArray[np.bool_] | None = None) -> Part:
    """One part of several whose positions ascend, without the postings of chunks that are not `alive`."""
    vocabulary, places = union([part.vocabulary for part in parts])
    kept = list(_kept(parts, alive))
    counts = [np.zeros(len(vocabulary), np.int64) for _ in parts]
    for mine, at, (indptr, _, _) in zip(counts, places, kept, strict=True):
        mine[at] = np.diff(indptr)
    held = np.sum(counts, axis=0, dtype=np.int64) if parts else np.zeros(0, np.int64)
    indptr = np.concatenate([[0], np.cumsum(held)]).astype(np.int64)
    chunks = np.empty(int(indptr[-1]), np.int32)
    frequencies = np.empty(int(indptr[-1]), np.uint16)
    free = indptr[:-1].copy()
    for mine, (_, old_chunks, old_frequencies) in zip(counts, kept, strict=True):
        at = _run(free, mine)
        chunks[at], frequencies[at] = old_chunks, old_frequencies
        free += mine
    return _without_unused(Part(vocabulary, indptr, chunks, frequencies))


def _kept(parts: Sequence[Part], alive: npt.NDArray[np.bool_] | None) -> Iterator[tuple[Ints, Positions, Frequencies]]:
    for part in parts:
        if alive is None:
            yield part.indptr, part.chunks, part.frequencies
        else:
            keep = alive[part.chunks]
            before = np.concatenate([[0], np.cumsum(keep)])
            yield before[part.indptr].astype(np.int64), part.chunks[keep], part.frequencies[keep]


def _without_unused(part: Part) -> Part:
    """Without terms that stand nowhere any more."""
    used = np.diff(part.indptr) > 0
    if used.all():
        return part
    terms = part.vocabulary.terms()
    left = Vocabulary.of([terms[at] for at in np.flatnonzero(used).tolist()])
    return Part(left, np.concatenate([part.indptr[:-1][used], part.indptr[-1:]]), part.chunks, part.frequencies)


def _run(starts: Ints, counts: Ints) -> Ints:
    """The numbers starts[i], starts[i] + 1, ... (counts[i] of them) for every i, one after the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
