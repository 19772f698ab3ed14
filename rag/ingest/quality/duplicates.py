"""Finds texts that are the same or nearly so, among as many as there are, without comparing all with all.

Equal ones by the hash of their normalised text. Nearly equal ones by MinHash signatures (Broder 1997; here rensa's
R-MinHash, after Dahlgaard, Knudsen and Thorup 2017) cut into bands (Leskovec, Rajaraman and Ullman, "Mining of Massive
Datasets", chapter 3): texts that share a band are candidates, and every candidate is verified by the exact Jaccard
similarity of the shingles, which lie in a temporary file meanwhile. Equal texts give equal groups on every machine.

This module imports numpy; import it lazily.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from plumbline.extras import require
from rag.ingest.quality.fingerprint import text_fingerprint
from rag.ingest.quality.shingles import Hashes, jaccard, shingles

DEFAULT_SIMILARITY = 0.8
SIGNATURE = 128
BANDS = 32  # of 4 values each: a pair of similarity .8 is a candidate with probability 1 - 5e-8, one of .5 with .87
MARGIN = 0.15  # candidates estimated to be less alike than the threshold by this are dropped: 4 standard deviations
SEED = 20_260
MOST_IN_A_BAND = 20  # texts of a band that all others in it are compared with, so that a crowd costs no square

Pairs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Alike:
    """Texts that belong together, in the order in which they were added.

    `similarities[i]` is the exact Jaccard similarity of members[i] and the other member that it was found most like.
    """

    members: tuple[int, ...]
    similarities: tuple[float, ...]

    @property
    def least(self) -> float:
        """The similarity of the loosest member."""
        return min(self.similarities)


class Duplicates:
    """Collects texts one at a time and groups them; keeps 540 bytes of memory for each that is not equal to another.

    Raises `MissingExtraError` without the extra `quality`. Close it, or use it in a `with`: it holds a temporary file.
    """

    def __init__(self, similarity: float = DEFAULT_SIMILARITY) -> None:
        self.similarity = similarity
        self._minhash: Any = require("rensa", "quality").RMinHash
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed with this object)
        self._spans: list[tuple[int, int]] = []
        self._signatures: list[npt.NDArray[np.uint32]] = []
        self._firsts: list[int] = []
        self._same: dict[str, list[int]] = {}
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back the temporary file."""
        self._file.close()

    def add(self, text: str) -> int:
        """Take in the next text; its number, counted from 0."""
        number = self._count
        self._count += 1
        same = self._same.setdefault(text_fingerprint(text), [])
        same.append(number)
        if len(same) == 1:
            hashes = shingles(text)
            rows = self._minhash.digest_matrix_from_flat_token_hashes(
                hashes, [0, len(hashes)], SIGNATURE, SEED
            ).to_rows()
            self._signatures.append(np.array(rows[0], np.uint32))
            self._firsts.append(number)
            self._spans.append((self._file.seek(0, 2), len(hashes)))
            self._file.write(hashes.tobytes())
        return number

    def equal(self) -> list[Alike]:
        """The groups of texts that are equal but for case and white space, by first member."""
        return [Alike(tuple(same), (1.0,) * len(same)) for same in self._same.values() if len(same) > 1]

    def near(self) -> list[Alike]:
        """The groups of different texts with a similarity of at least `similarity`, by first member.

        A member is at least so similar to another of its group, not to all. Of equal texts only the first takes part.
        """
        parent = list(range(len(self._firsts)))
        best = [0.0] * len(parent)
        for one, other, similarity in self.pairs():
            roots = _root(parent, one), _root(parent, other)
            parent[max(roots)] = min(roots)
            best[one], best[other] = max(best[one], similarity), max(best[other], similarity)
        groups: dict[int, list[int]] = {}
        for index in range(len(parent)):
            groups.setdefault(_root(parent, index), []).append(index)
        return [
            Alike(tuple(self._firsts[i] for i in group), tuple(best[i] for i in group))
            for group in groups.values()
            if len(group) > 1
        ]

    def pairs(self) -> Iterator[tuple[int, int, float]]:
        """Verified pairs as indices into the different texts, the lower first, with their exact similarity."""
        pairs = self._candidates()
        held: tuple[int, Hashes] = (-1, np.zeros(0, np.uint64))
        for one, other in pairs.tolist():
            if held[0] != one:
                held = one, self._read(one)
            similarity = jaccard(held[1], self._read(other))
            if similarity >= self.similarity:
                yield one, other, similarity

    def _read(self, index: int) -> Hashes:
        at, count = self._spans[index]
        self._file.seek(at)
        return np.frombuffer(self._file.read(count * 8), np.uint64)

    def _candidates(self) -> Pairs:
        """int64[n, 2]: pairs that share a band and are estimated to be about as alike as asked, sorted."""
        if len(self._signatures) < 2:
            return np.zeros((0, 2), np.int64)
        signatures = np.stack(self._signatures)
        width, total = SIGNATURE // BANDS, len(signatures)
        keys = np.zeros(0, np.int64)
        for band in range(BANDS):
            part = np.ascontiguousarray(signatures[:, band * width : (band + 1) * width])
            found = _in_the_same_band(part)
            keys = np.union1d(keys, found[:, 0] * total + found[:, 1])
        pairs = np.stack([keys // total, keys % total], axis=1)
        estimates = np.concatenate(
            [np.zeros(0), *(_estimates(signatures, pairs[at : at + 4096]) for at in range(0, len(pairs), 4096))]
        )
        return pairs[estimates >= self.similarity - MARGIN]


def _estimates(signatures: npt.NDArray[np.uint32], pairs: Pairs) -> npt.NDArray[np.float64]:
    equal = signatures[pairs[:, 0]] == signatures[pairs[:, 1]]
    return np.asarray(equal.mean(axis=1), np.float64)


def _in_the_same_band(part: npt.NDArray[np.uint32]) -> Pairs:
    """Pairs of rows that are equal, the lower first; of a crowd, all with the first `MOST_IN_A_BAND`."""
    order = np.lexsort(part.T[::-1])  # stable: equal rows stay in their order
    ordered = part[order]
    starts = np.flatnonzero(np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)]))
    found: list[tuple[int, int]] = []
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        if end - start > 1:
            found.extend(_combined(order[start:end].tolist()))
    return np.array(found, np.int64).reshape(-1, 2)


def _combined(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    first, rest = rows[:MOST_IN_A_BAND], rows[MOST_IN_A_BAND:]
    yield from combinations(first, 2)
    for row in rest:
        yield from ((one, row) for one in first)


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index
