"""The reranking stage that a configuration names."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from plumbline.errors import ConfigError
from rag.retrieve.rerank import PassageScorer, RerankStage
from rag.retrieve.settings import NO_RERANKER, RetrievalSettings
from routing.embedding import MeteredEmbedder
from routing.errors import UnknownModelError
from routing.meter import Meter
from routing.models.catalog import Catalog
from routing.policy.build import leaves
from routing.policy.step import Step
from routing.reranking import MeteredReranker
from routing.router import Router
from routing.settings import RetrySettings
from routing.vectors import Reranker, TokenEmbedder

KEY = "retrieval.rerank.model"
MAXSIM = "maxsim"
LLM = "llm"
_OWN = (NO_RERANKER, MAXSIM, LLM)
_NO_ORDER = "extractive/"  # answers from sentences, whatever it is told


def check_rerank_model(name: str, catalog: Catalog) -> None:
    """Raise `UnknownModelError` when `name` cannot be a reranker's; needs no key and imports nothing heavy."""
    if name in _OWN:
        return
    try:
        catalog.check_reranker(name)
    except UnknownModelError as error:
        near = [] if "/" in name else difflib.get_close_matches(name, _OWN, n=1, cutoff=0.5)
        if not near:
            raise
        raise UnknownModelError(error.message, model=name, hint=f"Did you mean '{near[0]}'?") from error


def build_rerank_stage(
    settings: RetrievalSettings,
    catalog: Catalog,
    embedder: MeteredEmbedder,
    router: Callable[[], Router],
    meter: Meter,
    *,
    retry: RetrySettings,
    writer: Step,
    embedding: Step,
    seconds: float,
    environ: Mapping[str, str] | None = None,
    reranker: Reranker | None = None,
) -> RerankStage | None:
    """The stage for `retrieval.rerank`, `None` when it would do nothing.

    `router` gives what "llm" asks, `writer` is its chat model, whose calls have `seconds`, `embedding` the embedder;
    `reranker` takes the place of the one that is named. Raises `UnknownModelError`, `MissingKeyError`,
    `MissingExtraError`, and `ConfigError` for what the other models cannot do.
    """
    wanted = settings.rerank
    if reranker is None and wanted.model == NO_RERANKER and wanted.diversity == 0:
        return None
    scorer: PassageScorer | None = None
    step: Step | None = None
    if reranker is None and wanted.model == LLM:
        scorer, step = _listwise(router, writer.name, seconds), replace(writer, setting=KEY)
    elif reranker is not None or wanted.model != NO_RERANKER:
        made = reranker or _made(wanted.model, catalog, embedder, os.environ if environ is None else environ)
        scorer = MeteredReranker(made, meter=meter, retry=retry)
        named = wanted.model if reranker is None else reranker.name
        step = Step(made.name, KEY, embedding.leaves if named == MAXSIM else leaves(named), writer.p50)
    share = default_share(wanted.model, embedder.embedder.name) if reranker is None else 1.0
    return RerankStage(scorer, blend=share, skip_margin=wanted.skip_margin, diversity=wanted.diversity, step=step)


def default_share(reranker: str, embedder: str) -> float:
    """The share of the reranker in the score that orders, beside the search's; a default, not a guarantee.

    Those that were not trained to rank do better together with the search: `benchmarks/rerank.py` measures it. All
    others decide alone.
    """
    if reranker == MAXSIM:
        return 0.2 if embedder.startswith("embedded/") else 0.6
    return 0.4 if reranker == "extractive/default" else 1.0


def _made(name: str, catalog: Catalog, embedder: MeteredEmbedder, environ: Mapping[str, str]) -> Reranker:
    if name != MAXSIM:
        return catalog.reranker(name, environ=environ)
    if not embedder.reads_tokens:
        raise ConfigError(
            f"The embedder {embedder.embedder.name} gives no vectors of tokens, which 'maxsim' compares.",
            key=KEY,
            value=name,
            hint='Take "embedded/wordllama" or an "st/…" model to embed, or another reranker.',
        )
    from rag.retrieve.maxsim import MaxSimReranker

    return MaxSimReranker(cast("TokenEmbedder", embedder.embedder))


def _listwise(router: Callable[[], Router], model: str, seconds: float) -> PassageScorer:
    if model.startswith(_NO_ORDER):
        raise ConfigError(
            f"{KEY} is {LLM}: a chat model orders the passages, and {model} cannot.",
            key=KEY,
            value=LLM,
            hint="Name a chat model with generation.model, or another reranker.",
        )
    from rag.retrieve.listwise import ListwiseReranker

    return ListwiseReranker(router, model, seconds=seconds)
