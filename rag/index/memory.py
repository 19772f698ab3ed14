"""The derived index of the embedded store: a base that processes share, and what was written and removed since.

Imported only when a store is opened; numpy is its whole point. Nothing in it is the only copy of anything: it is made
from the points in the database, and made again where it does not fit them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.index.codes import encode
from rag.index.filters import Filter
from rag.index.lexical.make import Lexical
from rag.index.lexical.phrases import Fields
from rag.index.lexical.query import LexicalQuery
from rag.index.segment import DenseSearch, Flags, Matching, Segment, empty_segment
from rag.index.tail import Row, Tail
from rag.index.texts import Texts
from rag.index.vectors import joined

BYTES_OF_FILTERS = 1 << 26
FILTERS_REMEMBERED = 64

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Positions and the score of each, best first, equal ones by position."""

    positions: Positions
    scores: npt.NDArray[np.floating]

    @classmethod
    def of(cls, parts: Sequence[tuple[Positions, npt.NDArray[np.floating]]]) -> Placed:
        """All of these together."""
        positions, scores = (np.concatenate(each) for each in zip(*parts, strict=True))
        order = np.lexsort((positions, -scores))
        return cls(positions[order], scores[order])


NONE = Placed(np.empty(0, np.int64), np.empty(0, np.float32))


