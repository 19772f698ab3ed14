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
    """One chunk as a store sees it: `vector` float32[dim], of unit length.

    The lexical side reads three fields, each with a weight of the store's: `text`, the `heading` above it (or whatever
    else was put before it for indexing) and the `title` of its document.
    """

    id: str
    vector: Vector
    text: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    heading: str = ""
    title: str = ""

    @property
    def indexed_text(self) -> str:
        """What was embedded: heading and text, as `rag.types.Chunk.indexed_text`."""
        return f"{self.heading}\n{self.text}" if self.heading else self.text

    @property
    def language(self) -> str | None:
        """The language of the text, ISO 639-1, where it is known: the payload's "language"."""
        found = self.payload.get("language")
        return found if isinstance(found, str) else None


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """A search for the `k` best on each side that is asked for: dense with `vector`, lexical with `text`, or both.

    A lexical hit holds each of `phrases` (its terms one after the other, in one field), which count as words of the
    query too; of `prefixes`, all words of the index that begin so count as one word of the query. `exact` has the dense
    side compare with every point that matches, where it would otherwise approximate.

    `complete` has each side score what only the other found, too: behind the `k` best stand those of the other side,
    the lexical side without those that hold no word of the query. A search with `phrases` leaves the lexical side as it
    is. Fusion then knows how low a score is that it would have to guess.
    """

    k: int
    vector: Vector | None = None
    text: str | None = None
    filter: Filter | None = None
    phrases: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    exact: bool = False
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """Both rankings, best first, as (point id, score): cosine for dense, the store's own scorer for lexical."""

    dense: Ranking
    lexical: Ranking

    @property
    def ids(self) -> list[str]:
        """Every point once, those of the dense side first."""
        return list(dict.fromkeys(point_id for side in (self.dense, self.lexical) for point_id, _ in side))


class Store(Protocol):
    """Keeps points and finds them.

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

    def terms(self, text: str, language: str | None = None) -> list[str]:
        """What the lexical side reads of a text, in order; `language` is ISO 639-1, `None`: the store's own default."""
        ...

    def lexical_terms(self, point: Point) -> dict[str, float]:
        """What the lexical side holds of a point: its terms, each with its frequency weighted over the fields."""
        ...

    async def postings(self, ids: Sequence[str]) -> list[dict[str, float]]:
        """For each of these points that exists, in the order of `ids`: what `lexical_terms` gives, as it is stored."""
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
