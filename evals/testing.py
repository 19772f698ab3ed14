"""`assert_eval`: quality as a test, for pytest or anything else that understands `AssertionError`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from evals import show
from evals.dataset import Dataset
from evals.harness import evaluate, evaluate_suite
from evals.result import ScoreOutput
from evals.settings import BASELINES
from plumbline.errors import InputError
from rag import RAG


def assert_eval(
    what: RAG | str | Path,
    data: Dataset | str | Path | None = None,
    *,
    at_least: Mapping[str, float] | None = None,
    at_most: Mapping[str, float] | None = None,
    sure: bool = False,
    out: str | Path = "experiments",
    home: str | Path | None = None,
) -> None:
    """Fail when answers are not good enough.

    `what` is an open knowledge base, asked the questions of `data`; or a suite file, whose gate has to hold, too, and
    of which the bounds are for its own configurations. `at_least` and `at_most` map metrics to bounds, kept by the
    estimate, or by the whole 95 % interval if you want to be `sure`. Raises `AssertionError` with the scores, and
    what `evaluate` and `evaluate_suite` raise.
    """
    bounds = {**(at_least or {}), **(at_most or {})}
    if isinstance(what, RAG):
        if data is None or not bounds:
            raise InputError("assert_eval of a knowledge base needs data, and bounds: at_least={'correct': 0.8}.")
        scores, reasons = evaluate(what, data, metrics=tuple(bounds)), []
    else:
        if data is not None:
            raise InputError(f"assert_eval of the suite {what} takes no data: the suite names it.")
        output = evaluate_suite(what, out=out, home=home)
        scores = [score for score in output.scores if score.config not in BASELINES]
        reasons = list(output.gate.reasons)
        unknown = set(bounds) - {score.metric for score in scores}
        if unknown:
            raise InputError(f"The suite {what} does not measure {', '.join(sorted(unknown))}.")
    for bound, least in ((at_least, True), (at_most, False)):
        reasons += _missed(scores, bound or {}, least=least, sure=sure)
    if reasons:
        raise AssertionError("\n".join(reasons))


def _missed(scores: list[ScoreOutput], bounds: Mapping[str, float], *, least: bool, sure: bool) -> Iterator[str]:
    for score in scores:
        if score.metric not in bounds:
            continue
        bound = bounds[score.metric]
        if score.interval is None:
            yield f"{score.config}: {score.metric} applies to no question"
            continue
        found = score.interval.estimate
        if sure:
            end = score.interval.low if least else score.interval.high
            found = (-math.inf if least else math.inf) if end is None else end
        if found < bound if least else found > bound:
            yield (
                f"{score.config}: {score.metric} is {show.interval(score.interval)}, should be "
                f"{'at least' if least else 'at most'} {bound} ({score.rows} questions, {score.failed} failed)"
            )
