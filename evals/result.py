"""The result of a suite as data: what `rag eval --json` prints and `result.json` holds, and whether the gate holds.

Fields are added, never renamed or removed within a major version (docs/evals.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from evals.experiment import Key
from evals.interval import IntervalOutput
from evals.metrics.contract import Metric
from evals.outcome import Outcome
from evals.run import Run
from evals.scoring import Difference, Score, Scores, Verdict, score_all, verdict_of
from evals.suite import Suite
from evals.taken import TakenOutput, taken_by
from rag.output import Output

NOTHING_TO_COMPARE = "nothing to compare with"


class ScoreOutput(Output):
    """A metric of a configuration over `rows` of the `of` rows it was asked; `failed` of all of them failed."""

    config: str
    metric: str
    unit: str
    higher_is_better: bool
    interval: IntervalOutput | None
    rows: int
    of: int
    failed: int


class DifferenceOutput(Output):
    """A configuration minus the baseline, on the rows that both have."""

    config: str
    baseline: str
    metric: str
    interval: IntervalOutput
    p_value: float
    adjusted_p_value: float
    detectable: float | None
    verdict: Verdict


class GateOutput(Output):
    """Whether the primary metric of every configuration holds against the baseline; `reasons` says where not."""

    passed: bool
    reasons: list[str]


class FailureOutput(Output):
    """How many questions of a configuration failed, with the commonest error and one question that met it."""

    config: str
    failed: int
    error: str
    example: str


class EvalOutput(Output):
    """A whole result."""

    experiment: str
    suite: str
    started: str
    primary: str
    baseline: str
    aliases: dict[str, str]
    questions: int
    seed: int
    data: str
    corpus: str
    code: str
    configs: dict[str, str]
    versions: dict[str, str]
    scores: list[ScoreOutput]
    differences: list[DifferenceOutput]
    taken: list[TakenOutput]
    gate: GateOutput
    verdict: str
    failures: list[FailureOutput]
    degraded: int
    notes: list[str]
    folder: str


def result_of(run: Run) -> tuple[EvalOutput, Scores]:
    """Score a run and say what it shows."""
    suite, experiment = run.suite, run.experiment
    names = [config.name for config in suite.configs]
    scores = score_all(
        run.dataset, experiment.outcomes, names, suite.metrics, suite.baseline, primary=suite.primary, seed=suite.seed
    )
    metrics = {metric.name: metric for metric in suite.metrics}
    fingerprint = experiment.manifest.fingerprint
    primary = [difference for difference in scores.differences if difference.metric == suite.primary]
    own = [difference for difference in primary if difference.config in suite.own]
    output = EvalOutput(
        experiment=experiment.manifest.id,
        suite=suite.name,
        started=experiment.manifest.started,
        primary=suite.primary,
        baseline=suite.baseline,
        aliases=dict(suite.aliases),
        questions=len(run.dataset.examples),
        seed=suite.seed,
        data=fingerprint["data"],
        corpus=fingerprint["corpus"],
        code=fingerprint["code"],
        configs=dict(fingerprint["configs"]),
        versions=dict(fingerprint["versions"]),
        scores=[score_output(score, metrics[score.metric]) for score in scores.scores],
        differences=[difference_output(difference) for difference in scores.differences],
        taken=[
            taken_by(run.dataset, experiment.outcomes, name, scores.cells.get((name, "correct")), seed=suite.seed)
            for name in names
        ],
        gate=gate(suite, scores),
        verdict=_verdict(own, suite.primary),
        failures=[found for name in names if (found := failure_of(name, experiment.outcomes)) is not None],
        degraded=sum(bool(outcome.answer and outcome.answer.degraded) for outcome in experiment.outcomes.values()),
        notes=list(run.notes),
        folder=str(experiment.folder),
    )
    return output, scores


def gate(suite: Suite, scores: Scores) -> GateOutput:
    """The gate holds unless a difference on the primary metric is worse than the margin, beyond chance.

    It does not hold, either, where nothing can be compared: it would let everything through.
    """
    higher_is_better = next(metric for metric in suite.metrics if metric.name == suite.primary).higher_is_better
    primary = [score for score in scores.scores if score.metric == suite.primary]
    reasons = [
        f"{score.config} answered none of its {score.of:,} questions"
        for score in primary
        if score.failed == score.of and score.config in {suite.baseline, *suite.own}
    ]
    differences = {found.config: found for found in scores.differences if found.metric == suite.primary}
    for config in suite.own:
        if config == suite.baseline:
            continue
        found = differences.get(config)
        if found is None:
            reasons.append(f"{config} and {suite.baseline} have fewer than two questions to compare {suite.primary} on")
        elif verdict_of(found.interval, higher_is_better=higher_is_better, margin=suite.margin) == "worse":
            ends = f"[{found.interval.low:+.3g}, {found.interval.high:+.3g}]"
            reasons.append(
                f"{config} is worse than {suite.baseline} on {suite.primary}: {found.interval.estimate:+.3g} {ends}"
            )
    return GateOutput(passed=not reasons, reasons=reasons)


def failure_of(config: str, outcomes: Mapping[Key, Outcome]) -> FailureOutput | None:
    """Why questions of `config` failed, if any did."""
    failed = [(key[1], outcome.error) for key, outcome in outcomes.items() if key[0] == config and outcome.error]
    if not failed:
        return None
    error, _ = Counter(error for _, error in failed).most_common(1)[0]
    example = next(name for name, met in failed if met == error)
    return FailureOutput(config=config, failed=len(failed), error=error, example=example)


def score_output(score: Score, metric: Metric) -> ScoreOutput:
    """A score as data."""
    return ScoreOutput(
        config=score.config,
        metric=score.metric,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        interval=None if score.interval is None else IntervalOutput.of(score.interval),
        rows=score.rows,
        of=score.of,
        failed=score.failed,
    )


def difference_output(found: Difference) -> DifferenceOutput:
    """A difference as data."""
    return DifferenceOutput(
        config=found.config,
        baseline=found.baseline,
        metric=found.metric,
        interval=IntervalOutput.of(found.interval),
        p_value=found.p_value,
        adjusted_p_value=found.adjusted,
        detectable=found.detectable,
        verdict=found.verdict,
    )


def _verdict(differences: Sequence[Difference], primary: str) -> str:
    """One sentence on each configuration of the suite's own."""
    if not differences:
        return NOTHING_TO_COMPARE
    return (
        "; ".join(
            f"{found.config}: {found.verdict} than {found.baseline}"
            if found.verdict != "no difference shown"
            else f"{found.config}: no difference to {found.baseline} shown"
            + (f" ({found.detectable:.3g} would be seen in 8 of 10 cases)" if found.detectable else "")
            for found in differences
        )
        + f", on {primary}"
    )
