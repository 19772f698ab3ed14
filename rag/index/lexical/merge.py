"""Makes one part of several, some terms at a time. This module imports numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rag.index.blocks import Blocks
from rag.index.lexical.part import Ints, Part
from rag.index.lexical.vocabulary import Vocabulary, union

POSTINGS_AT_ONCE = 1 << 21

Flags = npt.NDArray[np.bool_]
Values = npt.NDArray[np.int32] | npt.NDArray[np.uint16]


class Merge:
    """Parts whose positions ascend, as one, without the postings of chunks that are not `alive` and unused terms."""

    def __init__(self, parts: Sequence[Part], alive: Flags | None = None) -> None:
        self._parts = parts
        self._alive = alive
        self._terms, self._places = union([part.vocabulary for part in parts])
        there = np.zeros(len(self._terms), np.int64)
        for part, places in zip(parts, self._places, strict=True):
            there[places] += np.diff(part.indptr)
        self._there = _starts(there)
        self._starts = self._there if alive is None else _starts(self._alive_postings())

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The terms of what is left."""
        return self._terms.only(self._used)

    @cached_property
    def indptr(self) -> Ints:
        """As of `Part`."""
        return np.concatenate([self._starts[:-1][self._used], self._starts[-1:]])

    @property
    def chunks(self) -> Blocks:
        """As of `Part`."""
        return Blocks(np.dtype(np.int32), (len(self),), lambda: self._made(lambda part: part.chunks))

    @property
    def frequencies(self) -> Blocks:
        """As of `Part`."""
        return Blocks(np.dtype(np.uint16), (len(self),), lambda: self._made(lambda part: part.frequencies))

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def _used(self) -> Flags:
        return np.diff(self._starts) > 0

    def _made(self, values: Callable[[Part], Values]) -> Iterator[Values]:
        for first, last in self._runs():
            free = self._starts[first:last] - self._starts[first]
            block: Values | None = None
            for part, at, bounds in self._slices(first, last):
                keep, counts = self._kept(part, bounds)
                some = values(part)[bounds[0] : bounds[-1]]
                if block is None:
                    block = np.empty(int(self._starts[last] - self._starts[first]), some.dtype)
                block[_run(free[at], counts)] = some if keep is None else some[keep]
                free[at] += counts
            if block is not None:
                yield block

    def _alive_postings(self) -> Ints:
        """How many postings of each term are left."""
        held = np.zeros(len(self._terms), np.int64)
        for first, last in self._runs():
            for part, at, bounds in self._slices(first, last):
                held[first + at] += self._kept(part, bounds)[1]
        return held

    def _runs(self) -> Iterator[tuple[int, int]]:
        """Terms that have about so many postings together, at least one term at a time."""
        first = 0
        while first < len(self._terms):
            reach = int(np.searchsorted(self._there, self._there[first] + POSTINGS_AT_ONCE, "right")) - 1
            last = max(first + 1, reach)
            yield first, last
            first = last

    def _slices(self, first: int, last: int) -> Iterator[tuple[Part, Ints, Ints]]:
        """Of each part those of these terms that it has, counted from `first`, and the bounds of their postings."""
        for part, places in zip(self._parts, self._places, strict=True):
            low, high = places.searchsorted([first, last]).tolist()
            if low < high:
                yield part, places[low:high] - first, np.asarray(part.indptr[low : high + 1])

    def _kept(self, part: Part, bounds: Ints) -> tuple[Flags | None, Ints]:
        if self._alive is None:
            return None, np.diff(bounds)
        keep = self._alive[part.chunks[bounds[0] : bounds[-1]]]
        return keep, np.diff(_starts(keep)[bounds - bounds[0]])


def merge(parts: Sequence[Part], alive: Flags | None = None) -> Part:
    """One part of several whose positions ascend, without the postings of chunks that are not `alive`."""
    made = Merge(parts, alive)
    return Part(made.vocabulary, made.indptr, made.chunks.whole(), made.frequencies.whole())


def _starts(counts: npt.NDArray[np.int64] | Flags) -> Ints:
    """Where each of so many begins, and the last ends."""
    found = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=found[1:])
    return found


def _run(starts: Ints, counts: Ints) -> Ints:
    """The numbers starts[i], starts[i] + 1, ... (counts[i] of them) for every i, one after the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
