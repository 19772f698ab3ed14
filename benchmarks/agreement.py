"""Measures how far the deterministic metrics agree with people: answers judged right or wrong, and refusals.

    python benchmarks/agreement.py --data FOLDER

The folder holds EVOUNA and FinanceBench (see benchmarks/_judged_data.py). Printed are the share of agreement and
Cohen's kappa on the held-out half, on which nothing was fitted, beside three usual rules, and for `answer_correct` also
on the half it was developed on. Intervals are 95 %, resampled by question: what several systems answer to one question
is not independent.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._judged_data import EVOUNA_SYSTEMS, Judged, load_evouna, load_financebench
from evals.metrics.correctness import answer_correct
from evals.metrics.refusal import is_refusal
from evals.metrics.text import alias_recall, exact_match, token_recall
from evals.stats import bootstrap_mean, bootstrap_statistic, kappa
from rag.answer.abstain import is_refusal as is_our_refusal

RESAMPLES = 2_000
Judge = Callable[[Judged], bool]
Floats = NDArray[np.float64]

JUDGES: dict[str, Judge] = {
    "answer_correct": lambda row: answer_correct(row.question, row.answer, row.golds).label == "correct",
    "token recall >= .5": lambda row: (token_recall(row.answer, row.golds) or 0) >= 0.5,
    "contains an alias": lambda row: alias_recall(row.answer, row.golds) == 1,
    "exact match": lambda row: exact_match(row.answer, row.golds) == 1,
}


def main() -> None:
    """Load, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    evouna, financebench = load_evouna(folder), load_financebench(folder)
    for system in EVOUNA_SYSTEMS.values():
        compare(f"EVOUNA NQ, {system}", [row for row in evouna if row.system == system])
    compare("EVOUNA NQ, all five systems", evouna)
    compare("FinanceBench, 16 systems", financebench)
    refusals(financebench)
    right = [row for row in evouna if row.correct]
    wrongly = sum(is_refusal(row.answer) for row in right)
    print(f"\nEVOUNA answers judged right and called a refusal: {wrongly} of {len(right)}")


def compare(title: str, rows: Sequence[Judged]) -> None:
    """The agreement of each judge with people."""
    held_out = [row for row in rows if not row.development]
    print(f"\n{title}: {len(rows)} answers to {len({row.question for row in rows})} questions")
    print(f"{'':<34}{'agreement':<24}kappa")
    for name, judge in JUDGES.items():
        print(f"{name + ', held out':<34}{agreement(held_out, judge)}")
        if judge is JUDGES["answer_correct"]:
            print(f"{name + ', development':<34}{agreement([row for row in rows if row.development], judge)}")


def agreement(rows: Sequence[Judged], judge: Judge) -> str:
    """The share of rows on which judge and people agree, and kappa."""
    said, people = [judge(row) for row in rows], [row.correct for row in rows]
    questions = [row.question for row in rows]
    same = [float(one == other) for one, other in zip(said, people, strict=True)]
    share = bootstrap_mean(same, clusters=questions, resamples=RESAMPLES)
    return f"{share!s:<24}{kappa(said, people, clusters=questions, resamples=RESAMPLES)}"


def refusals(rows: Sequence[Judged]) -> None:
    """F1, precision and recall of both refusal detectors."""
    print(f"\nFinanceBench refusals: {sum(row.refused is True for row in rows)} of {len(rows)} answers")
    print(f"{'':<34}{'F1':<24}precision  recall")
    halves = {
        "all": rows,
        "held out": [row for row in rows if not row.development],
        "development": [row for row in rows if row.development],
    }
    for half, some in halves.items():
        print(f"{'evals.metrics.refusal, ' + half:<34}{f1(some, is_refusal)}")
    print(f"{'rag.answer.abstain, all':<34}{f1(rows, is_our_refusal)}")


def f1(rows: Sequence[Judged], detector: Callable[[str], bool]) -> str:
    """F1 with its interval, precision and recall."""
    said = np.array([detector(row.answer) for row in rows], dtype=np.float64)
    true = np.array([row.refused for row in rows], dtype=np.float64)
    found = float(said @ true)
    precision = found / said.sum() if said.any() else float("nan")
    interval = bootstrap_statistic([said, true], _f1, clusters=[row.question for row in rows], resamples=RESAMPLES)
    return f"{interval!s:<24}{precision:<11.3f}{found / true.sum():.3f}"


def _f1(weights: Floats, said: Floats, true: Floats) -> Floats:
    return np.asarray(2 * (weights @ (said * true)) / (weights @ said + weights @ true), dtype=np.float64)


if __name__ == "__main__":
    main()
