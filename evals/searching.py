"""Measures search alone: one knowledge base, searched as configured, by either side alone, and by each fusion."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.corpus import Corpus, ingested, knowledge_base, located_in
from evals.dataset import Dataset
from evals.experiment import Key
from evals.extra import require_extra
from evals.metrics.registry import find_metric
from evals.outcome import Outcome
from evals.result import DifferenceOutput, ScoreOutput, difference_output, score_output
from evals.run import OnRow
from evals.scoring import score_all
from plumbline.aio import run_here
from rag import RAG
from rag.config import build, home_folder, read_rag_settings
from rag.output import Output
from rag.retrieve.learned import FILE
from rag.retrieve.settings import RetrievalSettings
from rag.settings import RagSettings

ALONE: dict[str, dict[str, Any]] = {"bm25": {"mode": "lexical"}, "dense": {"mode": "dense"}}
FUSIONS = ("rrf", "weighted", "dbsf")
ADDED = ("neighbours", "question", "rerank")
"""What is asked or computed beside both sides of the store and their fusion."""


class SearchOutput(Output):
    """What `rag eval retrieval --json` and `rag eval chunking --json` print."""

    name: str
    queries: int
    documents: int
    chunks: int
    embedder: str
    baseline: str
    scores: list[ScoreOutput]
    differences: list[DifferenceOutput]
    notes: list[str]


def measure_search(
    dataset: Dataset,
    corpora: Sequence[Corpus],
    *,
    key: Path,
    metrics: Sequence[str],
    top_k: int,
    config: str | Path | None,
    settings: Mapping[str, Any] | None,
    home: str | Path | None,
    on_row: OnRow | None,
    fusions: bool = False,
    seed: int = 0,
) -> SearchOutput:
    """Ingest `corpora` into the knowledge base kept for `key`, search it in each way and score what was found.

    The ways are the configured one, BM25 alone, which is the baseline, vectors alone, and the `fusions`, also the
    learned one where one was fitted. What a configuration adds to a search (a reranker, rewritten questions) these do
    without. The `top_k` best chunks are scored.

    Raises `ConfigError`, `InputError`, `ModelError` of the embedder, `StateError`.
    """
    require_extra()
    chosen = [find_metric(name) for name in metrics]
    overrides = {**(settings or {}), "retrieval.top_k": top_k}
    overrides.setdefault("retrieval.top_n", 1)
    read = read_rag_settings(config, overrides=overrides)
    folder = home_folder(home)
    path = knowledge_base(key, read, folder)
    names = (*FUSIONS, *(["learned"] if (path / FILE).exists() else [])) if fusions else ()
    ways = ways_to_search(read.retrieval, ALONE | {name: {"mode": "hybrid", "fusion": name} for name in names})
    located, outcomes, facts = run_here(_search(dataset, corpora, path, read, ways, folder, top_k, on_row))
    scores = score_all(located, outcomes, list(ways), chosen, "bm25", seed=seed)
    by_name = {metric.name: metric for metric in chosen}
    return SearchOutput(
        name=dataset.name,
        queries=len(dataset.examples),
        baseline="bm25",
        scores=[score_output(score, by_name[score.metric]) for score in scores.scores],
        differences=[difference_output(found) for found in scores.differences],
        **facts,
    )


def ways_to_search(asked: RetrievalSettings, beside: Mapping[str, Mapping[str, Any]]) -> dict[str, RetrievalSettings]:
    """By name, the configured one first, called after its mode; none twice."""
    plain = asked.model_copy(update={name: RetrievalSettings.model_fields[name].get_default() for name in ADDED})
    others = {name: plain.model_copy(update=dict(change)) for name, change in beside.items()}
    alone = next((name for name in ALONE if others.get(name) == asked), None)
    ways = {alone or asked.mode: asked}
    return ways | {name: other for name, other in others.items() if other != asked}


async def _search(
    dataset: Dataset,
    corpora: Sequence[Corpus],
    path: Path,
    settings: RagSettings,
    ways: Mapping[str, RetrievalSettings],
    home: Path,
    top_k: int,
    on_row: OnRow | None,
) -> tuple[Dataset, dict[Key, Outcome], dict[str, Any]]:
    outcomes: dict[Key, Outcome] = {}
    notes: list[str] = []
    total = len(ways) * len(dataset.examples)
    for name, retrieval in ways.items():
        async with RAG(build(path, settings.model_copy(update={"retrieval": retrieval}), home=home)) as kb:
            if not outcomes:
                for corpus in corpora:
                    notes += await ingested(kb, corpus)
                dataset = located_in(kb, dataset)
            for example in dataset.examples:
                started = time.perf_counter()
                hits = await kb.asearch(example.question, top_k=top_k)
                outcomes[name, example.id] = Outcome(None, tuple(hits), seconds=time.perf_counter() - started)
                if on_row is not None:
                    on_row(len(outcomes), total)
            totals, embedder = kb.status().totals, kb.status().facts["embedder"]
    facts = {"documents": totals.documents, "chunks": totals.chunks, "embedder": embedder, "notes": notes}
    return dataset, outcomes, facts
