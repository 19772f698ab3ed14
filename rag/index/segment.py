"""A run of points as arrays, and the search for the nearest among them. This module imports numpy.

Few points are compared one by one. Many are scanned by their codes first, and the best compared: how many, `Tuning`
says. Where a filter leaves few rows only those are looked at, so that a filter makes a search faster and not worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rag.index.codes import SCATTERED, Codes, Distances, closest, distances, encode, nearest, words_of
from rag.index.columns import Columns
from rag.index.texts import Texts
from rag.index.tuning import Tuning
from rag.index.vectors import FLOAT_ERROR, Floats, Places, Vectors, products, vectors_of

Flags = npt.NDArray[np.bool_]
Seqs = npt.NDArray[np.int64]
Fetch = Callable[[list[int]], Mapping[int, Floats]]
"""The vectors of the points with these `seq`, as the database has them; those that are gone are left out."""

FARTHEST = np.iinfo(np.uint16).max
NOTHING = np.empty(0, np.intp), np.empty(0, np.float32)

USUAL = 3.0
"""Rounding errors of dimensions are as good as independent: their sum stays below so many standard deviations."""


class Matching:
    """The rows that may be found."""

    def __init__(self, flags: Flags) -> None:
        self.flags = flags
        self.count = int(np.count_nonzero(flags))

    @cached_property
    def rows(self) -> Places:
        """Them, ascending."""
        return np.flatnonzero(self.flags)

    @cached_property
    def excluded(self) -> Distances:
        """What puts all others farther away than anything."""
        return np.where(self.flags, 0, FARTHEST).astype(np.uint16)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Points in the order of `seqs` (ascending): row i of each part is one point."""

    seqs: Seqs
    ids: Texts
    columns: Columns
    vectors: Vectors
    codes: Codes
    centre: Floats

    def __len__(self) -> int:
        return len(self.seqs)

    def rows_of(self, seqs: Seqs) -> Places:
        """The row of each, -1 for one that is not here."""
        places = np.searchsorted(self.seqs, seqs)
        inside = places < len(self.seqs)
        inside[inside] = self.seqs[places[inside]] == seqs[inside]
        return np.where(inside, places, -1)


@dataclass(frozen=True, slots=True, eq=False)
class DenseSearch:
    """For the `k` nearest to `query`, float32[dim]; `fetch` reads what a segment holds only rounded."""

    query: Floats
    k: int
    exact: bool
    tuning: Tuning
    fetch: Fetch

    def nearest(self, segment: Segment, rows: Matching) -> tuple[Places, Floats]:
        """The rows of them and their scores, best first, equal ones by row."""
        available = rows.count
        if available == 0:
            return NOTHING
        matching = None if available == len(segment) else rows  # `None`: every row matches
        count = self.tuning.candidates(self.k, available, len(self.query))
        if self.exact or available <= max(self.tuning.exact_rows, 2 * count):
            places = None if matching is None else matching.rows
            kept = self._shortlist(segment.vectors, places, exact=True)
        else:
            places = self._candidates(segment, matching, count)
            kept = self._shortlist(segment.vectors, places, exact=False)
        there, scores = self.compared(segment, kept if places is None else places[kept])
        order = np.argsort(-scores, kind="stable")[: self.k]  # the rows ascend
        return there[order], scores[order]

    def _candidates(self, segment: Segment, matching: Matching | None, count: int) -> Places:
        """The rows to compare: those whose codes differ least from the query's."""
        code = encode(self.query[None], segment.centre)
        if matching is not None and matching.count * SCATTERED < len(segment):
            rows = matching.rows
            return rows[nearest(distances(segment.codes.take(rows, axis=1), code), count)]
        return closest(segment.codes, code, count, None if matching is None else matching.excluded)

    def _shortlist(self, vectors: Vectors, places: Places | None, *, exact: bool) -> Places:
        """Where among `places` those are that may be the best, given by how much a score may be off."""
        scores, error = vectors.full_scores(self.query, places) if exact else None, FLOAT_ERROR
        if scores is None:
            scores = vectors.scores(self.query, places)
            # An approximation allows for what rounding usually comes to, an exact search for what it ever does.
            error += vectors.worst if exact else USUAL * vectors.worst / math.sqrt(vectors.dim)
        if len(scores) <= self.k:
            return np.arange(len(scores))
        least = np.partition(scores, len(scores) - self.k)[len(scores) - self.k]
        return np.flatnonzero(scores >= least - 2 * error)

    def compared(self, segment: Segment, rows: Places) -> tuple[Places, Floats]:
        """Of `rows` those that are not gone from the database, and the score of each."""
        full = segment.vectors.full
        if full is not None:
            return rows, products(full[rows], self.query)
        wanted = segment.seqs[rows].tolist()
        vectors = self.fetch(wanted)
        there = [at for at, seq in enumerate(wanted) if seq in vectors]
        if not there:
            return NOTHING
        return rows[there], products(np.stack([vectors[wanted[at]] for at in there]), self.query)


def empty_segment(dim: int) -> Segment:
    """A segment without points."""
    centre, codes = np.zeros(dim, np.float32), np.empty((words_of(dim), 0), np.uint64)
    return Segment(np.empty(0, np.int64), Texts(), Columns(), vectors_of(centre[None][:0], 0), codes, centre)
