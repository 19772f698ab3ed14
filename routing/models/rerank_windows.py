"""Passages that are longer than a reranker reads: cut into windows, of which the best one counts.

Taking the best window's score for the passage is MaxP (Dai & Callan, "Deeper Text Understanding for IR with Contextual
Neural Language Modeling", SIGIR 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from routing.models.windows import Counter, windows

if TYPE_CHECKING:
    from routing.vectors import Vectors

LEAST_WINDOW = 32  # tokens: a query that leaves less room than this is cut by the model instead


@dataclass(frozen=True, slots=True)
class Windowed:
    """`texts` are what is scored, `owners` the passage each is of; `tokens` counts all of them."""

    texts: tuple[str, ...]
    owners: tuple[int, ...]
    tokens: int

    def best(self, values: Vectors, passages: int) -> Vectors:
        """The best value of each passage, float32[passages], from one value per text."""
        import numpy as np

        best = np.full(passages, -np.inf, np.float32)
        np.maximum.at(best, np.asarray(self.owners, np.int64), values)
        return best


def windowed(passages: Sequence[str], room: int | None, counter: Counter) -> Windowed:
    """The passages in windows of at most `room` tokens, whole where `room` is `None`; an empty one is one window."""
    room = None if room is None else max(room, LEAST_WINDOW)
    texts: list[str] = []
    owners: list[int] = []
    total = 0
    for owner, passage in enumerate(passages):
        for start, end, tokens in windows(passage, room, counter):
            texts.append(passage[start:end])
            owners.append(owner)
            total += tokens
    return Windowed(tuple(texts), tuple(owners), total)