class MemoryIndex:
    """Points in the order of their `seq`; position i is row i of the base, then of the tail, and of `lexical`.

    A row that was removed stays, no longer alive. For many searches at a time or one change.
    """

    def __init__(self, base: Segment, lexical: Lexical, alive: Flags, last_removal: int = 0) -> None:
        self.base = base
        self.tail = Tail(base.centre)
        self.lexical = lexical
        self.alive = alive
        self.last_removal = last_removal
        self.version = 0
        # By the filter's repr: as keys, Eq("x", True) and Eq("x", 1) would be equal, and as filters they are not.
        self._found: tuple[dict[str, Matching], dict[str, Matching]] = ({}, {})
        self._masks: dict[str, Flags | None] = {}
        self._keys: dict[int, tuple[Filter, str]] = {}

    @classmethod
    def empty(cls, dim: int, lexical: Lexical) -> MemoryIndex:
        """An index without points; so is `lexical`."""
        return cls(empty_segment(dim), lexical, np.empty(0, np.bool_))

    def __len__(self) -> int:
        return len(self.alive)

    @property
    def segments(self) -> tuple[Segment, Segment]:
        """Base and tail."""
        return self.base, self.tail.segment()

    @property
    def last_seq(self) -> int:
        """The highest `seq` that is here, 0 when there is none."""
        return max((int(part.seqs[-1]) for part in self.segments if len(part)), default=0)

    @property
    def count(self) -> int:
        """How many rows are alive."""
        return int(np.count_nonzero(self.alive))

    @property
    def totals(self) -> tuple[int, int]:
        """How many rows are alive, and the sum of their `seq`."""
        seqs = np.concatenate([part.seqs for part in self.segments])
        return self.count, int(seqs[self.alive].sum())

    @property
    def newest(self) -> tuple[int, str] | None:
        """The `seq` and the id of the newest row that is alive."""
        if not self.alive.any():
            return None
        at = len(self) - 1 - int(self.alive[::-1].argmax())
        part, row = (self.base, at) if at < len(self.base) else (self.tail.segment(), at - len(self.base))
        return int(part.seqs[row]), part.ids[row]

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows whose `seq` is above `last_seq`, ascending."""
        if not rows:
            return
        self.tail.append(rows)
        self.lexical.append([row.terms for row in rows], [row.language for row in rows])
        self.alive = np.concatenate([self.alive, np.ones(len(rows), np.bool_)])
        self.version += 1
        self._found[1].clear()
        self._masks.clear()

    def remove(self, seqs: Sequence[int], last_removal: int) -> None:
        """Mark rows as gone; numbers that are not here are ignored."""
        self.version += 1
        self.last_removal = last_removal
        gone = self.positions(seqs)
        gone = gone[self.alive[gone]]
        if len(gone):
            self.alive[gone] = False
            self.lexical.remove(gone.tolist())
            self._forget()

    def positions(self, seqs: Sequence[int]) -> Positions:
        """The positions of those that are here, alive or not, in their order."""
        wanted = np.asarray(seqs, np.int64)
        base, tail = (part.rows_of(wanted) for part in self.segments)
        places = np.where(tail >= 0, tail + len(self.base), base)
        return places[places >= 0]

    def seqs_at(self, positions: Sequence[int]) -> list[int]:
        """The `seq` of each position."""
        at = np.asarray(positions, np.int64)
        (base, tail), first = self.segments, len(self.base)
        seqs = np.empty(len(at), np.int64)
        early = at < first
        seqs[early], seqs[~early] = base.seqs[at[early]], tail.seqs[at[~early] - first]
        return seqs.tolist()

    def dense(self, search: DenseSearch, condition: Filter | None) -> Placed:
        """The nearest by cosine."""
        base, tail = self.segments
        positions, scores = search.nearest(base, self._matching(0, base, condition))
        if not len(tail):
            return Placed(positions, scores)
        rows, late = search.nearest(tail, self._matching(1, tail, condition))
        both = Placed.of([(positions, scores), (rows + len(base), late)])
        return Placed(both.positions[: search.k], both.scores[: search.k])

    def lexical_search(self, query: LexicalQuery, k: int, condition: Filter | None, fields: Fields) -> Placed:
        """The `k` best by BM25 among those that match the query; `fields` reads what phrases are looked for in."""
        return Placed(*self.lexical.search(query, k, self._mask(condition), fields))

    def mask(self, condition: Filter | None) -> Flags:
        """Which positions are alive and match."""
        mask = self._mask(condition)
        return self.alive if mask is None else mask

    def _mask(self, condition: Filter | None) -> Flags | None:
        """The same; `None`: all that are alive."""
        if condition is None:
            return None
        key = self._key(condition)
        if key not in self._masks:
            found = [self._matching(number, part, condition) for number, part in enumerate(self.segments)]
            mask = np.concatenate([each.flags for each in found])
            _remember(self._masks, key, None if np.count_nonzero(mask) == self.count else mask, len(self))
        return self._masks[key]

    def merge(self, full_bytes: int) -> None:
        """Make the tail a part of the base; positions stay as they are."""
        base, tail = self.segments
        if not len(tail):
            return
        self.version += 1
        centre, codes = base.centre, np.concatenate([base.codes, tail.codes], axis=1)
        vectors = joined(base.vectors, tail.vectors, full_bytes)
        if len(base) < len(tail) and vectors.full is not None:  # most rows had no say in where the centre is
            centre = vectors.full.mean(axis=0)
            codes = encode(vectors.full, centre)
        self.base = Segment(
            np.concatenate([base.seqs, tail.seqs]),
            Texts.joined([base.ids, tail.ids]),
            base.columns.extended(tail.columns),
            vectors,
            codes,
            centre,
        )
        self.tail = Tail(self.base.centre)
        self._forget()

    def _matching(self, number: int, part: Segment, condition: Filter | None) -> Matching:
        """Which rows of a segment may be found."""
        key = "" if condition is None else self._key(condition)
        known = self._found[number].get(key)
        if known is None:
            alive = self.alive[: len(self.base)] if number == 0 else self.alive[len(self.base) :]
            known = Matching(alive if condition is None else alive & part.columns.matching(condition))
            _remember(self._found[number], key, known, len(self))
        return known

    def _key(self, condition: Filter) -> str:
        """A filter's repr, which takes longer to make than a small index to search."""
        known = self._keys.get(id(condition))
        if known is None or known[0] is not condition:
            known = condition, repr(condition)
            _remember(self._keys, id(condition), known, len(self))
        return known[1]

    def _forget(self) -> None:
        for known in (*self._found, self._masks):
            known.clear()


def _remember(known: dict[Any, Any], key: object, value: object, size: int) -> None:
    """Keep what was found out about a filter; `size` is how many rows there are."""
    if len(known) >= min(FILTERS_REMEMBERED, max(4, BYTES_OF_FILTERS // max(1, 4 * size))):
        known.clear()
    known[key] = value
