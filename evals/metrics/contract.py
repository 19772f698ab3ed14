"""What a metric is to a suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from evals.dataset import Example
from evals.outcome import Outcome


class Metric(Protocol):
    """Scores one example's outcome by itself; a report averages the scores over the rows it applies to."""

    @property
    def name(self) -> str:
        """As a suite and a report call it."""
        ...

    @property
    def description(self) -> str:
        """One line: what is measured and how."""
        ...

    @property
    def higher_is_better(self) -> bool:
        """Which way is an improvement."""
        ...

    @property
    def unit(self) -> str:
        """ "share" for values in [0, 1], else "seconds", "tokens", "USD"."""
        ...

    def score(self, example: Example, outcome: Outcome) -> float | None:
        """The value, or `None` when the metric does not apply to this row: no such label, or nothing to measure.

        `None` never means that the system failed: the runner scores rows with `outcome.error` itself.
        """
        ...


Score = Callable[[Example, Outcome], float | None]


@dataclass(frozen=True, slots=True)
class FunctionMetric:
    """A metric made of a function."""

    name: str
    description: str
    function: Score
    higher_is_better: bool = True
    unit: str = "share"

    def score(self, example: Example, outcome: Outcome) -> float | None:
        """What the function returns."""
        return self.function(example, outcome)
