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

    def applies(self, example: Example) -> bool:
        """Whether the example has the labels that the metric needs."""
        ...

    def score(self, example: Example, outcome: Outcome) -> float | None:
        """The value, or `None` when the metric does not apply to this row: no such label, or nothing to measure.

        `None` never means that the system failed: the runner scores rows with `outcome.error` itself.
        """
        ...


Score = Callable[[Example, Outcome], float | None]
Labelled = Callable[[Example], bool]


def always(_: Example) -> bool:
    """No label is needed."""
    return True


@dataclass(frozen=True, slots=True)
class FunctionMetric:
    """A metric made of functions: `labelled` says which examples it applies to, `function` scores those."""

    name: str
    description: str
    function: Score
    labelled: Labelled = always
    higher_is_better: bool = True
    unit: str = "share"

    def applies(self, example: Example) -> bool:
        """What `labelled` says."""
        return self.labelled(example)

    def score(self, example: Example, outcome: Outcome) -> float | None:
        """What the function returns, for an example it applies to."""
        return self.function(example, outcome) if self.labelled(example) else None
