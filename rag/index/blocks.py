"""Arrays that are made some at a time, because the whole does not fit beside what it is made of. This module imports
numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """An array of this shape in C order, whose content `make` gives in pieces, the same whenever it is called."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    make: Callable[[], Iterable[Array]]

    def whole(self) -> Array:
        """The array in memory."""
        found = np.empty(int(np.prod(self.shape, dtype=np.int64)), self.dtype)
        at = 0
        for piece in self.make():
            found[at : at + piece.size] = piece.ravel()
            at += piece.size
        return found.reshape(self.shape)


def pieces(array: Array | Blocks) -> Iterable[Array]:
    """An array as pieces of it, in C order."""
    return array.make() if isinstance(array, Blocks) else (array,)


def behind(parts: Sequence[Array]) -> Array | Blocks:
    """Arrays of rows one behind the other."""
    if len(parts) == 1:
        return parts[0]
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    return Blocks(parts[0].dtype, shape, lambda: parts)


def beside(parts: Sequence[Array]) -> Array | Blocks:
    """Arrays of as many rows, each row continued by the next array's."""
    if len(parts) == 1:
        return parts[0]

    def make() -> Iterator[Array]:
        return (part[row] for row in range(len(parts[0])) for part in parts)

    return Blocks(parts[0].dtype, (len(parts[0]), sum(part.shape[1] for part in parts)), make)
