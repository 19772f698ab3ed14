"""BM25 over an inverted index in memory, in numpy. This module imports numpy; import it lazily.

Every posting's share of the score is computed once, when the index is first searched after a change, so that a query
only adds up the shares of its terms (the idea of BM25S, Lù 2024). Scores are the Robertson and Spärck Jones family:
Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Literal

import numpy as np
import numpy.typing as npt

from plumbline.errors import CorruptStateError, InputError

Idf = Literal["lucene", "okapi"]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_FORMAT = 1
_MOST = np.iinfo(np.uint16).max  # a term frequency above this counts as this: BM25 has long saturated there
_EPSILON = 0.25  # rank_bm25's default


class LexicalIndex:
    """An inverted index over chunks given as lists of terms; the n-th chunk ever appended is at position n - 1.

    Positions are never reused: a removed chunk leaves an empty place, is not found, and is not counted in document
    frequencies and lengths, so scores are those of an index that never held it. Not safe for concurrent changes;
    concurrent searches of an index that does not change are safe.

    `idf="lucene"` is log(1 + (N - df + .5) / (df + .5)), positive for every term. `idf="okapi"` is
    log((N - df + .5) / (df + .5)) with negative values raised to a quarter of the mean, as `rank_bm25.BM25Okapi`
    computes it; it is there as the reference.
    """

    def __init__(
        self, chunks: Iterable[Sequence[str]] = (), *, k1: float = 1.2, b: float = 0.75, idf: Idf = "lucene"
    ) -> None:
        if k1 < 0 or not 0 <= b <= 1:
            raise InputError(f"BM25 needs k1 >= 0 and 0 <= b <= 1; k1={k1}, b={b} were given.")
        self.k1 = k1
        self.b = b
        self.idf = idf
        self._vocabulary: dict[str, int] = {}
        self._indptr: Ints = np.zeros(1, np.int64)
        self._chunks: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._frequencies: npt.NDArray[np.uint16] = np.zeros(0, np.uint16)
        self._lengths: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self._alive: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._shares: npt.NDArray[np.float32] | None = None
        self.append(chunks)

    def __len__(self) -> int:
        """How many positions there are, removed ones included: the length of `scores` and of a mask."""
        return len(self._lengths)

    @property
    def count(self) -> int:
        """How many chunks can be found."""
        return int(self._alive.sum())

    def append(self, chunks: Iterable[Sequence[str]]) -> None:
        """Add chunks behind the last position. Costs time in the size of the index: append many at once."""
        added = [list(chunk) for chunk in chunks]
        if not added:
            return
        first = len(self)
        lengths = np.fromiter(map(len, added), np.int32, len(added))
        vocabulary = self._vocabulary
        for term in chain.from_iterable(added):
            if term not in vocabulary:
                vocabulary[term] = len(vocabulary)
        ids = np.fromiter(map(vocabulary.__getitem__, chain.from_iterable(added)), np.int64, int(lengths.sum()))
        keys = ids * len(added) + np.repeat(np.arange(len(added)), lengths)  # sorts by term, then by chunk
        keys, counts = np.unique(keys, return_counts=True)
        self._merge(
            keys // len(added),
            (keys % len(added) + first).astype(np.int32),
            np.minimum(counts, _MOST).astype(np.uint16),
        )
        self._lengths = np.concatenate([self._lengths, lengths])
        self._alive = np.concatenate([self._alive, np.ones(len(added), np.bool_)])
        self._shares = None

    def _merge(self, ids: Ints, chunks: npt.NDArray[np.int32], frequencies: npt.NDArray[np.uint16]) -> None:
        """Put new postings, sorted by term, behind the old ones of each term."""
        old = np.zeros(len(self._vocabulary), np.int64)
        old[: len(self._indptr) - 1] = np.diff(self._indptr)
        new = np.bincount(ids, minlength=len(old))
        indptr = np.concatenate([[0], np.cumsum(old + new)])
        old_at = _places(indptr[:-1], old)
        new_at = _places(indptr[:-1] + old, new)
        merged_chunks = np.empty(indptr[-1], np.int32)
        merged_chunks[old_at], merged_chunks[new_at] = self._chunks, chunks
        merged_frequencies = np.empty(indptr[-1], np.uint16)
        merged_frequencies[old_at], merged_frequencies[new_at] = self._frequencies, frequencies
        self._indptr, self._chunks, self._frequencies = indptr, merged_chunks, merged_frequencies

    def remove(self, positions: Collection[int]) -> None:
        """Take chunks out; their positions stay empty. Costs time in the size of the index: remove many at once."""
        if not positions:
            return
        at = np.fromiter(positions, np.int64, len(positions))
        if at.min() < 0 or at.max() >= len(self):
            raise InputError(f"Positions to remove must be in 0..{len(self) - 1}; {at.min()}..{at.max()} were given.")
        self._alive[at] = False
        self._lengths[at] = 0
        keep = self._alive[self._chunks]
        self._indptr = np.concatenate([[0], np.cumsum(keep)])[self._indptr]
        self._chunks, self._frequencies = self._chunks[keep], self._frequencies[keep]
        self._shares = None

    def scores(self, query: Sequence[str]) -> Floats:
        """The score of every position, float64; 0 where no query term occurs. A term asked twice counts twice."""
        shares = self._computed()
        slices = []
        for term in query:
            index = self._vocabulary.get(term)
            if index is not None:
                slices.append(slice(self._indptr[index], self._indptr[index + 1]))
        if not slices:
            return np.zeros(len(self))
        chunks = np.concatenate([self._chunks[part] for part in slices])
        added = np.concatenate([shares[part] for part in slices])
        return np.asarray(np.bincount(chunks, added, len(self)), np.float64)

    def search(self, query: Sequence[str], k: int, mask: npt.NDArray[np.bool_] | None = None) -> tuple[Ints, Floats]:
        """The positions and scores of the `k` best chunks with a score above 0, best first, equal ones by position.

        `mask`, bool of length `len(self)`, is true where a chunk may be found.
        """
        scores = self.scores(query)
        if mask is not None:
            if mask.shape != scores.shape:
                raise InputError(f"The mask has shape {mask.shape}; this index needs ({len(self)},).")
            scores = scores * mask
        found = np.flatnonzero(scores > 0)
        if 0 < k < len(found):
            values = scores[found]
            least = np.partition(values, len(values) - k)[len(values) - k]
            found = found[values >= least]  # ties with the k-th stay, so that the order below decides
        order = np.argsort(-scores[found], kind="stable")[: max(k, 0)]
        found = found[order]
        return found, scores[found]

    def postings_of(self, positions: Sequence[int]) -> list[dict[str, float]]:
        """For each position its terms and how often each occurs. Costs time in the size of the index: ask for many."""
        at = np.full(len(self), -1, np.int64)
        at[np.asarray(positions, np.int64)] = np.arange(len(positions))
        found = np.flatnonzero(at[self._chunks] >= 0)
        terms = list(self._vocabulary)
        owners = np.searchsorted(self._indptr, found, side="right") - 1
        gathered: list[dict[str, float]] = [{} for _ in positions]
        rows = zip(at[self._chunks[found]].tolist(), owners.tolist(), self._frequencies[found].tolist(), strict=True)
        for row, term, frequency in rows:
            gathered[row][terms[term]] = float(frequency)
        return gathered

    def _computed(self) -> npt.NDArray[np.float32]:
        """Each posting's share of the score."""
        if self._shares is None:
            lengths = self._lengths.astype(np.float64)
            mean = lengths.sum() / max(self.count, 1)
            damping = self.k1 * (1 - self.b + self.b * lengths / max(mean, 1e-9))
            frequencies = self._frequencies.astype(np.float64)
            weights = np.repeat(self._idf(), np.diff(self._indptr))
            shares = weights * frequencies * (self.k1 + 1) / (frequencies + damping[self._chunks])
            self._shares = shares.astype(np.float32)
        return self._shares

    def _idf(self) -> Floats:
        frequency = np.diff(self._indptr).astype(np.float64)
        odds = (self.count - frequency + 0.5) / (frequency + 0.5)
        if self.idf == "lucene":
            return np.log1p(odds)
        idf = np.log(odds)
        used = frequency > 0
        floor = _EPSILON * idf[used].mean() if used.any() else 0.0
        return np.where(idf < 0, floor, idf)

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Everything but the settings k1, b and idf, as arrays that `numpy.savez` takes and no change reaches; see
        `from_arrays`.
        """
        terms = [term.encode() for term in self._vocabulary]
        return {
            "format": np.array([_FORMAT]),
            "vocabulary": np.frombuffer(b"".join(terms), np.uint8),
            "vocabulary_ends": np.cumsum([len(term) for term in terms], dtype=np.int64),
            "indptr": self._indptr,
            "chunks": self._chunks,
            "frequencies": self._frequencies,
            "lengths": self._lengths.copy(),
            "alive": self._alive.copy(),
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, npt.NDArray[np.generic]], *, k1: float = 1.2, b: float = 0.75, idf: Idf = "lucene"
    ) -> LexicalIndex:
        """The index that `to_arrays` took apart. Raises `CorruptStateError` when the arrays do not fit together."""
        index = cls(k1=k1, b=b, idf=idf)
        try:
            if int(np.asarray(arrays["format"], np.int64)[0]) != _FORMAT:
                raise ValueError("another format")
            text = np.asarray(arrays["vocabulary"], np.uint8).tobytes()
            ends = np.asarray(arrays["vocabulary_ends"], np.int64).tolist()
            index._vocabulary = {text[i:j].decode(): n for n, (i, j) in enumerate(zip([0, *ends], ends, strict=False))}
            index._indptr = np.asarray(arrays["indptr"], np.int64)
            index._chunks = np.asarray(arrays["chunks"], np.int32)
            index._frequencies = np.asarray(arrays["frequencies"], np.uint16)
            index._lengths = np.array(arrays["lengths"], np.int32)
            index._alive = np.array(arrays["alive"], np.bool_)
            index._check(len(ends))
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise CorruptStateError(
                f"The lexical index is damaged: {error}.", hint="Rebuild it from the stored chunks."
            ) from error
        return index

    def _check(self, terms: int) -> None:
        if len(self._vocabulary) != terms or len(self._indptr) != terms + 1 or len(self._alive) != len(self._lengths):
            raise ValueError("its parts differ in length")
        if self._indptr[0] != 0 or self._indptr[-1] != len(self._chunks) or np.any(np.diff(self._indptr) < 0):
            raise ValueError("the bounds of its postings are out of order")
        if len(self._chunks) != len(self._frequencies):
            raise ValueError("its parts differ in length")
        if len(self._chunks) and not 0 <= int(self._chunks.min()) <= int(self._chunks.max()) < len(self._lengths):
            raise ValueError("a posting points outside the chunks")


def _places(starts: Ints, counts: Ints) -> Ints:
    """The numbers starts[i], starts[i] + 1, ... (counts[i] of them) for every i, one after the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
