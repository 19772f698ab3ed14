from __future__ import annotations

import re
from pathlib import Path

import pytest

from evals.metrics import FunctionMetric, Metric, builtin_metrics, find_metric
from plumbline.errors import ConfigError


def test_every_metric_is_found_by_its_name_and_described() -> None:
    for name, metric in builtin_metrics().items():
        assert metric.name == name
        assert find_metric(name).description == metric.description
        assert metric.description
        assert metric.unit in {"share", "seconds", "tokens", "USD"}


def test_any_k_will_do() -> None:
    assert find_metric("recall@37").name == "recall@37"
    assert {"ndcg@3", "char_iou@3", "page_hit@3"} <= set(builtin_metrics((3,)))
    assert "ndcg@5" not in builtin_metrics((3,))


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("corect", "correct"),
        ("recal@7", "recall@7"),
        ("ncdg@10", "ndcg@10"),
        ("citation_percision", "citation_precision"),
        ("recall@0", "recall@10"),
        ("", "map"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"There is no metric '{name}'") as raised:
        find_metric(name)
    assert raised.value.value == name
    if name:
        assert raised.value.hint == f"Did you mean '{nearest}'?"


def test_a_metric_of_ones_own_is_a_function() -> None:
    words: Metric = FunctionMetric("words", "Words of the answer", lambda _, outcome: float(len(str(outcome.answer))))
    assert words.higher_is_better


def test_the_documentation_lists_every_metric() -> None:
    page = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))
    assert listed == {re.sub(r"@\d+", "@k", name) for name in builtin_metrics()}


def test_a_name_like_none_is_answered_with_all() -> None:
    with pytest.raises(ConfigError, match=r"There are: .*mrr, .*ndcg@10"):
        find_metric("foo")
