"""The parts of a lexical index together: what was read from a file, and what was added since.

This module imports numpy. A part never changes. Small ones are merged when the index is searched, each with its like,
so that there are few and a posting is copied a few times in its life; the first, where it is mapped from a file, never
is.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.index.lexical.fields import UNIT
from rag.index.lexical.merge import Merge, merge
from rag.index.lexical.part import Frequencies, Part, Positions
from rag.index.lexical.query import Prefix

Flags = npt.NDArray[np.bool_]

MOST_COMPLETIONS = 128
_MANY = 8
"""So many parts that are alike are merged when they are added, while that makes no more than `_MOST_AT_ONCE`."""
_MOST_AT_ONCE = 1 << 23
_READ_AT_ONCE = 1 << 22
_LIKE = 3  # a part is merged with those after it when it has less than so many times their postings


@dataclass(frozen=True, slots=True)
class Completions:
    """The terms that a prefix stands for, those in most chunks first, and how many more begin so."""

    terms: tuple[str, ...]
    left: int


class Parts:
    """Finds postings over all parts. `alive`, of the length of the index, says which positions count."""

    def __init__(self, mapped: Sequence[Part] = ()) -> None:
        self._parts = list(mapped)
        self._pinned = len(self._parts)
        self._lock = threading.Lock()

    def append(self, part: Part) -> None:
        """Add a part whose positions come after all others'; many that are alike become one."""
        with self._lock:
            self._parts = [*self._parts, part]
            last = self._parts[max(self._pinned, len(self._parts) - _MANY) :]
            sizes = [len(each) for each in last]
            if len(last) == _MANY and max(sizes) < _LIKE * min(sizes) and sum(sizes) <= _MOST_AT_ONCE:
                self._parts = [*self._parts[:-_MANY], merge(last)]

    def settle(self) -> Sequence[Part]:
        """The parts, after small ones were merged. Searches call it at the same time."""
        with self._lock:
            size, at = len(self._parts[-1]) if self._parts else 0, len(self._parts) - 1
            while at > self._pinned and len(self._parts[at - 1]) < _LIKE * size:
                at -= 1
                size += len(self._parts[at])
            if 0 <= at < len(self._parts) - 1:
                self._parts = [*self._parts[:at], merge(self._parts[at:])]
            return self._parts

    def postings(self, term: str, alive: Flags | None) -> tuple[Positions, Frequencies]:
        """Where a term stands, ascending, and how often; `alive=None` says that every position counts."""
        found = [held for part in self.settle() if (held := part.postings(term)) is not None]
        chunks, frequencies = found[0] if len(found) == 1 else _joined(found)
        if alive is None:
            return chunks, frequencies
        keep = alive[chunks]
        return chunks[keep], frequencies[keep]

    def completions(self, prefix: Prefix, alive: Flags | None, most: int = MOST_COMPLETIONS) -> Completions:
        """What a prefix stands for: the forms of its word that are here, and the terms that begin so."""
        held: Counter[str] = Counter()
        for part in self.settle():
            some = part.vocabulary.beginning(prefix.start)
            places = [*zip(some, part.vocabulary.terms(some), strict=True)]
            forms = ((part.vocabulary.find(form), form) for form in prefix.forms)
            places += [(at, form) for at, form in forms if at is not None and at not in some]
            for at, term in places:
                chunks = part.chunks[int(part.indptr[at]) : int(part.indptr[at + 1])]
                held[term] += len(chunks) if alive is None else int(np.count_nonzero(alive[chunks]))
        ordered = sorted((term for term in held if held[term]), key=lambda term: (-held[term], term))
        return Completions(tuple(ordered[:most]), max(0, len(ordered) - most))

    def of(self, positions: Sequence[int], alive: Flags) -> list[dict[str, float]]:
        """For each position its terms and their frequencies; nothing for one that is not `alive`."""
        gathered: list[dict[str, float]] = [{} for _ in positions]
        row = np.full(len(alive), -1, np.int32)
        row[np.asarray(positions, np.int64)] = np.arange(len(positions))
        row[~alive] = -1
        for part in self._parts:
            some = (part.chunks[at : at + _READ_AT_ONCE] for at in range(0, len(part), _READ_AT_ONCE))
            here = [np.flatnonzero(row[each] >= 0) + number * _READ_AT_ONCE for number, each in enumerate(some)]
            found = np.concatenate([np.empty(0, np.int64), *here])
            owners = np.searchsorted(part.indptr, found, side="right") - 1
            term = {owner: part.vocabulary.term(owner) for owner in np.unique(owners).tolist()}
            rows = zip(row[part.chunks[found]].tolist(), owners.tolist(), part.frequencies[found].tolist(), strict=True)
            for at, owner, frequency in rows:
                gathered[at][term[owner]] = frequency / UNIT
        return gathered

    def held(self, alive: Flags | None) -> npt.NDArray[np.int64]:
        """For every term that is left, how many positions hold it."""
        return np.diff(Merge(self._parts, alive).indptr)

    def now(self) -> Sequence[Part]:
        """The parts as they are now, which no change reaches."""
        return self._parts


def _joined(found: Sequence[tuple[Positions, Frequencies]]) -> tuple[Positions, Frequencies]:
    empty = (np.zeros(0, np.int32), np.zeros(0, np.uint16))
    chunks, frequencies = zip(*(found or [empty]), strict=True)
    return np.concatenate(chunks), np.concatenate(frequencies)
