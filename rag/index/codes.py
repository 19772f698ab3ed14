"""One bit per dimension: which side of the centre a vector lies on. This module imports numpy; import it lazily.

Vectors that point the same way agree in most bits, so that a scan of the codes, an eighth of a byte per dimension,
finds the few hundred among which the nearest are; those are then compared as they are. The idea is old (binary
quantisation with rescoring); of what RaBitQ adds (Gao & Long, SIGMOD 2024) centring paid here and a random rotation
did not. Codes lie word by word, uint64[words, n], so that numpy's loops run over the rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float32]
Distances = npt.NDArray[np.uint16]
Places = npt.NDArray[np.intp]

BITS = 64
ROWS_AT_ONCE = 1 << 14
"""A word of so many rows, what it is compared with and the counts stay in the second cache."""


def words_of(dim: int) -> int:
    """How many words the code of a vector takes."""
    return -(-dim // BITS)


def encode(vectors: Floats, centre: Floats) -> Codes:
    """The codes of vectors float32[n, dim], word-major: uint64[words, n]."""
    above = vectors > centre
    packed = np.packbits(above, axis=1)
    missing = words_of(vectors.shape[1]) * (BITS // 8) - packed.shape[1]
    if missing:
        packed = np.pad(packed, ((0, 0), (0, missing)))
    return np.ascontiguousarray(packed.view(np.uint64).T)


def distances(codes: Codes, code: Codes) -> Distances:
    """In how many bits each row's code differs from `code`, uint64[words, 1]."""
    count = codes.shape[1]
    found = np.empty(count, np.uint16)
    differing = np.empty(min(count, ROWS_AT_ONCE), np.uint64)
    counted = np.empty(len(differing), np.uint8)
    for start in range(0, count, ROWS_AT_ONCE):
        total = found[start : start + ROWS_AT_ONCE]
        bits, ones = differing[: len(total)], counted[: len(total)]
        total[:] = 0
        for row, word in zip(codes, code, strict=True):
            np.bitwise_xor(row[start : start + len(total)], word, out=bits)
            np.bitwise_count(bits, out=ones)
            np.add(total, ones, out=total)
    return found


def nearest(found: Distances, count: int) -> Places:
    """The places of the `count` smallest distances, ascending by place; of equal ones at the limit the first."""
    if count >= len(found):
        return np.arange(len(found))
    limit = np.partition(found, count - 1)[count - 1]
    places = np.flatnonzero(found <= limit)
    if len(places) > count:
        below = found[places] < limit
        ties = np.flatnonzero(~below)[: count - int(below.sum())]
        below[ties] = True
        places = places[below]
    return places
