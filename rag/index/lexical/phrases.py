"""Keeps of a ranking what holds phrases, looking only at as many texts as are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rag.index.lexical.query import Phrase

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Fields = Callable[[Sequence[int]], Sequence[Sequence[Sequence[str]]]]
"""Reads chunks: for each position its fields, and of each field the terms in order."""

_FIRST_LOOK = 32


def holding(
    phrases: Sequence[Phrase],
    k: int,
    fields: Fields,
    positions: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The first `k` of a ranking in which each phrase stands in one field; texts are read as needed, best first."""
    kept: list[int] = []
    start, some = 0, max(k, _FIRST_LOOK)
    while len(kept) < k and start < len(positions):
        looked_at = positions[start : start + some].tolist()
        held = (all(phrase.within(each) for phrase in phrases) for each in fields(looked_at))
        kept.extend(at for at, fits in enumerate(held, start) if fits)
        start, some = start + some, some * 2
    return positions[kept[:k]], scores[kept[:k]]
