"""BM25 for postings: what each adds to a score. This module imports numpy.

Scores are the Robertson and Spärck Jones family: Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and
Beyond", 2009. Shares are computed once per term and change of the index, so that a query only adds them up (the idea of
BM25S, Lù 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from plumbline.errors import InputError
from rag.index.lexical.fields import UNIT

Idf = Literal["lucene", "okapi"]
Floats = npt.NDArray[np.float64]
Shares = npt.NDArray[np.floating]

EPSILON = 0.25  # rank_bm25's default
COMMON = 16
"""A term in more than one of so many chunks is common."""
WHOLE = 20_000
"""Up to so many positions adding everything up is fastest."""
_LEVELS = 255


@dataclass(frozen=True, slots=True)
class Formula:
    """How postings are scored. Raises `InputError` for settings that BM25 does not have.

    `idf="lucene"` is log(1 + (N - df + .5) / (df + .5)), positive for every term. `idf="okapi"` is
    log((N - df + .5) / (df + .5)) with negative values raised to a quarter of the mean, as `rank_bm25.BM25Okapi`
    computes it; it is there as the reference, and keeps shares in double precision.
    """

    k1: float = 1.2
    b: float = 0.75
    idf: Idf = "lucene"

    def __post_init__(self) -> None:
        if not self.k1 >= 0 or not 0 <= self.b <= 1:
            raise InputError(f"BM25 needs k1 >= 0 and 0 <= b <= 1; k1={self.k1}, b={self.b} were given.")

    def weights(self, held: npt.NDArray[np.int64], count: int) -> Floats:
        """The idf of terms that `held` of `count` chunks hold, before "okapi" raises negative ones."""
        odds = (count - held + 0.5) / (held + 0.5)
        return np.asarray(np.log1p(odds) if self.idf == "lucene" else np.log(odds), np.float64)

    def damping(self, lengths: npt.NDArray[np.int32], count: int) -> Shares:
        """For each chunk the frequency at which a term reaches half of its weight; it and `lengths` in sixteenths."""
        mean = int(lengths.sum(dtype=np.int64)) / max(count, 1)
        return np.asarray(UNIT * self.k1 * (1 - self.b + self.b * lengths / max(mean, 1e-9)), self._precision)

    def shares(self, frequencies: npt.NDArray[np.uint16], damping: Shares, weight: float) -> Shares:
        """What postings of a term of this weight add to the score; `damping` is that of each posting's chunk."""
        shares: Shares = frequencies.astype(self._precision)
        damping = damping + shares
        shares *= weight * (self.k1 + 1)
        shares /= damping
        return shares

    @property
    def _precision(self) -> type[np.floating]:
        return np.float32 if self.idf == "lucene" else np.float64


@dataclass(frozen=True, eq=False)
class Prepared:
    """A term ready to be added up: the positions that hold it, ascending, and each one's share of the score.

    `size` is how many positions the index has.
    """

    chunks: npt.NDArray[np.int32]
    shares: Shares
    size: int

    @cached_property
    def most(self) -> float:
        """The largest share."""
        return float(self.shares.max()) if len(self.shares) else 0.0

    @cached_property
    def bytes(self) -> int:
        """How much memory it takes, about."""
        aside = self.size * (self.shares.itemsize if self.size <= WHOLE else 1) if self.is_common else 0
        return self.shares.nbytes + aside + (self.chunks.nbytes if self.chunks.flags.owndata else 0)

    @property
    def is_common(self) -> bool:
        """Whether it may be looked up for some chunks instead of added."""
        return len(self.chunks) * COMMON > self.size

    @cached_property
    def spread(self) -> Shares | None:
        """For every position its share, where the term is common and the index small enough for that."""
        if self.size > WHOLE or not self.is_common:
            return None
        found = np.zeros(self.size, self.shares.dtype)
        found[self.chunks] = self.shares
        return found

    @cached_property
    def levels(self) -> npt.NDArray[np.uint8]:
        """For every position of the index its share in steps of `step`, rounded up; 0 only where the term is not."""
        found = np.zeros(self.size, np.uint8)
        found[self.chunks] = np.minimum(np.ceil(self.shares / self.step), _LEVELS)
        return found

    @property
    def step(self) -> float:
        """The share that is one level; rounded up, so that no level is too low."""
        return self.most / _LEVELS * (1 + 1e-6)

    def at(self, positions: npt.NDArray[np.int32]) -> Shares:
        """The shares of positions, ascending; 0 where the term is not."""
        if self.spread is not None:
            return self.spread[positions]
        if not len(self.chunks):
            return np.zeros(len(positions), np.float32)
        places = self.chunks.searchsorted(positions)
        here = self.chunks.take(places, mode="clip") == positions
        return np.asarray(self.shares.take(places, mode="clip") * here)
