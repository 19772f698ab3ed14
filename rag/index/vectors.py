"""Vectors to compare a query with: as they are, or rounded to a byte a dimension. This module imports numpy.

Both give scores that are at most `error` off, so that who needs more compares few of them again: the exact values of
full vectors are here, those of rounded ones stay in the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

ROWS_AT_ONCE = 1 << 13
FLOAT_ERROR = 1e-5
"""More than float32 sums of products of unit vectors differ by, in whichever order they are added up."""


class Vectors(Protocol):
    """n vectors of `dim` dimensions."""

    @property
    def error(self) -> float:
        """By how much a score may be off, for a query of unit length."""
        ...

    @property
    def dim(self) -> int:
        """How many dimensions each has."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...

    def scores(self, query: Floats, places: Places | None = None) -> Floats:
        """The products with `query` of these, or of all."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FullVectors:
    """Vectors as they are: float32[n, dim]."""

    values: Floats

    @property
    def error(self) -> float:
        """That of adding up in float32."""
        return FLOAT_ERROR

    @property
    def dim(self) -> int:
        """How many dimensions each has."""
        return int(self.values.shape[1])

    def __len__(self) -> int:
        return len(self.values)

    def scores(self, query: Floats, places: Places | None = None) -> Floats:
        """The products with `query` of these, or of all."""
        if places is None:
            return self.values @ query
        if len(places) <= ROWS_AT_ONCE:
            return self.values[places] @ query
        return np.concatenate([self.values[some] @ query for some in _portions(places)])


@dataclass(frozen=True, slots=True, eq=False)
class RoundedVectors:
    """Vectors in a quarter of the room: `values` int8[n, dim], each row times its own of `scales`, float32[n].

    `worst` is the largest length of what rounding took away from a vector.
    """

    values: npt.NDArray[np.int8]
    scales: Floats
    worst: float

    @property
    def error(self) -> float:
        """By Cauchy and Schwarz."""
        return self.worst + FLOAT_ERROR

    @property
    def dim(self) -> int:
        """How many dimensions each has."""
        return int(self.values.shape[1])

    def __len__(self) -> int:
        return len(self.values)

    def scores(self, query: Floats, places: Places | None = None) -> Floats:
        """The products with `query` of these, or of all."""
        found = np.empty(len(self) if places is None else len(places), np.float32)
        for start in range(0, len(found), ROWS_AT_ONCE):
            here: Places | slice = slice(start, start + ROWS_AT_ONCE)
            rows = here if places is None else places[here]
            np.multiply(self.values[rows].astype(np.float32) @ query, self.scales[rows], out=found[here])
        return found


def rounded(vectors: Floats) -> RoundedVectors:
    """Vectors float32[n, dim], rounded."""
    scales = np.maximum(np.abs(vectors).max(axis=1, initial=0), np.float32(1e-30)) / np.float32(127)
    values = np.rint(vectors / scales[:, None]).astype(np.int8)
    lost = vectors - values * scales[:, None]
    worst = float(np.sqrt(np.einsum("ij,ij->i", lost, lost).max(initial=0)))
    return RoundedVectors(values, scales, worst)


def joined(first: Vectors, second: Vectors, most_bytes: int) -> Vectors:
    """Both, one behind the other; rounded when they would take more than `most_bytes` as they are."""
    if isinstance(first, FullVectors) and isinstance(second, FullVectors):
        both = first.values.nbytes + second.values.nbytes
        if both <= most_bytes:
            return FullVectors(np.concatenate([first.values, second.values]))
    parts = [part for each in (first, second) for part in _rounded_parts(each)]
    values = np.concatenate([part.values for part in parts])
    return RoundedVectors(values, np.concatenate([part.scales for part in parts]), max(part.worst for part in parts))


def products(vectors: Floats, query: Floats) -> list[float]:
    """The products, each the same whatever else is asked for beside it."""
    return [float(np.float32(value)) for value in np.multiply(vectors, query).sum(axis=1, dtype=np.float64)]


def _rounded_parts(vectors: Vectors) -> Iterator[RoundedVectors]:
    """Vectors, rounded some at a time: what is rounded takes four times its room meanwhile."""
    if isinstance(vectors, RoundedVectors):
        yield vectors
    elif isinstance(vectors, FullVectors):
        for at in range(0, len(vectors), ROWS_AT_ONCE):
            yield rounded(vectors.values[at : at + ROWS_AT_ONCE])


def _portions(places: Places) -> list[Places]:
    return [places[at : at + ROWS_AT_ONCE] for at in range(0, len(places), ROWS_AT_ONCE)]
