"""Scores, differences and verdicts on outcomes made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evals.dataset import Dataset, Example
from evals.metrics.registry import find_metric
from evals.outcome import Outcome
from evals.scoring import score_all, value_of, verdict_of
from evals.stats import Interval
from rag.types import Answer
from routing.chat import Usage

ANSWER = Answer("?", "", False, 1.0, (), (), (), Usage(10, 2), None, {}, "m", "t")
FAILED = Outcome(None, error="DeadlineError: late", seconds=3.0)


def said(text: str) -> Outcome:
    return Outcome(replace(ANSWER, text=text), seconds=1.0)


def dataset(count: int, *, per_group: int = 1) -> Dataset:
    examples = [
        Example(f"q{n}", "What colour is it?", ("red",), True, group=f"g{n // per_group}") for n in range(count)
    ]
    return Dataset("colours", tuple(examples))


def test_a_failed_row_counts_as_zero_and_stays_in_the_denominator() -> None:
    data = dataset(4)
    outcomes = {("a", "q0"): said("red"), ("a", "q1"): said("red"), ("a", "q2"): FAILED}  # q3 was never asked
    correct, latency = (find_metric(name) for name in ("correct", "latency"))
    found = score_all(data, outcomes, ["a"], [correct, latency], "a")
    score = found.scores[0]
    assert score.interval is not None
    assert (score.interval.estimate, score.rows, score.of, score.failed) == (0.5, 4, 4, 2)
    assert found.cells["a", "latency"]["q2"] == 3.0


def test_seconds_are_never_negative_however_few_and_scattered() -> None:
    outcomes = {("a", f"q{n}"): replace(said("red"), seconds=seconds) for n, seconds in enumerate((0.01, 0.02, 9.0))}
    score = score_all(dataset(3), outcomes, ["a"], [find_metric("latency")], "a").scores[0]
    assert score.interval is not None
    assert score.interval.low >= 0


def test_a_failure_does_not_count_where_the_metric_never_applied() -> None:
    unlabelled = Example("q", "What colour is it?")
    assert value_of(find_metric("correct"), unlabelled, FAILED) is None
    assert value_of(find_metric("recall@5"), unlabelled, FAILED) is None
    assert value_of(find_metric("refused_rightly"), replace(unlabelled, answerable=False), FAILED) == 0.0
    assert value_of(find_metric("cost"), unlabelled, FAILED) is None


def test_differences_are_paired_and_say_which_is_better() -> None:
    data = dataset(40)
    outcomes = {("base", f"q{n}"): said("red" if n % 2 else "blue") for n in range(40)}
    outcomes |= {("better", f"q{n}"): said("red") for n in range(40)}
    outcomes |= {("same", f"q{n}"): said("red" if n % 2 else "green") for n in range(40)}
    found = score_all(data, outcomes, ["base", "better", "same"], [find_metric("correct")], "base")
    better, same = found.differences
    assert (better.config, better.verdict, better.interval.estimate) == ("better", "better", 0.5)
    assert better.p_value <= better.adjusted < 0.01
    assert better.interval.low > 0.3
    assert (same.verdict, same.interval.estimate, same.detectable) == ("no difference shown", 0.0, None)


def test_questions_of_one_group_are_resampled_together() -> None:
    single, grouped = dataset(40), dataset(40, per_group=10)
    outcomes = {("a", f"q{n}"): said("red" if n < 20 else "blue") for n in range(40)}
    alone = score_all(single, outcomes, ["a"], [find_metric("correct")], "a").scores[0].interval
    together = score_all(grouped, outcomes, ["a"], [find_metric("correct")], "a").scores[0].interval
    assert alone is not None
    assert together is not None
    assert (alone.clusters, together.clusters) == (None, 4)
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("low", "high", "higher_is_better", "margin", "verdict"),
    [
        (0.01, 0.2, True, 0.0, "better"),
        (0.01, 0.2, False, 0.0, "worse"),
        (-0.2, -0.01, True, 0.0, "worse"),
        (-0.2, -0.01, True, 0.02, "no difference shown"),
        (-0.2, -0.03, True, 0.02, "worse"),
        (-0.1, 0.1, True, 0.0, "no difference shown"),
    ],
)
def test_verdicts(low: float, high: float, higher_is_better: bool, margin: float, verdict: str) -> None:
    interval = Interval((low + high) / 2, low, high, 0.95, 100, "t")
    assert verdict_of(interval, higher_is_better=higher_is_better, margin=margin) == verdict


def test_secondary_metrics_need_the_corrected_p_value_too() -> None:
    data = dataset(40, per_group=8)  # five groups: the least p-value is 2 / 2**5
    outcomes = {("base", f"q{n}"): said("blue") for n in range(40)}
    outcomes |= {("new", f"q{n}"): said("red" if n % 8 else "blue") for n in range(40)}
    found = {}
    for primary in ("correct", None):
        (found[primary],) = score_all(
            data, outcomes, ["base", "new"], [find_metric("correct")], "base", primary=primary
        ).differences
    assert found[None].interval.excludes_zero
    assert found[None].adjusted > 0.05
    assert (found["correct"].verdict, found[None].verdict) == ("better", "no difference shown")
