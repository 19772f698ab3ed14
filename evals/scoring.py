"""From outcomes to scores with intervals, and to differences with verdicts.

A row that failed never leaves the denominator: it counts as the worst there is, 0, wherever the metric would have
applied. A metric that does not apply to a row (a numeric match where the answer is no number) leaves that row out, and
every score says how many rows it is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evals.dataset import Dataset, Example
from evals.experiment import Key
from evals.metrics.contract import Metric
from evals.outcome import Outcome
from evals.stats import (
    Interval,
    bootstrap_mean,
    bootstrap_ratio,
    holm,
    minimum_detectable_effect,
    paired_difference,
    paired_permutation,
)

SHARE = "share"
"""The unit of metrics of quality, from 0 to 1."""

ALPHA = 0.05

Verdict = Literal["better", "worse", "no difference shown"]
Cells = Mapping[str, float | None]
"""A metric's value by example; `None` where it does not apply."""


@dataclass(frozen=True, slots=True)
class Score:
    """A metric of a configuration over `rows` of `of` rows, `failed` of all; without any row there is no `interval`."""

    config: str
    metric: str
    interval: Interval | None
    rows: int
    of: int
    failed: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A configuration against the baseline on one metric: `interval` is of the mean of its rows' differences.

    `p_value` is a paired permutation test's, `adjusted` Holm's over the configurations; `detectable` is the difference
    that this many rows would show in 8 of 10 cases.
    """

    config: str
    baseline: str
    metric: str
    interval: Interval
    p_value: float
    adjusted: float
    detectable: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Scores:
    """All of a run: `cells` holds every value by configuration and metric."""

    scores: tuple[Score, ...]
    differences: tuple[Difference, ...]
    cells: Mapping[tuple[str, str], Cells]


def score_all(
    dataset: Dataset,
    outcomes: Mapping[Key, Outcome],
    configs: Sequence[str],
    metrics: Sequence[Metric],
    baseline: str,
    *,
    primary: str | None = None,
    seed: int = 0,
) -> Scores:
    """Score every configuration and compare each with the baseline, resampling by the examples' groups."""
    cells = cells_of(dataset, outcomes, configs, metrics)
    clusters = {example.id: example.cluster for example in dataset.examples}
    scores = [
        _score(dataset, outcomes, config, metric, cells, clusters, seed) for config in configs for metric in metrics
    ]
    differences: list[Difference] = []
    for metric in metrics:
        others = [config for config in configs if config != baseline]
        differences += compared(cells, others, baseline, metric, clusters, seed, primary=primary)
    return Scores(tuple(scores), tuple(differences), cells)


def cells_of(
    dataset: Dataset, outcomes: Mapping[Key, Outcome], configs: Sequence[str], metrics: Sequence[Metric]
) -> dict[tuple[str, str], dict[str, float | None]]:
    """Every metric's value for every example and configuration, example by example: what is costly is then shared."""
    cells: dict[tuple[str, str], dict[str, float | None]] = {
        (c, metric.name): {} for c in configs for metric in metrics
    }
    missing = Outcome(None, error="not asked")
    for example in dataset.examples:
        for config in configs:
            outcome = outcomes.get((config, example.id), missing)
            for metric in metrics:
                cells[config, metric.name][example.id] = value_of(metric, example, outcome)
    return cells


def value_of(metric: Metric, example: Example, outcome: Outcome) -> float | None:
    """One value. A failure counts 0 for quality, and what it took for the rest (time, tokens, dollars)."""
    if not outcome.failed or metric.unit != SHARE:
        return metric.score(example, outcome)
    return 0.0 if metric.applies(example) else None


def compared(
    cells: Mapping[tuple[str, str], Cells],
    configs: Sequence[str],
    baseline: str,
    metric: Metric,
    clusters: Mapping[str, str],
    seed: int,
    *,
    primary: str | None,
) -> list[Difference]:
    """The differences of the configurations to the baseline on one metric, over the rows that both have.

    On the `primary` metric, named before the run, the interval decides, as it does for the gate. The others are many:
    there a difference must also keep its p-value below 0.05 after Holm's correction.
    """
    found = []
    for config in configs:
        mine, theirs = cells[config, metric.name], cells[baseline, metric.name]
        both = [(name, a, b) for name, a in mine.items() if a is not None and (b := theirs.get(name)) is not None]
        if len(both) > 1:
            labels = cluster_labels([name for name, _, _ in both], clusters)
            found.append((config, [a for _, a, _ in both], [b for _, _, b in both], labels))
    tests = [paired_permutation(ours, base, clusters=labels, seed=seed) for _, ours, base, labels in found]
    adjusted = holm([test.p_value for test in tests]) if tests else []
    differences = []
    for (config, ours, base, labels), test, corrected in zip(found, tests, adjusted, strict=True):
        # Seconds and dollars that happen to be 0 or 1 are no shares.
        method: Literal["auto", "t"] = "auto" if metric.unit == SHARE else "t"
        interval = paired_difference(ours, base, clusters=labels, seed=seed, method=method)
        verdict = verdict_of(interval, higher_is_better=metric.higher_is_better)
        if metric.name != primary and corrected > ALPHA:
            verdict = "no difference shown"
        detectable = _detectable([a - b for a, b in zip(ours, base, strict=True)])
        differences.append(
            Difference(config, baseline, metric.name, interval, test.p_value, corrected, detectable, verdict)
        )
    return differences


def verdict_of(interval: Interval, *, higher_is_better: bool, margin: float = 0.0) -> Verdict:
    """What an interval of differences shows; within `margin` nothing is worse."""
    low, high = (interval.low, interval.high) if higher_is_better else (-interval.high, -interval.low)
    if low > 0:
        return "better"
    return "worse" if high < -margin else "no difference shown"


def _score(
    dataset: Dataset,
    outcomes: Mapping[Key, Outcome],
    config: str,
    metric: Metric,
    cells: Mapping[tuple[str, str], Cells],
    clusters: Mapping[str, str],
    seed: int,
) -> Score:
    values = {name: value for name, value in cells[config, metric.name].items() if value is not None}
    names = [example.id for example in dataset.examples]
    failed = sum((config, name) not in outcomes or outcomes[config, name].failed for name in names)
    interval = None
    if values:
        labels = cluster_labels(list(values), clusters)
        interval = _interval(metric, list(values.values()), labels, seed)
    return Score(config, metric.name, interval, len(values), len(names), failed)


def _interval(metric: Metric, values: Sequence[float], labels: Sequence[str] | None, seed: int) -> Interval:
    """Shares lie between 0 and 1. Seconds and dollars are a ratio to the number of rows, which is never negative."""
    if metric.unit == SHARE:
        return bootstrap_mean(values, clusters=labels, seed=seed, bounds=(0.0, 1.0))
    return bootstrap_ratio(values, [1.0] * len(values), clusters=labels, seed=seed)


def cluster_labels(names: Sequence[str], clusters: Mapping[str, str]) -> list[str] | None:
    """The clusters of these rows, or `None` when each stands alone."""
    labels = [clusters[name] for name in names]
    return labels if len(set(labels)) < len(labels) else None


def _detectable(differences: Sequence[float]) -> float | None:
    import numpy as np

    deviation = float(np.std(differences, ddof=1))
    return minimum_detectable_effect(len(differences), deviation) if deviation > 0 else None
