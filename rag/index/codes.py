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
"""The codes of so many rows, what they are compared with and the counts stay in the second cache."""
SCATTERED = 4
"""A scan of one row in so many, each picked out, costs what a scan of them all does."""
HOPEFUL = 24
HOPEFUL_PER_HIT = 12
"""Compared to the end are one row in so many, and so many for each that is wanted."""
SAMPLE = 1 << 12
WORDS_AT_ONCE = 3
"""The counts of so many words add up to less than 256: in bytes, of which a processor adds many at a time."""


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
    words, count = codes.shape
    found = np.empty(count, np.uint16)
    differing = np.empty((words, min(count, ROWS_AT_ONCE)), np.uint64)
    counted = np.empty(differing.shape, np.uint8)
    for start in range(0, count, ROWS_AT_ONCE):
        some = codes[:, start : start + ROWS_AT_ONCE]
        bits, ones = differing[:, : some.shape[1]], counted[:, : some.shape[1]]
        np.bitwise_xor(some, code, out=bits)
        np.bitwise_count(bits, out=ones)
        here = found[start : start + ROWS_AT_ONCE]
        here[:] = np.add.reduce(ones[:WORDS_AT_ONCE], axis=0, dtype=np.uint8)
        for first in range(WORDS_AT_ONCE, words, WORDS_AT_ONCE):
            here += np.add.reduce(ones[first : first + WORDS_AT_ONCE], axis=0, dtype=np.uint8)
    return found


def closest(codes: Codes, code: Codes, count: int, excluded: Distances | None = None) -> Places:
    """The rows of the `count` codes that differ least from `code`, ascending; `excluded` puts rows out of reach.

    Of many, the first half of each is compared, and the second of those only that differ little in the first: what is
    near differs in a third of the bits or less, where others do in half of them.
    """
    words, rows = codes.shape
    half, left = words // 2, max(rows // HOPEFUL, HOPEFUL_PER_HIT * count)
    if half == 0 or left * SCATTERED > rows:
        found = distances(codes, code)
        if excluded is not None:
            found |= excluded
        return nearest(found, count)
    found = distances(codes[:half], code[:half])
    if excluded is not None:
        found |= excluded
    some = found[:: max(1, rows // SAMPLE)]
    limit = np.partition(some, left * len(some) // rows)[left * len(some) // rows]
    hopeful = np.flatnonzero(found <= limit)
    if len(hopeful) < count:  # the sample was not like the rest
        hopeful = nearest(found, left)
    found = found[hopeful] + distances(codes[half:].take(hopeful, axis=1), code[half:])
    return hopeful[nearest(found, count)]


def nearest(found: Distances, count: int) -> Places:
    """The places of the `count` smallest distances, ascending by place, and of as many more that equal the largest."""
    if count >= len(found):
        return np.arange(len(found))
    limit = np.partition(found, count - 1)[count - 1]
    places = np.flatnonzero(found <= limit)
    if len(places) > 2 * count:  # the same vector many times
        below = found[places] < limit
        ties = np.flatnonzero(~below)[: count - int(below.sum())]
        below[ties] = True
        places = places[below]
    return places
