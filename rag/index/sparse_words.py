"""The words of a point as a sparse vector: its dot product with that of a search, times idf, is BM25.

A word is a dimension: a hash of it. Of 32 bits, some hundred pairs of a million different words share one, and then
count as the same word. The value is the saturated frequency of BM25; the idf, log(1 + (N - df + .5) / (df + .5)), is
put in at every query. The average length that BM25 asks for is a constant, since the values stand in the index: that of
the first points of a collection is taken for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from rag.index.field_terms import FieldTerms
from rag.index.lexical.query import LexicalQuery

LONGEST_PREFIX = 8
AVERAGE_LENGTH = 120.0
"""In terms, of a chunk of some 256 tokens."""
_ASSUMED = 50
"""So many texts of that length are taken to be there already: a few points say little about those to come."""
_PREFIX = "^"
"""Before a prefix that is a dimension of its own; no term begins with it."""

Sparse = dict[int, float]


@dataclass(frozen=True, slots=True)
class SparseWords:
    """Writes and reads sparse vectors of dimensions 1 … `space`; `average` is the length that counts as average."""

    reading: FieldTerms
    average: float = AVERAGE_LENGTH
    space: int = 2**32 - 1

    def of_point(self, weighted: Mapping[str, float], *, prefixes: bool) -> Sparse:
        """Both of the following in one, or the first alone."""
        return {**(self.of_beginnings(weighted) if prefixes else {}), **self.of_terms(weighted)}

    def of_terms(self, weighted: Mapping[str, float]) -> Sparse:
        """The vector of a point with these terms."""
        counts = ((_hashed(term), count) for term, count in weighted.items())
        return self._vector(counts, sum(weighted.values()))

    def of_beginnings(self, weighted: Mapping[str, float]) -> Sparse:
        """The same of every beginning of every term, up to `LONGEST_PREFIX` letters: some three times as many."""
        counts: dict[int, float] = {}
        for term, count in weighted.items():
            for hashed in _beginnings(term):
                counts[hashed] = counts.get(hashed, 0.0) + count
        return self._vector(counts.items(), sum(weighted.values()))

    def asked(self, query: LexicalQuery) -> Sparse:
        """How often a query asks for each word."""
        return self._times(query.words)

    def asked_beginnings(self, query: LexicalQuery) -> Sparse:
        """The same for its prefixes; one longer than `LONGEST_PREFIX` counts as its beginning."""
        return self._times(_PREFIX + prefix.start[:LONGEST_PREFIX] for prefix in query.prefixes)

    def stored(self, weighted: Mapping[str, float], found: Sparse, *, also: Iterable[int] = ()) -> dict[str, float]:
        """Of the terms that a point should have, those that its stored vector bears out, with whatever else it holds.

        What is wrong comes under a name that no term has, so that a comparison with the terms shows it; `also` are
        dimensions that may be there for another reason.
        """
        expected = self.of_terms(weighted)
        right = {at for at, value in expected.items() if abs(found.get(at, 0.0) - value) <= 1e-5 * value}
        terms = {term: count for term, count in weighted.items() if self._at(term) in right}
        wrong = {f"#{at}": found[at] for at in found.keys() - right - set(also)}
        return {**terms, **wrong}

    def _times(self, words: Iterable[str]) -> Sparse:
        return {at: float(times) for at, times in Counter(map(self._at, words)).items()}

    def _vector(self, counts: Iterable[tuple[int, float]], length: float) -> Sparse:
        found: Sparse = {}
        for hashed, count in counts:
            at = hashed % self.space + 1
            found[at] = found.get(at, 0.0) + self.reading.saturate(count, length, self.average)
        return found

    def _at(self, word: str) -> int:
        return _hashed(word) % self.space + 1


def average_length(lengths: Sequence[float]) -> float:
    """What to take for the average length of all texts that will come, where the first have these."""
    return round((_ASSUMED * AVERAGE_LENGTH + sum(lengths)) / (_ASSUMED + len(lengths)), 1)


@lru_cache(maxsize=2**17)
def _hashed(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


@lru_cache(maxsize=2**16)
def _beginnings(term: str) -> tuple[int, ...]:
    return tuple(_hashed(_PREFIX + term[:size]) for size in range(1, min(len(term), LONGEST_PREFIX) + 1))
