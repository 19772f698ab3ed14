"""The units that are resampled: rows, or whole clusters of rows brought down to their sums.

Every mean here is a ratio of two sums, total value over total weight, so that a cluster of any size is one pair of
numbers. The standard errors are those of a ratio estimator (Cochran, *Sampling Techniques*, 1977, chapter 6).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evals.stats.columns import Floats, Indices

CHUNK = 1 << 20
"""Numbers a chunk of resamples may hold: 8 MB, whatever the number of rows."""


@dataclass(frozen=True, slots=True)
class Units:
    """`numerators` and `denominators`, float[g]: the sums over each unit, sorted: the order of rows is forgotten."""

    numerators: Floats
    denominators: Floats

    @classmethod
    def of(cls, numerators: Floats, denominators: Floats, codes: Indices | None) -> Units:
        """From rows, float[n]; `codes`, int[n] from 0 without gaps, says which cluster each belongs to."""
        if codes is not None:
            numerators = np.bincount(codes, numerators).astype(np.float64)
            denominators = np.bincount(codes, denominators).astype(np.float64)
        order = np.lexsort((denominators, numerators))
        return cls(numerators[order], denominators[order])

    def __len__(self) -> int:
        return len(self.numerators)

    @property
    def estimate(self) -> float:
        """Sum over sum."""
        return float(self.numerators.sum() / self.denominators.sum())

    @property
    def residuals(self) -> Floats:
        """What each unit adds beyond what the estimate expects of it, float[g]; their sum is 0."""
        return self.numerators - self.estimate * self.denominators

    @property
    def variance(self) -> float:
        """Of the estimate, by the delete-one jackknife to first order ("CR3": Bell & McCaffrey 2002); 0 of one unit.

        Dividing by 1 - leverage keeps a few large clusters from looking more certain than they are.
        """
        leverage = self.denominators / self.denominators.sum()
        heaviest = float(leverage.max())
        if heaviest >= 1:
            return 0.0
        g = len(self)
        jackknifed = self.residuals / (1 - leverage) / self.denominators.sum()
        return float((g - 1) / g * (jackknifed @ jackknifed))

    def without_each(self) -> Floats:
        """The estimate with each unit left out in turn, float[g]; to first order where nothing else has a weight."""
        total = self.denominators.sum()
        left = total - self.denominators
        linear = self.estimate - self.residuals / total
        safe = np.where(left > 0, left, 1)
        estimates: Floats = np.where(left > 0, (self.numerators.sum() - self.numerators) / safe, linear)
        return estimates


def draws(g: int, resamples: int, generator: np.random.Generator) -> Iterator[Indices]:
    """Chunks of int[r, g], each row a resample: which units were drawn, with replacement."""
    rows = max(1, CHUNK // g)
    for start in range(0, resamples, rows):
        yield generator.integers(0, g, (min(rows, resamples - start), g))
