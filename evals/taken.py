"""What the answers of each configuration took: seconds, tokens, dollars, and dollars for each right answer."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from evals.dataset import Dataset
from evals.experiment import Key
from evals.interval import IntervalOutput
from evals.metrics import operations
from evals.outcome import Outcome
from evals.scoring import Cells, cluster_labels
from evals.stats import bootstrap_ratio
from rag.output import Dollars, Output


class TakenOutput(Output):
    """Over all rows of a configuration, `answered` or failed: percentiles of seconds, tokens per query, dollars.

    `cost` is `null` while the price of any row is unknown (`unpriced` counts them), and so is what follows from it.
    `per_correct` needs the metric `correct`.
    """

    config: str
    answered: int
    p50: float | None
    p95: float | None
    p99: float | None
    input_tokens: float
    cached_input_tokens: float
    output_tokens: float
    estimated: bool
    cost: Dollars | None
    unpriced: int
    per_1000: Dollars | None
    per_correct: IntervalOutput | None


def taken_by(
    dataset: Dataset, outcomes: Mapping[Key, Outcome], config: str, correct: Cells | None, *, seed: int = 0
) -> TakenOutput:
    """What a configuration took; `correct` has the values of that metric, if the suite measures it."""
    rows = {
        example.id: outcome
        for example in dataset.examples
        if (outcome := outcomes.get((config, example.id))) is not None
    }
    seconds = operations.latency([outcome.seconds for outcome in rows.values()])
    used = operations.tokens(outcome.spent.usage for outcome in rows.values() if outcome.spent is not None)
    costs = {name: None if outcome.spent is None else outcome.spent.cost for name, outcome in rows.items()}
    price = operations.cost(list(costs.values()))
    clusters = {example.id: example.cluster for example in dataset.examples}
    return TakenOutput(
        config=config,
        answered=sum(not outcome.failed for outcome in rows.values()),
        p50=None if seconds is None else seconds.p50,
        p95=None if seconds is None else seconds.p95,
        p99=None if seconds is None else seconds.p99,
        cost=price.total,
        unpriced=price.unknown,
        per_1000=None if price.per_query is None else price.per_query * 1000,
        per_correct=None if correct is None else _per_correct(costs, correct, clusters, seed),
        input_tokens=used.input_tokens / max(len(rows), 1),
        cached_input_tokens=used.cached_input_tokens / max(len(rows), 1),
        output_tokens=used.output_tokens / max(len(rows), 1),
        estimated=used.estimated,
    )


def _per_correct(
    costs: Mapping[str, Decimal | None], correct: Cells, clusters: Mapping[str, str], seed: int
) -> IntervalOutput | None:
    rows = [(name, cost, value) for name, cost in costs.items() if (value := correct.get(name)) is not None]
    if not any(value for _, _, value in rows) or any(cost is None for _, cost, _ in rows):
        return None
    dollars = [float(cost or 0) for _, cost, _ in rows]
    labels = cluster_labels([name for name, _, _ in rows], clusters)
    return IntervalOutput.of(bootstrap_ratio(dollars, [value for _, _, value in rows], clusters=labels, seed=seed))
