"""`rag fit fusion`: learns from labelled questions how to fuse, and keeps what is certified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.corpus import ingested, knowledge_base, located_in
from evals.dataset import Dataset
from evals.extra import require_extra
from evals.formats.judged_folder import load_judged
from evals.interval import IntervalOutput
from evals.metrics.contract import Metric
from evals.metrics.registry import find_metric
from evals.retrieval_asked import Searched
from evals.retrieval_learning import Asked, Learning, learn
from evals.rows import load_dataset
from evals.run import OnRow
from plumbline.aio import run_here
from plumbline.errors import InputError
from rag import RAG
from rag.config import KNOWLEDGE_FILE, build, home_folder, read_rag_settings
from rag.output import Output
from rag.retrieve.fuse import default_dense_weight
from rag.retrieve.learned import FEATURES_VERSION, Fitted, FusionArtifact

METRICS = ("ndcg@10", "page_hit@10", "char_recall@5")
"""The first that applies to the labels is what is fitted for."""

DELTA = 0.05
MARGIN = 0.01


class FitOutput(Output):
    """What `rag fit fusion --json` prints: `artifact` is what was written to `path`.

    `cross_validated` is over all `questions`; those `left_out` have no label that the metric needs.
    """

    path: str
    questions: int
    left_out: int
    cross_validated: IntervalOutput
    artifact: FusionArtifact
    notes: list[str]


def fit_fusion(
    data: str | Path,
    *,
    kb: str | Path | None = None,
    split: str | None = None,
    metric: str | None = None,
    delta: float = DELTA,
    margin: float = MARGIN,
    limit: int | None = None,
    config: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    home: str | Path | None = None,
    seed: int = 0,
    on_row: OnRow | None = None,
) -> FitOutput:
    """Fit the fusion of a knowledge base on labelled questions and write `fusion.json` into its folder.

    `data` is a JSONL file of questions about the documents in `kb`, or a folder of judged queries, which without a `kb`
    is searched in the knowledge base that `rag eval retrieval` keeps for it. What is guaranteed is said in
    `evals.retrieval_learning`. Raises `InputError` for too few questions or labels that do not fit, `ConfigError`,
    `ModelError` of the embedder, `StateError`.
    """
    require_extra()
    if not (0 < delta < 1 and 0 <= margin < 1):
        raise InputError(f"delta must lie between 0 and 1, and margin from 0 to 1; {delta} and {margin} were given.")
    read = read_rag_settings(config, overrides=settings)
    folder = home_folder(home)
    corpus = None
    if Path(data).is_dir():
        dataset, corpus = load_judged(Path(data), split)
    else:
        dataset = load_dataset(data)
    path = _where(data, kb, None if corpus is None else knowledge_base(corpus.path, read, folder))
    unfused = {"retrieval": read.retrieval.model_copy(update={"fusion": "weighted"})}

    async def run() -> FitOutput:
        async with RAG(build(path, read.model_copy(update=unfused), home=home)) as base:
            notes = await ingested(base, corpus) if corpus is not None and kb is None else []
            return await _fit(base, dataset.limited(limit), metric, (delta, margin, seed), notes, on_row)

    return run_here(run())


def _where(data: str | Path, kb: str | Path | None, kept: Path | None) -> Path:
    """The folder of the knowledge base; `kept` is the one of the data's own corpus."""
    if kb is None and kept is not None:
        return kept
    if kb is None or not (Path(kb) / KNOWLEDGE_FILE).exists():
        raise InputError(
            f"{data} holds questions, and no documents." if kb is None else f"There is no knowledge base in {kb}.",
            hint="Name the folder of the knowledge base they are about: --kb kb.",
        )
    return Path(kb)


async def _fit(
    kb: RAG,
    dataset: Dataset,
    name: str | None,
    certifying: tuple[float, float, int],
    notes: list[str],
    on_row: OnRow | None,
) -> FitOutput:
    """Search, learn, certify, save."""
    metric = _metric_for(dataset, name)
    live = kb.parts.live.current()
    searched = Searched(kb, live, metric)
    labelled = [example for example in located_in(kb, dataset).examples if metric.applies(example)]
    asked: list[Asked] = []
    for example in labelled:
        asked.append(await searched.ask(example))
        if on_row is not None:
            on_row(len(asked), len(labelled))
    settings, embedder = kb.parts.settings.retrieval, kb.parts.embedder.embedder.name
    weight = default_dense_weight(embedder) if settings.dense_weight is None else settings.dense_weight
    learning = Learning(searched.vectors, weight)
    learned = learn(learning, asked, metric.name, *certifying)
    artifact = FusionArtifact(
        features=FEATURES_VERSION,
        embedder=embedder,
        scorer=live.store.lexical_scorer,
        candidates=settings.candidates,
        weights=dict(learned.weights.features),
        neighbours=learned.weights.neighbours,
        dense_weight=weight,
        fitted=Fitted(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            data=dataset.name,
            data_hash=dataset.hash,
            questions=learned.fitted_on,
            cross_validated=float(learned.cross_validated.estimate),
        ),
        certificate=learned.certificate,
    )
    return FitOutput(
        path=str(artifact.save(kb.parts.path)),
        questions=len(labelled),
        left_out=len(dataset.examples) - len(labelled),
        cross_validated=IntervalOutput.of(learned.cross_validated),
        artifact=artifact,
        notes=notes,
    )


def _metric_for(dataset: Dataset, name: str | None) -> Metric:
    names: Sequence[str] = METRICS if name is None else (name,)
    for metric in map(find_metric, names):
        if any(metric.applies(example) for example in dataset.examples):
            return metric
    raise InputError(
        f"No question of {dataset.name} has labels for {' or '.join(names)}.",
        hint='Say where the answers stand: "document", "page" or "spans" (see docs/evals.md).',
    )
