"""What the rows say: dollars per 1,000 queries and per right answer, with intervals over the questions asked.

Queries that ask the same question in other words are not independent, so they are resampled together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evals.cost.configs import Config
from evals.cost.replay import Run
from evals.cost.row import Row, StageCost
from evals.metrics.operations import percentile
from evals.stats import Interval, bootstrap_mean, bootstrap_ratio
from routing.cost.prices import total_cost

PER_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One stage, as a mean over all queries: seconds, dollars (`None`: unknown), calls and tokens."""

    name: str
    seconds: float
    cost: Decimal | None
    calls: float
    input_tokens: float
    cached_input_tokens: float
    cache_write_tokens: float
    output_tokens: float


@dataclass(frozen=True, slots=True)
class ConfigSummary:
    """One configuration over `queries` queries, `judged` of which have an answer to judge by.

    Money is in dollars; an interval that is `None` cannot be given: the price is unknown (`unpriced` rows have none),
    nothing was judged, or nothing was right. Seconds are quantiles over queries. `assumed` says that the model is
    simulated, so that quality and length of its answers are assumptions.
    """

    name: str
    model: str
    assumed: bool
    queries: int
    judged: int
    correct: Interval | None
    per_thousand: Interval | None
    per_correct: Interval | None
    cost: Decimal | None
    unpriced: int
    p50: float
    p95: float
    stages: tuple[StageSummary, ...]
    prefix_cached: int
    answers_cached: int
    failed: int
    degraded: int
    ingest_cost: Decimal | None

    def tokens(self, kind: str) -> float:
        """Tokens of a kind ("input_tokens", …) per query."""
        return sum(float(getattr(stage, kind)) for stage in self.stages)


def summarize(run: Run) -> tuple[ConfigSummary, ...]:
    """A summary of each configuration that has rows to compare, in the suite's order."""
    by_config: dict[str, list[Row]] = {}
    for row in run.compared:
        by_config.setdefault(row.config, []).append(row)
    return tuple(
        _summary(config, by_config[config.name], run) for config in run.suite.configs if config.name in by_config
    )


def _summary(config: Config, rows: Sequence[Row], run: Run) -> ConfigSummary:
    judged = [row for row in rows if row.correct is not None]
    seed = run.suite.seed
    seconds = sorted(row.seconds for row in rows)
    return ConfigSummary(
        name=config.name,
        model=config.settings.generation.model,
        assumed=config.profile is not None,
        queries=len(rows),
        judged=len(judged),
        correct=_correct(judged, seed),
        per_thousand=_per_thousand(rows, seed),
        per_correct=_per_correct(judged, seed),
        cost=total_cost([row.cost for row in rows]),
        unpriced=sum(row.cost is None for row in rows),
        p50=percentile(seconds, 0.5),
        p95=percentile(seconds, 0.95),
        stages=_stages(rows),
        prefix_cached=sum(row.cache == "prefix" for row in rows),
        answers_cached=sum(row.cache == "answer" for row in rows),
        failed=sum(row.error is not None for row in rows),
        degraded=sum(row.degraded is not None for row in rows),
        ingest_cost=run.ingest_costs.get(config.name, Decimal(0)),
    )


def _correct(judged: Sequence[Row], seed: int) -> Interval | None:
    if not judged:
        return None
    right = [float(bool(row.correct)) for row in judged]
    return bootstrap_mean(right, clusters=_groups(judged), seed=seed, bounds=(0, 1))


def _per_thousand(rows: Sequence[Row], seed: int) -> Interval | None:
    costs = known(_dollars(row.cost, PER_THOUSAND) for row in rows)
    # A ratio to the number of queries: unlike a mean it knows that money is not negative.
    return None if costs is None else bootstrap_ratio(costs, [1.0] * len(costs), clusters=_groups(rows), seed=seed)


def _per_correct(judged: Sequence[Row], seed: int) -> Interval | None:
    costs = known(_dollars(row.cost) for row in judged)
    if not costs or not any(row.correct for row in judged):
        return None
    right = [float(bool(row.correct)) for row in judged]
    return bootstrap_ratio(costs, right, clusters=_groups(judged), seed=seed)


def _groups(rows: Sequence[Row]) -> list[str]:
    return [row.group for row in rows]


def known(values: Iterable[float | None]) -> list[float] | None:
    """The values, or `None` when one of them is unknown."""
    found: list[float] = []
    for value in values:
        if value is None:
            return None
        found.append(value)
    return found


def _dollars(cost: Decimal | None, times: int = 1) -> float | None:
    return None if cost is None else float(cost * times)


def _stages(rows: Sequence[Row]) -> tuple[StageSummary, ...]:
    parts: dict[str, list[StageCost]] = {}
    for row in rows:
        for name, stage in row.stages.items():
            parts.setdefault(name, []).append(stage)
    return tuple(_stage(name, stages, len(rows)) for name, stages in parts.items())


def _stage(name: str, stages: Sequence[StageCost], rows: int) -> StageSummary:
    cost = total_cost([stage.cost for stage in stages])
    counted: Mapping[str, float] = {
        key: sum(getattr(stage, key) for stage in stages) / rows
        for key in ("seconds", "calls", "input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens")
    }
    return StageSummary(name=name, cost=None if cost is None else cost / rows, **counted)
