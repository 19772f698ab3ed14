"""Terms ready to be added up, computed when they are first asked for after a change. This module imports numpy.

So a change costs nothing that grows with the index but what the next queries ask for: document frequencies and mean
length are as of now for every term that is used.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from rag.index.lexical.part import Frequencies, Positions
from rag.index.lexical.parts import Completions, Flags, Parts
from rag.index.lexical.query import Prefix
from rag.index.lexical.scoring import EPSILON, Formula, Prepared, Shares

_LEAST = 1 << 26
_PER_CHUNK = 320
"""So many bytes are kept for each chunk, at least `_LEAST` in all."""


class Preparation:
    """Terms of an index as it is now. Searches may ask at the same time."""

    def __init__(self, formula: Formula, parts: Parts, lengths: npt.NDArray[np.int32], alive: Flags) -> None:
        self._formula = formula
        self._parts = parts
        self._lengths = lengths
        self.count = int(np.count_nonzero(alive))
        self.alive = None if self.count == len(alive) else alive
        """`None` where all are."""
        # Two generations: what was not used since the younger one began goes with the older.
        self._young: dict[str | Prefix, Prepared] = {}
        self._old: dict[str | Prefix, Prepared] = {}
        self._bytes = 0

    def word(self, term: str) -> Prepared:
        """A term; an empty one where no chunk holds it."""
        return self._young.get(term) or self._keep(term, self._old.get(term) or self._made(term))

    def prefix(self, prefix: Prefix) -> Prepared:
        """All terms that a prefix stands for, as one."""
        return self._young.get(prefix) or self._keep(prefix, self._old.get(prefix) or self._made(prefix))

    def completions(self, prefix: Prefix) -> Completions:
        """What a prefix stands for."""
        return self._parts.completions(prefix, self.alive)

    def _together(self, terms: tuple[str, ...]) -> tuple[Positions, Frequencies]:
        held = [self._parts.postings(term, self.alive) for term in terms]
        chunks, places = np.unique(np.concatenate([[], *(c for c, _ in held)]).astype(np.int32), return_inverse=True)
        counts = np.bincount(places, np.concatenate([[], *(f for _, f in held)]), len(chunks))
        return chunks, np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16)

    def _made(self, key: str | Prefix) -> Prepared:
        if isinstance(key, str):
            chunks, frequencies = self._parts.postings(key, self.alive)
        else:
            chunks, frequencies = self._together(self.completions(key).terms)
        shares = self._formula.shares(frequencies, self._damping[chunks], self._weight(len(chunks)))
        return Prepared(chunks, shares, len(self._lengths))

    def _keep(self, key: str | Prefix, prepared: Prepared) -> Prepared:
        self._bytes += prepared.bytes
        if self._bytes > max(_LEAST, _PER_CHUNK * len(self._lengths)) // 2:
            self._old, self._young, self._bytes = self._young, {}, prepared.bytes
        self._young[key] = prepared
        return prepared

    def _weight(self, held: int) -> float:
        weight = float(self._formula.weights(np.array([held]), self.count)[0]) if held else 0.0
        return self._floor if weight < 0 else weight

    @cached_property
    def _floor(self) -> float:
        """What a negative idf becomes."""
        held = self._parts.held(self.alive)
        return EPSILON * float(self._formula.weights(held[held > 0], self.count).mean())

    @cached_property
    def _damping(self) -> Shares:
        return self._formula.damping(self._lengths, self.count)
