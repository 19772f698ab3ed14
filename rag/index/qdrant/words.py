"""The words of a point as a sparse vector, so that the server's dot product with its own idf is BM25.

A word is a dimension: 32 bits of a hash of it. In a million different words some hundred pairs share one, and then
count as the same word. The value is the saturated frequency of BM25; the server multiplies with log(1 + (N - df + .5) /
(df + .5)) at every query, of each shard by itself. The average length that BM25 asks for is a constant here, since the
values stand in the index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from plumbline.errors import InputError
from rag.index.field_terms import FieldTerms, as_prefix
from rag.index.store import Search

LONGEST_PREFIX = 8
_PREFIX = "^"
"""Before a prefix that is a dimension of its own; no term begins with it."""

Sparse = dict[int, float]


@dataclass(frozen=True, slots=True)
class SparseWords:
    """Writes and reads sparse vectors; `average` is the length that counts as average, in terms.

    With `prefixes` every beginning of every term, up to `LONGEST_PREFIX` letters, is a dimension too, some three
    times as many as terms.
    """

    reading: FieldTerms
    average: float
    prefixes: bool = True

    def of_terms(self, weighted: Mapping[str, float]) -> Sparse:
        """The sparse vector of a point with these terms."""
        length = sum(weighted.values())
        counts = dict(weighted)
        if self.prefixes:
            for term, count in weighted.items():
                for size in range(1, min(len(term), LONGEST_PREFIX) + 1):
                    beginning = _PREFIX + term[:size]
                    counts[beginning] = counts.get(beginning, 0.0) + count
        found: Sparse = {}
        for word, count in counts.items():
            at = dimension(word)
            found[at] = found.get(at, 0.0) + self.reading.saturate(count, length, self.average)
        return found

    def of_search(self, search: Search) -> Sparse:
        """The sparse vector that asks for the words of a search; raises `InputError` for prefixes that are not kept."""
        asked = Counter({dimension(term): times for term, times in self.reading.asked(search).items()})
        prefixes = [prefix for text in search.prefixes if (prefix := as_prefix(text))]
        if prefixes and not self.prefixes:
            raise InputError(f"This index keeps no prefixes, and {prefixes[0]!r} was asked for.")
        asked.update(dimension(_PREFIX + prefix[:LONGEST_PREFIX]) for prefix in prefixes)
        return {at: float(times) for at, times in asked.items()}

    def stored(self, weighted: Mapping[str, float], found: Sparse) -> dict[str, float]:
        """Of the terms that a point should have, those that a stored vector bears out, with whatever else it holds.

        What is wrong comes under a name that no term has, so that a comparison with the terms shows it.
        """
        expected = self.of_terms(weighted)
        right = {at for at, value in expected.items() if abs(found.get(at, 0.0) - value) <= 1e-5 * value}
        terms = {term: count for term, count in weighted.items() if dimension(term) in right}
        wrong = {f"#{at}": value for at, value in found.items() if at not in right}
        return {**terms, **wrong}


@lru_cache(maxsize=2**17)
def dimension(word: str) -> int:
    """The dimension of a word, 32 bits."""
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big")
