"""A part of the lexical index: the postings of a run of chunks, in arrays that never change and may be mapped from a
file. This module imports numpy.

A posting is the position of a chunk, int32, and the frequency of the term there, uint16 in sixteenths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.index.lexical.vocabulary import Vocabulary

Ints = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int32]
Frequencies = npt.NDArray[np.uint16]

MOST = int(np.iinfo(np.uint16).max)
"""A frequency above this, 4,095.9 occurrences, counts as this: BM25 has long saturated there."""


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
