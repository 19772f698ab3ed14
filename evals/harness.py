"""The front door of evals as a library: run a suite file, get its result; the files are written beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.corpus import located_in
from evals.dataset import Dataset, Example
from evals.experiment import Key, finish
from evals.extra import require_extra
from evals.metrics.registry import find_metric
from evals.outcome import Outcome
from evals.report.suite import suite_page
from evals.result import EvalOutput, ScoreOutput, result_of, score_output
from evals.rows import load_dataset
from evals.run import OnRow, ask_all, run_suite
from evals.scoring import score_all
from evals.settings import DEFAULT_METRICS
from evals.suite import load_suite
from plumbline.aio import run_here
from rag import RAG
from rag.config import home_folder

KB = "kb"


def evaluate(
    kb: RAG,
    data: Dataset | str | Path,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    concurrency: int = 4,
    seed: int = 0,
    on_row: OnRow | None = None,
) -> list[ScoreOutput]:
    """Ask an open knowledge base the questions of `data` (a data set, or the path of one) and score the answers.

    A question that fails counts as 0 and is counted in `failed`. Raises `InputError` for labels that the documents do
    not bear out, `ConfigError` for an unknown metric, and `ModelError` for a wrong key or an unknown model.
    """
    require_extra()
    chosen = [find_metric(name) for name in metrics]
    dataset = located_in(kb, data if isinstance(data, Dataset) else load_dataset(data))
    outcomes: dict[Key, Outcome] = {}

    def keep(example: Example, outcome: Outcome) -> None:
        outcomes[KB, example.id] = outcome
        if on_row is not None:
            on_row(len(outcomes), len(dataset.examples))

    run_here(ask_all(kb, dataset.examples, keep, concurrency))
    by_name = {metric.name: metric for metric in chosen}
    scores = score_all(dataset, outcomes, [KB], chosen, KB, seed=seed).scores
    return [score_output(score, by_name[score.metric]) for score in scores]


def evaluate_suite(
    suite: str | Path,
    *,
    out: str | Path = "experiments",
    home: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    afresh: bool = False,
    on_row: OnRow | None = None,
) -> EvalOutput:
    """Run the suite in the YAML file `suite` and write its experiment under `out`.

    An unfinished experiment of the same suite is gone on with, unless `afresh`. Raises `ConfigError` or `InputError`
    for a broken suite, `ModelError` for a model that cannot be asked at all; what was answered by then stays.
    """
    folder = home_folder(home)
    require_extra()
    loaded = load_suite(suite, home=folder, overrides=overrides)
    run = run_here(run_suite(loaded, Path(out), home=folder, afresh=afresh, on_row=on_row))
    output, scores = result_of(run)
    finish(run.experiment, output.model_dump_json(indent=2), suite_page(run, output, scores))
    return output
