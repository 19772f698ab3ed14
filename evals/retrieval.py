"""`rag eval retrieval`: search on judged queries, as configured, by either side alone, by each fusion."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.formats.judged_folder import load_judged
from evals.run import OnRow
from evals.searching import SearchOutput, measure_search

DEFAULT_METRICS = ("ndcg@10", "recall@10", "recall@100", "mrr", "map")
DEPTH = 100


def evaluate_retrieval(
    folder: str | Path,
    *,
    split: str | None = None,
    metrics: Sequence[str] | None = None,
    limit: int | None = None,
    config: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    home: str | Path | None = None,
    on_row: OnRow | None = None,
) -> SearchOutput:
    """Rank the documents of `folder` for its queries and score the rankings; a document counts at its best chunk.

    `split` names the qrels, `config` and `settings` what is measured. `folder` is in BEIR's layout or holds the
    files of Cranfield; titles are titles. Raises `InputError` for a folder that is neither, `ConfigError`, `ModelError`
    of the embedder, `StateError`.
    """
    chosen = tuple(metrics or DEFAULT_METRICS)
    dataset, corpus = load_judged(Path(folder), split)
    depths = [int(match[1]) for name in chosen if (match := re.search(r"@(\d+)$", name))]
    return measure_search(
        dataset.limited(limit),
        [corpus],
        key=corpus.path,
        metrics=chosen,
        top_k=max(DEPTH, *depths) if depths else DEPTH,
        config=config,
        settings=settings,
        home=home,
        on_row=on_row,
        fusions=True,
    )
