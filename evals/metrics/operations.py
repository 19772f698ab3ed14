"""What answers take: seconds, tokens and dollars, over all rows of a run.

A price that nobody knows is never 0. Sums are over what is known, beside them stands how many rows are not, and
whatever would be wrong without those is `None`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from plumbline.errors import InputError
from routing.chat import Usage


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds: the mean, and percentiles interpolated linearly between neighbours (numpy's default)."""

    mean: float
    p50: float
    p95: float
    p99: float
    rows: int


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars.

    `known` is the sum over the rows with a known price, `unknown` counts the others. `total`, `per_query` and
    `per_correct` are `None` while `unknown` is not 0; `per_correct` also when nothing was correct.
    """

    known: Decimal
    unknown: int
    rows: int
    correct: float

    @property
    def total(self) -> Decimal | None:
        """Of all rows."""
        return None if self.unknown else self.known

    @property
    def per_query(self) -> Decimal | None:
        """Total over rows."""
        return None if self.unknown or not self.rows else self.known / self.rows

    @property
    def per_correct(self) -> Decimal | None:
        """Total over correct answers: wrong answers and refusals are paid, too."""
        return None if self.unknown or not self.correct else self.known / Decimal(str(self.correct))


def latency(seconds: Sequence[float]) -> Latency | None:
    """Of the wall times of single questions; `None` for no rows. Raises `InputError` for a time that cannot be."""
    if not seconds:
        return None
    impossible = [value for value in seconds if not 0 <= value < math.inf]
    if impossible:
        raise InputError(f"{impossible[0]} is no wall time in seconds.")
    ordered = sorted(seconds)
    p50, p95, p99 = (percentile(ordered, share) for share in (0.5, 0.95, 0.99))
    return Latency(math.fsum(ordered) / len(ordered), p50, p95, p99, len(ordered))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie, interpolated linearly between neighbours."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def tokens(usages: Iterable[Usage]) -> Usage:
    """All usages added up."""
    return sum(usages, Usage())


def cost(costs: Sequence[Decimal | None], correct: Sequence[float] = ()) -> Cost:
    """Of rows with these prices; `correct` holds one value in [0, 1] for each, or nothing if nobody judged.

    Raises `InputError` when the two differ in length.
    """
    if correct and len(correct) != len(costs):
        raise InputError(f"{len(costs)} prices and {len(correct)} judgements were given; each row has one of each.")
    known = [value for value in costs if value is not None]
    return Cost(sum(known, Decimal(0)), len(costs) - len(known), len(costs), math.fsum(correct))
