"""Deterministic metrics of answers, retrieval and operations: no model judges here. `docs/metrics.md` lists them."""

from evals.metrics.contract import FunctionMetric, Metric
from evals.metrics.correctness import Verdict, answer_correct
from evals.metrics.registry import builtin_metrics, find_metric

__all__ = ["FunctionMetric", "Metric", "Verdict", "answer_correct", "builtin_metrics", "find_metric"]
