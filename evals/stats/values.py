"""What the statistics return: an interval around an estimate, and the outcome of a test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the interval that holds the true value in `level` of all repetitions of the experiment.

    `n` counts rows, `clusters` the groups they were resampled by (`None`: each row by itself). `method` names what was
    really used, which can be another than was asked for: see `evals.stats.bootstrap`.
    """

    estimate: float
    low: float
    high: float
    level: float
    n: int
    method: str
    clusters: int | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class TestResult:
    """The outcome of a two-sided test; `n` counts rows, `method` says how the p-value was found."""

    __test__ = False  # pytest takes every class called Test… for a test

    statistic: float
    p_value: float
    n: int
    method: str
