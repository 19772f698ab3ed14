"""Makes the postings of chunks. This module imports numpy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, count

import numpy as np
import numpy.typing as npt

from rag.index.lexical.fields import UNIT
from rag.index.lexical.merge import merge
from rag.index.lexical.part import MOST, Part
from rag.index.lexical.vocabulary import Vocabulary

_CHUNKS_AT_ONCE = 2**19  # a chunk, a term and a frequency must fit into 63 bits, to be sorted as one number
_CHUNK_BITS, _FREQUENCY_BITS = 19, 16


def build(chunks: Sequence[Mapping[str, float]], first: int) -> tuple[Part, npt.NDArray[np.int32]]:
    """The part of chunks given as terms with their frequencies, the first at position `first`, and their lengths in
    sixteenths of a word.
    """
    if len(chunks) > _CHUNKS_AT_ONCE:
        some = [chunks[at : at + _CHUNKS_AT_ONCE] for at in range(0, len(chunks), _CHUNKS_AT_ONCE)]
        built = [build(each, first + number * _CHUNKS_AT_ONCE) for number, each in enumerate(some)]
        return merge([part for part, _ in built]), np.concatenate([lengths for _, lengths in built])
    sizes = np.fromiter(map(len, chunks), np.int64, len(chunks))
    total = int(sizes.sum())
    met: defaultdict[str, int] = defaultdict(count().__next__)
    ids = np.fromiter(map(met.__getitem__, chain.from_iterable(chunks)), np.int64, total)
    values = np.fromiter(chain.from_iterable(chunk.values() for chunk in chunks), np.float64, total)
    owners = np.repeat(np.arange(len(chunks)), sizes)
    sixteenths = np.rint(values * UNIT)
    lengths = np.bincount(owners, sixteenths, len(chunks)).astype(np.int32)
    terms = sorted(met)
    rank = np.empty(len(terms), np.int64)
    rank[np.fromiter(map(met.__getitem__, terms), np.int64, len(terms))] = np.arange(len(terms))
    keys = rank[ids] << (_CHUNK_BITS + _FREQUENCY_BITS) | owners << _FREQUENCY_BITS
    keys |= np.clip(sixteenths, 1, MOST).astype(np.int64)
    keys.sort()
    indptr = np.searchsorted(keys, np.arange(len(terms) + 1) << (_CHUNK_BITS + _FREQUENCY_BITS))
    positions = (keys >> _FREQUENCY_BITS & (1 << _CHUNK_BITS) - 1) + first
    frequencies = (keys & MOST).astype(np.uint16)
    return Part(Vocabulary.of(terms), indptr.astype(np.int64), positions.astype(np.int32), frequencies), lengths
