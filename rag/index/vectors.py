"""Vectors to compare a query with: rounded to a byte a dimension, and as they are. This module imports numpy.

What is rounded gives scores that are a little off, by no more than is known, so that few are compared again; where they
are not held as they are, those few are read from the database.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

ROWS_AT_ONCE = 1 << 9
"""So many rows as float32 stay in the second cache."""
FLOAT_ERROR = 1e-5
"""More than float32 sums of products of unit vectors differ by, in whichever order they are added up."""


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Vectors in a quarter of their room: `rounded` int8[n, dim], each row times its own of `scales`, float32[n].

    `worst` is the largest length of what rounding took away from a vector. `full`, float32[n, dim], are the vectors as
    they are, where there are few enough to hold them too.
    """

    rounded: npt.NDArray[np.int8]
    scales: Floats
    worst: float
    full: Floats | None = None

    def __len__(self) -> int:
        return len(self.rounded)

    @property
    def dim(self) -> int:
        """How many dimensions each has."""
        return int(self.rounded.shape[1])

    def scores(self, query: Floats, places: Places | None = None) -> Floats:
        """The products with `query` of these, or of all; at most `worst` off where the query has unit length."""
        found = np.empty(len(self) if places is None else len(places), np.float32)
        numbers = np.empty((min(len(found), ROWS_AT_ONCE), self.dim), np.float32)
        for start in range(0, len(found), ROWS_AT_ONCE):
            here = slice(start, start + ROWS_AT_ONCE)
            rows = self.rounded[here] if places is None else self.rounded.take(places[here], axis=0)
            some = numbers[: len(rows)]
            np.copyto(some, rows)
            np.dot(some, query, out=found[here])
        found *= self.scales if places is None else self.scales[places]
        return found

    def full_scores(self, query: Floats, places: Places | None = None) -> Floats | None:
        """The same, at most `FLOAT_ERROR` off; `None` where they are held only rounded."""
        if self.full is None or places is None:
            return None if self.full is None else self.full @ query
        parts = [places[at : at + ROWS_AT_ONCE] for at in range(0, len(places), ROWS_AT_ONCE)]
        return np.concatenate([self.full[some] @ query for some in parts])


def vectors_of(values: Floats, most_bytes: int) -> Vectors:
    """Vectors float32[n, dim], which are held as they are too unless they take more than `most_bytes`."""
    scales = np.maximum(np.abs(values).max(axis=1, initial=0), np.float32(1e-30)) / np.float32(127)
    numbers = np.rint(values / scales[:, None]).astype(np.int8)
    lost = values - numbers * scales[:, None]
    worst = float(np.sqrt(np.einsum("ij,ij->i", lost, lost).max(initial=0)))
    return Vectors(numbers, scales, worst, values if values.nbytes <= most_bytes else None)


def joined(first: Vectors, second: Vectors, most_bytes: int) -> Vectors:
    """Both, one behind the other."""
    full = None
    if first.full is not None and second.full is not None and first.full.nbytes + second.full.nbytes <= most_bytes:
        full = np.concatenate([first.full, second.full])
    rounded = np.concatenate([first.rounded, second.rounded])
    return Vectors(rounded, np.concatenate([first.scales, second.scales]), max(first.worst, second.worst), full)


def products(vectors: Floats, query: Floats) -> Floats:
    """The products, added up in double precision: each the same whatever else is asked for beside it."""
    found: Floats = np.vecdot(vectors.astype(np.float64), query.astype(np.float64)).astype(np.float32)
    return found
