"""The metrics that come with the package, by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from evals.metrics.contract import Metric
from evals.metrics.of_answers import answer_metrics
from evals.metrics.of_operations import operation_metrics
from evals.metrics.of_retrieval import retrieval_metrics, retrieval_metrics_at
from plumbline.errors import ConfigError

DEFAULT_KS = (1, 5, 10)
_AT = re.compile(r"(?P<name>[a-z_]+)@(?P<k>[1-9][0-9]{0,5})")


def builtin_metrics(ks: Sequence[int] = DEFAULT_KS) -> Mapping[str, Metric]:
    """All metrics by name, those with a k at each of `ks`."""
    metrics: list[Metric] = [*answer_metrics(), *retrieval_metrics(), *operation_metrics()]
    for k in ks:
        metrics += retrieval_metrics_at(k)
    return {metric.name: metric for metric in metrics}


def find_metric(name: str) -> Metric:
    """The metric called `name`, for those with a k at any k ("recall@7").

    Raises `ConfigError`, with the nearest right name or else all, when there is none.
    """
    parsed = _AT.fullmatch(name)
    metrics = builtin_metrics((int(parsed["k"]),) if parsed else DEFAULT_KS)
    if name in metrics:
        return metrics[name]
    near = difflib.get_close_matches(name, metrics, n=1, cutoff=0.5)
    hint = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(sorted(metrics))}."
    raise ConfigError(f"There is no metric '{name}'.", key="metrics", value=name, hint=hint)
