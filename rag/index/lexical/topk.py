"""The k best of a sum of postings, exactly, without adding up all of them. This module imports numpy.

Small indexes are added up whole. In large ones rare terms are added first; as soon as the common terms that are left
cannot lift an untouched chunk into the k best any more (MaxScore: Turtle & Flood 1995), they are looked up for the
chunks that are touched only, in bytes that bound their shares. What may then be among the k best, some more than k, is
scored from the postings themselves. Sums of a few single-precision shares are exact in double precision, so the result
does not depend on the order of adding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from rag.index.lexical.scoring import WHOLE, Floats, Prepared, Shares

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Weighted = tuple[Prepared, int]
"""A term, and how often the query asks for it."""
Touched = tuple[Ints, Shares]
"""The positions of a term, and their sums when it had been added."""

SELECTIVE = 256
"""A mask that lets one of so many positions through, or fewer, is looked up position by position."""
_SCATTERED = 16
"""Setting one of so many positions to 0 costs what setting all does."""
_ROUNDING = 2.0**-22  # relative, of one addition in single precision, with room
_NONE = (np.zeros(0, np.int64), np.zeros(0))


@dataclass(slots=True, eq=False)
class Sums:
    """Adds up over `size` positions; arrays are used again, each by one search at a time."""

    size: int
    _free: list[Shares] = field(default_factory=list)

    def best(self, terms: Sequence[Weighted], k: int, mask: Mask | None = None) -> tuple[Ints, Floats]:
        """Positions and scores of the `k` highest above 0, best first, equal ones by position.

        Shares must not be negative where the index is larger than `WHOLE`.
        """
        terms = [each for each in terms if len(each[0].chunks)]
        if k < 1 or not terms:
            return _NONE
        if mask is not None and (allowed := int(np.count_nonzero(mask))) * SELECTIVE <= self.size:
            positions = np.flatnonzero(mask)
            return _top(*_positive(positions, looked_up(terms, positions)), k) if allowed else _NONE
        if self.size <= WHOLE or any(each.shares.dtype != np.float32 for each, _ in terms):
            scores = added(terms, self.size)
            found = np.flatnonzero(scores > 0 if mask is None else (scores > 0) & mask)
            return _top(found, scores[found], k)
        return self._best(sorted(terms, key=lambda each: -each[0].most * each[1]), k, mask)

    def _best(self, terms: Sequence[Weighted], k: int, mask: Mask | None) -> tuple[Ints, Floats]:
        """The same for a large index; terms come with the largest shares first."""
        rounded = 1 - _ROUNDING * (len(terms) + 8)
        sums = self._free.pop() if self._free else np.zeros(self.size, np.float32)
        touched, left, floor = self._add(sums, terms, k, mask)
        reach = sum(term.most * times for term, times in left)
        positions = _not_below(floor * rounded - reach, touched)
        bounds = sums[positions]
        self._clear(sums, touched)
        steps = [(term.levels, np.float32(term.step * times)) for term, times in left]
        for levels, step in steps:
            bounds += levels[positions] * step
        floor = max(floor, _kth(bounds, k) - float(sum(step for _, step in steps)))
        positions = positions[bounds >= floor * rounded]
        return _top(positions, looked_up(terms, positions), k)

    def _add(
        self, sums: Shares, terms: Sequence[Weighted], k: int, mask: Mask | None
    ) -> tuple[list[Touched], Sequence[Weighted], float]:
        """Add terms until the rest, if all are common, cannot bring in another position.

        Returns what each term that was added touched, the terms that were not, and a score that `k` positions have.
        """
        reach = [*accumulate((term.most * times for term, times in reversed(terms)), initial=0.0)][::-1]
        common = next((at for at in range(len(terms), 0, -1) if not terms[at - 1][0].is_common), 0)
        touched: list[Touched] = []
        floor = 0.0
        for number, (term, times) in enumerate(terms):
            if number >= common and reach[number] < floor * (1 - _ROUNDING * (len(terms) + 8)):
                return touched, terms[number:], floor
            at = term.chunks.astype(np.int64)  # what numpy indexes with: converting first is twice as fast
            shares = term.shares if times == 1 else term.shares * np.float32(times)
            if mask is not None:
                keep = mask[at]
                at, shares = at[keep], shares[keep]
            now = sums[at]
            now += shares
            sums[at] = now
            touched.append((at, now))
            after = reach[number + 1]
            if after == 0 or (number + 1 >= common and 2 * after < reach[0]):  # otherwise no floor ends this
                few = min((each for each, _ in touched if len(each) >= k), key=len, default=at)
                for values in (now, sums[few]):
                    floor = max(floor, _kth(values[values > floor] if floor else values, k))
        return touched, (), floor

    def _clear(self, sums: Shares, touched: Sequence[Touched]) -> None:
        if sum(len(at) for at, _ in touched) * _SCATTERED > self.size:
            sums.fill(0)
        else:
            for at, _ in touched:
                sums[at] = 0
        self._free.append(sums)


def _not_below(least: float, touched: Sequence[Touched]) -> Ints:
    """The positions, ascending, whose sums are not below `least`: the term that touched one last saw its whole sum."""
    found = np.concatenate([at[now >= least] for at, now in touched])
    found.sort()
    first = np.ones(len(found), np.bool_)
    np.not_equal(found[1:], found[:-1], out=first[1:])
    return found[first]


def looked_up(terms: Sequence[Weighted], positions: Ints) -> Floats:
    """The scores of some positions, ascending."""
    narrow = positions.astype(np.int32)
    scores = np.zeros(len(positions))
    for term, times in terms:
        shares = term.at(narrow)
        scores += shares if times == 1 else times * shares.astype(np.float64)
    return scores


def added(terms: Sequence[Weighted], size: int) -> Floats:
    """The score of every position."""
    scores = np.zeros(size)
    for term, times in terms:
        shares = term.shares if term.spread is None else term.spread
        if times != 1:
            shares = times * shares.astype(np.float64)
        if term.spread is None:
            scores[term.chunks] += shares
        else:
            scores += shares
    return scores


def _positive(positions: Ints, scores: Floats) -> tuple[Ints, Floats]:
    found = scores > 0
    return positions[found], scores[found]


def _top(positions: Ints, scores: Floats, k: int) -> tuple[Ints, Floats]:
    if k < len(scores):
        keep = scores >= _kth(scores, k)  # ties with the k-th stay, so that the order below decides
        positions, scores = positions[keep], scores[keep]
    order = np.argsort(-scores, kind="stable")[:k]
    return positions[order], scores[order]


def _kth(values: Shares, k: int) -> float:
    """The k-th largest, 0 where there are fewer."""
    return float(np.partition(values, len(values) - k)[len(values) - k]) if len(values) >= k else 0.0
