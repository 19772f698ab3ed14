"""The contract of stores: what is searched. The conformance suite is `rag.testing.store`.

A store is derived: it can be rebuilt from the catalogue, which is the truth about documents and chunks. Fusion of the
dense and the lexical ranking is ours (`rag.retrieve.fuse`), so a store returns both, each best first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rag.index.filters import Filter

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vector = npt.NDArray[np.float32]

Ranking = list[tuple[str, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One chunk as a store sees it: `vector` float32[dim], of unit length; `text` is what the lexical side reads."""

    id: str
    vector: Vector
    text: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """A search for the `k` best on each side that is asked for: dense with `vector`, lexical with `text`, or both."""

    k: int
    vector: Vector | None = None
    text: str | None = None
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Both rankings, best first, as (point id, score): cosine for dense, the store's own scorer for lexical."""

    dense: Ranking
    lexical: Ranking


class Store(Protocol):
    """Keeps points and finds them. `lexical_scorer` names how the lexical side scores.

    Writes are atomic per call and idempotent: repeating a call that failed leaves what one success would have left.
    Raises `InputError` for a `k` below 1 and for a vector of the wrong size or with values that are not finite,
    `StateError` when storage fails.
    """

    @property
    def name(self) -> str:
        """Which store this is."""
        ...

    @property
    def lexical_scorer(self) -> str:
        """How its lexical side scores."""
        ...

    async def upsert(self, points: Sequence[Point]) -> None:
        """Add points, or replace those with the same id."""
        ...

    async def delete(self, ids: Sequence[str]) -> None:
        """Remove points; unknown ids are ignored."""
        ...

    async def search(self, search: Search) -> Found:
        """Find points; `k` larger than the store is allowed. Only points that match the filter are ranked at all."""
        ...

    async def get(self, ids: Sequence[str]) -> list[Point]:
        """The points with these ids that exist, in the order of `ids`."""
        ...

    async def ids(self) -> list[str]:
        """Every id in the store, sorted."""
        ...

    def terms(self, text: str) -> list[str]:
        """What the lexical side reads of a text, in order: the terms that `postings` counts."""
        ...

    async def postings(self, ids: Sequence[str]) -> list[dict[str, int]]:
        """For each of these points that exists, in the order of `ids`: its terms on the lexical side, with counts."""
        ...

    async def clear(self) -> None:
        """Remove every point and whatever else it keeps."""
        ...

    async def count(self, condition: Filter | None = None) -> int:
        """How many points there are, or match."""
        ...

    async def compact(self) -> None:
        """Put the index in order after many writes; searches return the same before and after."""
        ...

    async def snapshot(self, target: Path) -> None:
        """Write a consistent copy to `target`, which must not exist."""
        ...

    async def close(self) -> None:
        """Give back what is open; the store is not used afterwards."""
        ...
