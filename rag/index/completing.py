"""Both rankings of the embedded store, each with the scores of what only the other side found. Imports numpy."""

from __future__ import annotations

import numpy as np

from rag.index.lexical.query import LexicalQuery
from rag.index.memory import MemoryIndex, Placed, Positions
from rag.index.segment import DenseSearch


def completed(
    index: MemoryIndex, near: DenseSearch, dense: Placed, query: LexicalQuery, lexical: Placed
) -> tuple[Placed, Placed]:
    """What `Search.complete` asks for: `dense` and `lexical` were found by `near` and `query`."""
    words = lexical
    if not query.phrases:  # what holds them is not known of the others
        words = _joined(lexical, index.lexical_scores(query, _only(dense, lexical)))
    return _joined(dense, index.cosines(near, _only(lexical, dense))), words


def _only(found: Placed, other: Placed) -> Positions:
    there = set(other.positions.tolist())
    return np.array([at for at in found.positions.tolist() if at not in there], np.int64)


def _joined(first: Placed, second: Placed) -> Placed:
    return Placed.of([(each.positions, each.scores) for each in (first, second)])
