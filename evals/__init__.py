"""Evals: is it good, is it worth its price, did it change?

from evals import assert_eval, evaluate, evaluate_suite, load_dataset

`evaluate` asks an open knowledge base, `evaluate_suite` runs a suite file, `assert_eval` makes a test of either. The
metrics are in `evals.metrics`, the statistics in `evals.stats`. Needs the extra `eval`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["assert_eval", "evaluate", "evaluate_chunking", "evaluate_retrieval", "evaluate_suite", "load_dataset"]

_HOMES = {
    "assert_eval": "evals.testing",
    "evaluate": "evals.harness",
    "evaluate_chunking": "evals.chunking",
    "evaluate_retrieval": "evals.retrieval",
    "evaluate_suite": "evals.harness",
    "load_dataset": "evals.rows",
}


def __getattr__(name: str) -> Any:
    """The public functions, loaded at first use."""
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'evals' has no attribute {name!r}")
