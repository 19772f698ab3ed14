"""The shape of `cost.json`, which `rag bench cost --json` prints as well: typed, documented in docs/cost.md."""

from __future__ import annotations

from evals.cost.levers import LeverLine, Saving, lever_lines
from evals.cost.replay import Run
from evals.cost.summary import ConfigSummary, StageSummary, summarize
from evals.interval import IntervalOutput
from plumbline.errors import InputError
from rag.output import Dollars, Output


class StageOutput(Output):
    """One stage, as a mean over all queries; `cost` is `null` when a price is unknown."""

    stage: str
    seconds: float
    cost: Dollars | None
    calls: float
    input_tokens: float
    cached_input_tokens: float
    cache_write_tokens: float
    output_tokens: float

    @classmethod
    def of(cls, stage: StageSummary) -> StageOutput:
        """From a stage."""
        counts = {name: round(getattr(stage, name), 6) for name in cls.model_fields if name not in {"stage", "cost"}}
        return cls(stage=stage.name, cost=stage.cost, **counts)


class ConfigOutput(Output):
    """One configuration. `simulated` says that the quality and length of answers are assumptions."""

    config: str
    model: str
    simulated: bool
    queries: int
    judged: int
    correct: IntervalOutput | None
    dollars_per_1000_queries: IntervalOutput | None
    dollars_per_correct_answer: IntervalOutput | None
    dollars: Dollars | None
    rows_of_unknown_price: int
    input_tokens_per_query: float
    cached_input_tokens_per_query: float
    cache_write_tokens_per_query: float
    output_tokens_per_query: float
    seconds_p50: float
    seconds_p95: float
    stages: list[StageOutput]
    queries_with_cached_prefix: int
    queries_answered_from_cache: int
    failed: int
    degraded: int
    ingest_dollars: Dollars | None
    pareto: bool

    @classmethod
    def of(cls, config: ConfigSummary, *, pareto: bool) -> ConfigOutput:
        """From a summary."""
        return cls(
            config=config.name,
            model=config.model,
            simulated=config.assumed,
            queries=config.queries,
            judged=config.judged,
            correct=IntervalOutput.maybe(config.correct),
            dollars_per_1000_queries=IntervalOutput.maybe(config.per_thousand),
            dollars_per_correct_answer=IntervalOutput.maybe(config.per_correct),
            dollars=config.cost,
            rows_of_unknown_price=config.unpriced,
            input_tokens_per_query=round(config.tokens("input_tokens"), 3),
            cached_input_tokens_per_query=round(config.tokens("cached_input_tokens"), 3),
            cache_write_tokens_per_query=round(config.tokens("cache_write_tokens"), 3),
            output_tokens_per_query=round(config.tokens("output_tokens"), 3),
            seconds_p50=round(config.p50, 6),
            seconds_p95=round(config.p95, 6),
            stages=[StageOutput.of(stage) for stage in config.stages],
            queries_with_cached_prefix=config.prefix_cached,
            queries_answered_from_cache=config.answers_cached,
            failed=config.failed,
            degraded=config.degraded,
            ingest_dollars=config.ingest_cost,
            pareto=pareto,
        )


class SavingOutput(Output):
    """A measured saving: a share of the bill, and the change in the share of right answers."""

    between: str
    simulated: bool
    saved: IntervalOutput
    correct_gained: IntervalOutput | None

    @classmethod
    def of(cls, saving: Saving) -> SavingOutput:
        """From a saving."""
        saved = IntervalOutput.maybe(saving.saved)
        assert saved is not None  # a saving always has one
        return cls(
            between=saving.between,
            simulated=saving.assumed,
            saved=saved,
            correct_gained=IntervalOutput.maybe(saving.gained),
        )


class LeverOutput(Output):
    """A lever: what the literature claims, and what was measured; `not_measured` says why nothing was."""

    lever: str
    claimed_from: float
    claimed_to: float
    claimed_of: str
    sources: list[str]
    measured: list[SavingOutput]
    not_measured: str | None

    @classmethod
    def of(cls, line: LeverLine) -> LeverOutput:
        """From a line."""
        claim = line.claim
        return cls(
            lever=claim.lever,
            claimed_from=claim.low,
            claimed_to=claim.high,
            claimed_of=claim.of,
            sources=list(claim.sources),
            measured=[SavingOutput.of(saving) for saving in line.savings],
            not_measured=line.why or None,
        )


class WorkloadOutput(Output):
    """What was asked; `planned` counts the queries there should be, `done` those that every configuration answered."""

    origin: str
    planned: int
    done: int
    questions: int
    repeats: int
    paraphrases: int
    judged: int


class CostOutput(Output):
    """A whole report. `stopped` says why the run ended early, `spent` what real models did cost."""

    name: str
    workload: WorkloadOutput
    configs: list[ConfigOutput]
    levers: list[LeverOutput]
    budget: Dollars
    spent: Dollars
    stopped: str | None
    prices_of: str | None
    assumptions: list[str]
    notes: list[str]
    fingerprint: dict[str, str]

    @classmethod
    def of(cls, run: Run) -> CostOutput:
        """From a run; raises `InputError` when no query is done."""
        summaries = summarize(run)
        if not summaries:
            raise InputError(
                f"No query was answered by every configuration{': ' + run.stopped if run.stopped else '.'}",
                hint="The rows there are, are kept.",
            )
        best = pareto_front(summaries)
        work = run.suite.workload
        return cls(
            name=run.suite.name,
            workload=WorkloadOutput(
                origin=work.origin,
                planned=len(work.queries),
                done=summaries[0].queries,
                questions=work.groups,
                repeats=work.repeats,
                paraphrases=work.paraphrases,
                judged=work.judged,
            ),
            configs=[ConfigOutput.of(summary, pareto=summary.name in best) for summary in summaries],
            levers=[LeverOutput.of(line) for line in lever_lines(run)],
            budget=run.suite.budget,
            spent=run.spent,
            stopped=run.stopped,
            prices_of=run.suite.configs[0].prices.date,
            assumptions=assumptions(run),
            notes=list(run.notes),
            fingerprint=run.suite.fingerprint(),
        )


def pareto_front(summaries: tuple[ConfigSummary, ...]) -> set[str]:
    """The configurations that no other beats in price and share of right answers at once, by their estimates."""
    points = [
        (summary.name, summary.per_thousand.estimate, summary.correct.estimate)
        for summary in summaries
        if summary.per_thousand is not None and summary.correct is not None
    ]
    return {
        name
        for name, price, right in points
        if not any(p <= price and r >= right and (p, r) != (price, right) for _, p, r in points)
    }


def assumptions(run: Run) -> list[str]:
    """What of the results is assumed and not measured, in sentences."""
    said = []
    for config in run.suite.configs:
        if config.profile is not None:
            profile, prefix = config.profile, config.profile.prefix
            said.append(
                f"{config.name}: {profile.model} is simulated. Assumed: right in {profile.right:.0%} of the questions "
                f"whose answer it is shown, refusing {profile.refuses:.0%} of the others, answers of about "
                f"{profile.output_tokens:g} tokens. First token after {profile.first_token_seconds:g} s, then "
                f"{profile.tokens_per_second:g} tokens/s ({profile.source}). Prompt cache: {prefix.kind} "
                f"({prefix.source}). Tokens are counted by cl100k_base."
            )
    if run.suite.sample:
        said.append(
            "The sample has only a few questions, so queries repeat more than real ones do, and caches save more."
        )
    return said
