"""What answers took, by hand: percentiles, tokens per query, and dollars that are unknown rather than 0."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from evals.dataset import Dataset, Example
from evals.outcome import Outcome, Spent
from evals.taken import taken_by
from rag.types import Answer
from routing.chat import Usage

ANSWER = Answer("?", "", False, 1.0, (), (), (), Usage(100, 10, 40), Decimal("0.002"), {}, "m", "t")
DATA = Dataset("d", tuple(Example(f"q{n}", "?", ("a",)) for n in range(5)))
OUTCOMES = {("a", f"q{n}"): Outcome(ANSWER, seconds=float(n + 1)) for n in range(4)}
CORRECT = {"q0": 1.0, "q1": 1.0, "q2": 0.0, "q3": 0.0, "q4": 0.0}


def test_dollars_for_a_right_answer_pay_for_the_wrong_ones_too() -> None:
    took = taken_by(DATA, OUTCOMES, "a", CORRECT)
    assert (took.answered, took.p50, took.cost, took.per_1000) == (4, 2.5, Decimal("0.008"), Decimal(2))
    assert (took.input_tokens, took.cached_input_tokens, took.output_tokens) == (100, 40, 10)
    assert took.per_correct is not None
    assert took.per_correct.estimate == pytest.approx(0.004)


def test_an_unknown_price_is_never_zero() -> None:
    outcomes = OUTCOMES | {("a", "q4"): Outcome(replace(ANSWER, cost=None), seconds=1.0)}
    took = taken_by(DATA, outcomes, "a", CORRECT)
    assert (took.cost, took.per_1000, took.per_correct, took.unpriced) == (None, None, None, 1)


def test_without_a_right_answer_or_any_answer_there_is_no_such_price() -> None:
    assert taken_by(DATA, OUTCOMES, "a", dict.fromkeys(CORRECT, 0.0)).per_correct is None
    assert taken_by(DATA, OUTCOMES, "a", None).per_correct is None
    nothing = taken_by(DATA, {("a", "q0"): Outcome(None, error="x")}, "a", CORRECT)
    assert (nothing.answered, nothing.unpriced, nothing.per_correct) == (0, 1, None)


def test_failed_rows_took_time_and_money_too() -> None:
    failed = Outcome(None, error="DeadlineError: late", seconds=30.0, lost=Spent(Usage(100, 10, 40), Decimal("0.002")))
    took = taken_by(DATA, OUTCOMES | {("a", "q4"): failed}, "a", CORRECT)
    assert (took.answered, took.cost, took.per_1000, took.input_tokens) == (4, Decimal("0.010"), Decimal(2), 100)
    assert took.p99 is not None
    assert took.p99 > 20
    assert took.per_correct is not None
    assert took.per_correct.estimate == pytest.approx(0.005)
