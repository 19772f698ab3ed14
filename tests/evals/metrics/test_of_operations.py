from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from evals.dataset import Example
from evals.metrics.of_operations import operation_metrics
from evals.outcome import Outcome, Spent
from rag.types import Answer
from routing.chat import Usage


def scores(outcome: Outcome) -> dict[str, float | None]:
    return {metric.name: metric.score(Example("1", "?"), outcome) for metric in operation_metrics()}


def answered(cost: Decimal | None) -> Outcome:
    return Outcome(Answer("?", "", False, 1.0, (), (), (), Usage(120, 8), cost, {}, "m", "t"), seconds=1.5)


def test_reads_what_a_row_took() -> None:
    assert scores(answered(Decimal("0.25"))) == {
        "latency": 1.5,
        "input_tokens": 120,
        "output_tokens": 8,
        "cost": 0.25,
    }


def test_an_unknown_price_is_not_0() -> None:
    assert scores(answered(None))["cost"] is None
    assert scores(answered(Decimal(0)))["cost"] == 0


def test_a_failed_row_took_its_time() -> None:
    failed = Outcome(None, error="DeadlineError", seconds=9.0)
    assert scores(failed) == {"latency": 9.0, "input_tokens": None, "output_tokens": None, "cost": None}
    paid = replace(failed, lost=Spent(Usage(120, 8), Decimal("0.25")))
    assert scores(paid) == {"latency": 9.0, "input_tokens": 120, "output_tokens": 8, "cost": 0.25}


def test_less_is_better() -> None:
    assert not any(metric.higher_is_better for metric in operation_metrics())
    assert [metric.unit for metric in operation_metrics()] == ["seconds", "tokens", "tokens", "USD"]
