"""Both rankings of the embedded store: each with the scores of what only the other side found, and with ids.

This module imports numpy.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rag.index.lexical.query import LexicalQuery
from rag.index.memory import MemoryIndex, Placed, Positions
from rag.index.segment import DenseSearch
from rag.index.store import Ranking

Scores = npt.NDArray[np.floating]


def completed(
    index: MemoryIndex, near: DenseSearch, dense: Placed, query: LexicalQuery, lexical: Placed
) -> tuple[Placed, Placed]:
    """What `Search.complete` asks for: `dense` and `lexical` were found by `near` and `query`."""
    near_only, said_only = _only(dense, lexical), _only(lexical, dense)
    if not query.phrases:  # what holds them is not known of the others
        near_only.sort()
        scores = index.lexical.scores_at(query, near_only)
        held = scores > 0
        lexical = Placed.of([(lexical.positions, lexical.scores), (near_only[held], scores[held])])
    return Placed.of([(dense.positions, dense.scores), *_cosines(index, near, said_only)]), lexical


def named(index: MemoryIndex, found: Placed) -> Ranking:
    """The same with ids for positions."""
    first, positions = len(index.base), found.positions
    if not len(index.tail) or not len(positions) or positions.max() < first:
        ids = index.base.ids.at(positions)
    else:
        late = positions >= first
        before, behind = index.base.ids.at(positions[~late]), index.tail.segment().ids.at(positions[late] - first)
        sources = iter(before), iter(behind)
        ids = [next(sources[each]) for each in late.tolist()]
    return list(zip(ids, found.scores.tolist(), strict=True))


def _cosines(index: MemoryIndex, search: DenseSearch, positions: Positions) -> list[tuple[Positions, Scores]]:
    """The score of the points there, those of base and tail apart."""
    (base, tail), first = index.segments, len(index.base)
    if not len(tail):
        return [search.compared(base, positions)]
    rows, scores = search.compared(tail, positions[positions >= first] - first)
    return [search.compared(base, positions[positions < first]), (rows + first, scores)]


def _only(found: Placed, other: Placed) -> Positions:
    there = set(other.positions.tolist())
    return np.array([at for at in found.positions.tolist() if at not in there], np.int64)
