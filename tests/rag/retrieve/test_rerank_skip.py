from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import InputError
from rag.retrieve.rerank_skip import Labelled, fit_skip_margin, lead, p_value


@pytest.mark.parametrize(
    ("scores", "keep", "expected"),
    [
        ([1.0, 0.8, 0.2], 2, 0.6),
        ([2.0, 1.0, 1.0], 2, 0.0),
        ([1.0, 0.5], 2, 1.0),
        ([], 3, 1.0),
        ([-1.0, -2.0], 1, 0.0),
        ([0.0, 0.0], 1, 0.0),
        ([1.0, 0.5], 0, 0.0),
    ],
)
def test_lead(scores: list[float], keep: int, expected: float) -> None:
    assert lead(scores, keep) == pytest.approx(expected)


def population(seed: int, count: int) -> list[Labelled]:
    """Questions of which the reranker helps fewer, the further their hits lead: the loss at lead x is 0.2 (1 - x)."""
    rng = np.random.default_rng(seed)
    leads = rng.random(count)
    helped = rng.random(count) < 0.2 * (1 - leads)
    return [Labelled(float(x), 0.0 if help_ else 1.0, 1.0) for x, help_ in zip(leads, helped, strict=True)]


def test_a_margin_saves_calls_within_the_loss_allowed() -> None:
    fit = fit_skip_margin(population(1, 2000), epsilon=0.02, delta=0.1)
    assert fit.margin is not None
    assert 0.3 < fit.saved < 0.6
    assert fit.loss <= 0.02
    assert fit.change == pytest.approx(-fit.loss)


def test_the_guarantee_holds_as_often_as_it_says() -> None:
    """The true risk of skipping from the margin m on is the integral of 0.2 (1 - x) over [m, 1]: 0.1 (1 - m)²."""
    broken = 0
    for seed in range(100):
        margin = fit_skip_margin(population(seed, 300), epsilon=0.02, delta=0.2).margin
        broken += margin is not None and 0.1 * (1 - margin) ** 2 > 0.02
    assert broken <= 20


def test_too_few_questions_certify_nothing() -> None:
    fit = fit_skip_margin([Labelled(1.0, 1.0, 1.0)] * 20, epsilon=0.01)
    assert (fit.margin, fit.saved, fit.loss) == (None, 0.0, 0.0)
    assert fit_skip_margin([Labelled(1.0, 1.0, 1.0)] * 300, epsilon=0.01).margin == 0.0


def test_gains_do_not_pay_for_losses() -> None:
    rows = [Labelled(0.5, 1.0, 0.0), Labelled(0.5, 0.0, 1.0)] * 200
    assert fit_skip_margin(rows, epsilon=0.1).margin == 0.52  # above every lead: nothing is skipped


@pytest.mark.parametrize(
    ("rows", "epsilon", "delta", "says"),
    [
        ([], 0.1, 0.1, "without labelled questions"),
        ([Labelled(0.5, 1.0, 1.0)], 0.0, 0.1, "epsilon"),
        ([Labelled(0.5, 1.0, 1.0)], 0.1, 1.0, "delta"),
        ([Labelled(0.5, 1.0, 1.0), Labelled(0.5, 1.5, 1.0)], 0.1, 0.1, "Question 2"),
        ([Labelled(math.nan, 1.0, 1.0)], 0.1, 0.1, "Question 1"),
    ],
)
def test_bad_input_is_named(rows: list[Labelled], epsilon: float, delta: float, says: str) -> None:
    with pytest.raises(InputError, match=says):
        fit_skip_margin(rows, epsilon=epsilon, delta=delta)


def test_p_values_against_the_binomial_by_hand() -> None:
    assert p_value(0.0, 100, 0.05) == pytest.approx(0.95**100, rel=1e-9)
    assert p_value(0.05, 100, 0.05) == 1.0
    exact = sum(math.comb(1000, k) * 0.05**k * 0.95 ** (1000 - k) for k in range(31))
    hoeffding = math.exp(-1000 * (0.03 * math.log(0.03 / 0.05) + 0.97 * math.log(0.97 / 0.95)))
    assert p_value(0.03, 1000, 0.05) == pytest.approx(min(math.e * exact, hoeffding), rel=1e-6)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 500), st.floats(0.001, 0.5))
def test_more_risk_is_less_evidence(a: float, b: float, count: int, epsilon: float) -> None:
    low, high = sorted((a, b))
    assert 0 <= p_value(low, count, epsilon) <= p_value(high, count, epsilon) + 1e-12 <= 1 + 1e-12
