"""Both rankings of the embedded store: each with the scores of what only the other side found, and with ids.

This module imports numpy.
"""

from __future__ import annotations

import numpy as np

from rag.index.lexical.query import LexicalQuery
from rag.index.memory import MemoryIndex, Placed, Positions
from rag.index.segment import DenseSearch
from rag.index.store import Ranking


def completed(
    index: MemoryIndex, near: DenseSearch, dense: Placed, query: LexicalQuery, lexical: Placed
) -> tuple[Placed, Placed]:
    """What `Search.complete` asks for: `dense` and `lexical` were found by `near` and `query`."""
    words = lexical
    if not query.phrases:  # what holds them is not known of the others
        words = _joined(lexical, _lexical_scores(index, query, _only(dense, lexical)))
    return _joined(dense, _cosines(index, near, _only(lexical, dense))), words


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


def _cosines(index: MemoryIndex, search: DenseSearch, positions: Positions) -> Placed:
    """The score of the points there."""
    (base, tail), first = index.segments, len(index.base)
    rows, scores = search.compared(tail, positions[positions >= first] - first)
    return Placed.of([search.compared(base, positions[positions < first]), (rows + first, scores)])


def _lexical_scores(index: MemoryIndex, query: LexicalQuery, positions: Positions) -> Placed:
    """The score of the points there by BM25, without those that hold no word of the query."""
    at = np.sort(positions)
    scores = index.lexical.scores_at(query, at)
    return Placed.of([(at[scores > 0], scores[scores > 0])])


def _only(found: Placed, other: Placed) -> Positions:
    there = set(other.positions.tolist())
    return np.array([at for at in found.positions.tolist() if at not in there], np.int64)


def _joined(first: Placed, second: Placed) -> Placed:
    return Placed.of([(each.positions, each.scores) for each in (first, second)])
