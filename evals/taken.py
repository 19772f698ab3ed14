"""What the answers of each configuration took: seconds, tokens, dollars, and dollars for each right answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Over the `answered` rows of a configuration: percentiles of seconds, tokens per query, dollars.

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
    rows = [(example, outcomes.get((config, example.id))) for example in dataset.examples]
    answered = [(example, outcome) for example, outcome in rows if outcome is not None and outcome.answer is not None]
    answers = [outcome.answer for _, outcome in answered if outcome.answer is not None]
    seconds = operations.latency([outcome.seconds for _, outcome in answered])
    used = operations.tokens(answer.usage for answer in answers)
    price = operations.cost([answer.cost for answer in answers])
    judged = [(example.id, answer.cost) for (example, _), answer in zip(answered, answers, strict=True)]
    clusters = {example.id: example.cluster for example in dataset.examples}
    return TakenOutput(
        config=config,
        answered=len(answers),
        p50=None if seconds is None else seconds.p50,
        p95=None if seconds is None else seconds.p95,
        p99=None if seconds is None else seconds.p99,
        cost=price.total,
        unpriced=price.unknown,
        per_1000=None if price.per_query is None else price.per_query * 1000,
        per_correct=None if correct is None else _per_correct(judged, correct, clusters, seed),
        input_tokens=used.input_tokens / max(len(answers), 1),
        cached_input_tokens=used.cached_input_tokens / max(len(answers), 1),
        output_tokens=used.output_tokens / max(len(answers), 1),
        estimated=used.estimated,
    )


def _per_correct(
    priced: Sequence[tuple[str, Decimal | None]], correct: Cells, clusters: Mapping[str, str], seed: int
) -> IntervalOutput | None:
    rows = [(name, cost, value) for name, cost in priced if (value := correct.get(name)) is not None]
    if not any(value for _, _, value in rows) or any(cost is None for _, cost, _ in rows):
        return None
    dollars = [float(cost or 0) for _, cost, _ in rows]
    labels = cluster_labels([name for name, _, _ in rows], clusters)
    return IntervalOutput.of(bootstrap_ratio(dollars, [value for _, _, value in rows], clusters=labels, seed=seed))
