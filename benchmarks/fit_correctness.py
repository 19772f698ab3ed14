"""Fits the weights of `evals.metrics.correctness` on the development half of EVOUNA and prints them.

    python benchmarks/fit_correctness.py --data FOLDER

Logistic regression with a small ridge on the columns of `evals.metrics.evidence`, over the answers that no rule
decides. The held-out half is not read; `benchmarks/agreement.py` measures on it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._judged_data import load_evouna
from evals.metrics.correctness import answer_correct
from evals.metrics.evidence import COLUMNS, weigh

RIDGE = 1.0
Floats = NDArray[np.float64]


def main() -> None:
    """Load, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    rows = [row for row in load_evouna(parser.parse_args().data) if row.development]
    weighed = [row for row in rows if answer_correct(row.question, row.answer, row.golds).reason.startswith("holds")]
    columns = np.array([weigh(row.question, row.answer, row.golds).row for row in weighed])
    bias, weights = fitted(columns, np.array([row.correct for row in weighed], dtype=np.float64))
    print(f"{len(weighed)} of {len(rows)} answers are decided by weighing\nBIAS = {bias:.2f}\nWEIGHTS = {{")
    for column, weight in zip(COLUMNS, weights, strict=True):
        print(f'    "{column}": {weight:.2f},')
    print("}")


def fitted(columns: Floats, right: Floats, steps: int = 30) -> tuple[float, Floats]:
    """Bias and weights, by Newton's method on standardised columns."""
    mean, spread = columns.mean(axis=0), columns.std(axis=0)
    spread[spread == 0] = 1
    rows = np.column_stack([np.ones(len(columns)), (columns - mean) / spread])
    ridge = RIDGE * np.eye(rows.shape[1])
    ridge[0, 0] = 0
    weights = np.zeros(rows.shape[1])
    for _ in range(steps):
        odds = 1 / (1 + np.exp(-rows @ weights))
        gradient = rows.T @ (odds - right) + ridge @ weights
        weights -= np.linalg.solve((rows.T * (odds * (1 - odds))) @ rows + ridge, gradient)
    own = weights[1:] / spread
    return float(weights[0] - own @ mean), own


if __name__ == "__main__":
    main()
