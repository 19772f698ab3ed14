"""Gates, which way is worse, and what failures say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evals.experiment import Key
from evals.outcome import Outcome
from evals.result import GateOutput, failure_of, gate
from evals.scoring import score_all
from evals.suite import Suite, load_suite
from rag.types import Answer
from routing.chat import Usage

ANSWER = Answer("?", "30 days", False, 1.0, (), (), (), Usage(10, 2), None, {}, "m", "t")


def judged(suite: Suite, default: float, other: float) -> GateOutput:
    """The gate on latencies about so high: each configuration's differ a little between questions."""
    outcomes: dict[Key, Outcome] = {}
    for config, seconds in (("default", default), ("lexical and more", other), ("bm25", 100.0)):
        for number, example in enumerate(suite.dataset.examples):
            outcomes[config, example.id] = Outcome(ANSWER, seconds=seconds + number * (0.01 if config == "bm25" else 0))
    names = [config.name for config in suite.configs]
    return gate(suite, score_all(suite.dataset, outcomes, names, suite.metrics, suite.baseline))


@pytest.fixture
def suite(shop: Path) -> Suite:
    """Its primary metric is one of which less is better."""
    loaded = load_suite(shop / "suite.yaml", home=shop / "home", environ={})
    metrics = [metric for metric in loaded.metrics if metric.name == "latency"]
    extra = tuple(replace(loaded.dataset.examples[0], id=f"more{n}", group=f"g{n}") for n in range(4))
    dataset = replace(loaded.dataset, examples=(*loaded.dataset.examples, *extra))
    return replace(loaded, primary="latency", metrics=tuple(metrics), dataset=dataset)


def test_more_seconds_are_worse_and_fewer_are_not(suite: Suite) -> None:
    assert judged(suite, 2.0, 1.0).passed
    worse = judged(suite, 1.0, 2.0)
    assert worse.reasons == ["lexical and more is worse than default on latency: +1 [+1, +1]"]
    assert judged(replace(suite, margin=1.5), 1.0, 2.0).passed


def test_added_baselines_do_not_fail_a_gate(suite: Suite) -> None:
    assert judged(suite, 1.0, 1.0).passed  # bm25 takes 100 seconds


def test_a_failure_is_told_by_its_commonest_error() -> None:
    outcomes = {
        ("a", "1"): Outcome(None, error="late"),
        ("a", "2"): Outcome(None, error="gone"),
        ("a", "3"): Outcome(None, error="gone"),
        ("a", "4"): Outcome(ANSWER),
        ("b", "1"): Outcome(ANSWER),
    }
    found = failure_of("a", outcomes)
    assert found is not None
    assert (found.failed, found.error, found.example) == (3, "gone", "2")
    assert failure_of("b", outcomes) is None
