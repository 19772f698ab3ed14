"""Fits the weights of a linear fusion on labelled questions. This module imports numpy; import it lazily.

A question's candidates compete: the model's probability of a candidate is the softmax of its score over all of them,
and the weights make what is relevant probable (the listwise loss of Cao et al., "Learning to Rank: From Pairwise to
Listwise Approach", ICML 2007). A quadratic penalty pulls towards a prior, so that few labels change little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEPS = 50
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A question's candidates: `features` float64[n, p], `gains` float64[n] of at least 0, 0 where not relevant."""

    features: Floats
    gains: Floats

    @property
    def teaches(self) -> bool:
        """Whether something relevant stands beside something less relevant."""
        return bool(self.gains.max(initial=0.0) > self.gains.min(initial=np.inf))


def fit(judged: Sequence[Judged], prior: Floats, penalty: float) -> Floats:
    """The weights, float64[p], by Newton's method on a strictly convex loss: deterministic, a few steps.

    `penalty` > 0 times half the squared distance to `prior`, float64[p], is added to the mean loss of a question.
    Questions that teach nothing are left out; when none is left the prior comes back.
    """
    taught = [(each.features, each.gains / each.gains.sum()) for each in judged if each.teaches]
    weights = prior.astype(np.float64)
    if not taught:
        return weights
    loss, gradient, curvature = _loss(taught, weights, prior, penalty)
    for _ in range(STEPS):
        step = np.linalg.solve(curvature, gradient)
        decrease, length = float(gradient @ step), 1.0
        if decrease <= TOLERANCE:
            break
        while (tried := _loss(taught, weights - length * step, prior, penalty))[0] > loss - 1e-4 * length * decrease:
            length /= 2
            if length < TOLERANCE:  # no smaller loss can be told apart in double precision
                return weights
        weights = weights - length * step
        loss, gradient, curvature = tried
    return weights


def _loss(
    taught: Sequence[tuple[Floats, Floats]], weights: Floats, prior: Floats, penalty: float
) -> tuple[float, Floats, Floats]:
    """The loss with its gradient and its second derivative."""
    away = weights - prior
    loss = penalty / 2 * float(away @ away)
    gradient = penalty * away
    curvature = penalty * np.eye(len(weights))
    for features, target in taught:
        scores = features @ weights
        odds = np.exp(scores - scores.max())
        chance = odds / odds.sum()
        mean = chance @ features
        loss += float(scores.max() + np.log(odds.sum()) - target @ scores) / len(taught)
        gradient = gradient + (mean - target @ features) / len(taught)
        curvature = curvature + ((features * chance[:, None]).T @ features - np.outer(mean, mean)) / len(taught)
    return loss, gradient, curvature
