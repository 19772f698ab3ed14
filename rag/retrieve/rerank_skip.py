"""When a reranker need not be asked: because it cannot change what is read, or because the search is sure enough.

How far ahead is sure enough is fitted on labelled questions, with a guarantee: the risk of a margin is the mean loss of
quality over questions like these when those that lead by it are not reranked, and `fit_skip_margin` keeps it within a
bound with a stated probability. Method: Learn Then Test (Angelopoulos et al., 2021), fixed-sequence testing from the
largest margin down with Hoeffding-Bentkus p-values (Bates et al., "Distribution-Free, Risk-Controlling Prediction
Sets", 2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from plumbline.errors import InputError

MARGINS = tuple(round(0.02 * step, 2) for step in range(50, -1, -1))
"""The margins that are tried, largest first; fixed beforehand, as the guarantee demands."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled question: how far its hits lead (`lead`), and its quality in [0, 1] as searched and as reranked."""

    lead: float
    searched: float
    reranked: float

    @property
    def loss(self) -> float:
        """What not asking the reranker loses; what it gains is not set against other questions' losses."""
        return max(self.reranked - self.searched, 0.0)


@dataclass(frozen=True, slots=True)
class SkipFit:
    """A margin fitted for `epsilon` and `delta`, and what it did on the questions it was fitted on.

    `margin` is `None` when not even the largest can be certified: then nothing may be skipped. `saved` is the share of
    calls that it saves; `loss` the mean loss as certified (gains left out) and `change` the mean change of quality.
    """

    margin: float | None
    epsilon: float
    delta: float
    questions: int
    saved: float
    loss: float
    change: float


def lead(scores: Sequence[float], keep: int) -> float:
    """By what share of the best score the first `keep` hits lead the next; `scores` are best first.

    0 where no score is positive, 1 where there is no next.
    """
    if len(scores) <= keep:
        return 1.0
    if keep < 1 or scores[0] <= 0:
        return 0.0
    return (scores[keep - 1] - scores[keep]) / scores[0]


def fit_skip_margin(rows: Sequence[Labelled], *, epsilon: float = 0.01, delta: float = 0.1) -> SkipFit:
    """The smallest margin whose mean loss of quality is at most `epsilon` with a probability of at least 1 - `delta`.

    The questions must be like those to come and must not have chosen anything else about the search. Raises
    `InputError` without questions, for a quality outside [0, 1], and for an `epsilon` or `delta` outside (0, 1).
    """
    _check(rows, epsilon, delta)
    chosen: float | None = None
    for margin in MARGINS:
        risk = sum(row.loss for row in rows if row.lead >= margin) / len(rows)
        if p_value(risk, len(rows), epsilon) > delta:
            break
        chosen = margin
    skipped = [row for row in rows if chosen is not None and row.lead >= chosen]
    return SkipFit(
        chosen,
        epsilon,
        delta,
        len(rows),
        saved=len(skipped) / len(rows),
        loss=sum(row.loss for row in skipped) / len(rows),
        change=sum(row.searched - row.reranked for row in skipped) / len(rows),
    )


def p_value(risk: float, count: int, epsilon: float) -> float:
    """Hoeffding-Bentkus: how likely so small a mean of `count` losses in [0, 1] is when their mean is `epsilon`."""
    if risk >= epsilon:
        return 1.0
    divergence = _bernoulli_divergence(risk, epsilon)
    bentkus = math.e * _binomial_at_most(math.ceil(count * risk - 1e-9), count, epsilon)
    return min(math.exp(-count * divergence), bentkus, 1.0)


def _bernoulli_divergence(a: float, b: float) -> float:
    first = a * math.log(a / b) if a > 0 else 0.0
    return first + (1 - a) * math.log((1 - a) / (1 - b))


def _binomial_at_most(successes: int, count: int, share: float) -> float:
    """P(X <= successes) of a binomial of `count` draws, summed in logarithms."""
    total = 0.0
    for k in range(min(successes, count) + 1):
        ways = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
        total += math.exp(ways + k * math.log(share) + (count - k) * math.log1p(-share))
    return min(total, 1.0)


def _check(rows: Sequence[Labelled], epsilon: float, delta: float) -> None:
    if not rows:
        raise InputError("A skip margin cannot be fitted without labelled questions.")
    for name, value in (("epsilon", epsilon), ("delta", delta)):
        if not 0 < value < 1:
            raise InputError(f"{name} must lie between 0 and 1; {value} was given.")
    for number, row in enumerate(rows, 1):
        if not (0 <= row.searched <= 1 and 0 <= row.reranked <= 1 and math.isfinite(row.lead)):
            raise InputError(f"Question {number}: qualities must lie in [0, 1] and the lead must be a number; {row}.")
