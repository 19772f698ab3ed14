"""The composition root: turns settings into the parts of a knowledge base.

The only file that knows every implementation, with `rag.models` and `rag.calls`, which it joins.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.database import open_database
from plumbline.prompts import load_prompt
from plumbline.reading import ReadConnection
from plumbline.settings import read_settings
from plumbline.text.tokens import tokenizer
from rag.calls import Calls, close_protection, protection_of
from rag.home import HOME_FILE, Home, home_folder, open_home
from rag.index import components
from rag.index.build_store import build_store
from rag.index.catalogue import Catalogue
from rag.index.changes import Changes
from rag.index.fields import KnownFields
from rag.index.generations import Generations
from rag.index.identity import identity_component
from rag.index.live import LiveIndex
from rag.index.manifest import Manifest
from rag.ingest.chunk import Chunker
from rag.ingest.chunk.build import build_chunker, build_splitter
from rag.models import Models
from rag.parts import KNOWLEDGE_FILE, Parts
from rag.retrieve.build_rerank import check_rerank_model
from rag.retrieve.fusion import build_fusion
from rag.retrieve.question_filters_names import DocumentNames
from rag.retrieve.read import Reader
from rag.retrieve.search import Retriever
from rag.retrieve.transform import build_planner
from rag.settings import RagSettings
from routing.chat import ChatModel
from routing.models.catalog import DEFAULT_CATALOG, Catalog
from routing.policy.build import NO_FALLBACK, leaves
from routing.policy.check import check_chains, check_rules
from routing.protection import Protection
from routing.vectors import Embedder, Reranker

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rag.ingest.sync import Ingestor

__all__ = [
    "HOME_FILE",
    "KNOWLEDGE_FILE",
    "Home",
    "Parts",
    "build",
    "build_ingestor",
    "embedding_facts",
    "home_folder",
    "open_home",
    "protection_of",
    "read_rag_settings",
]


def read_rag_settings(
    config: str | Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    catalog: Catalog = DEFAULT_CATALOG,
) -> RagSettings:
    """The settings from all their layers; raises `ConfigError`, also for models that cannot be known."""
    environ = os.environ if environ is None else environ

    def check_all(names: list[str]) -> None:
        for name in names:
            catalog.check_chat_model(name)

    return read_settings(
        RagSettings,
        config=config,
        environ=environ,
        overrides=overrides,
        checks={
            "generation.model": catalog.check_chat_model,
            "embedding.model": catalog.check_embedder,
            "retrieval.rerank.model": lambda name: check_rerank_model(name, catalog),
            "routing.fallback": lambda name: None if name == NO_FALLBACK else catalog.check_chat_model(name),
            "routing.rules": lambda rules: check_rules(rules, catalog.check_chat_model, leaves),
            "routing.fallbacks": lambda chains: check_chains(chains, catalog.check_chat_model),
            "serve.models": check_all,
        },
    )


def build(
    path: str | Path,
    settings: RagSettings,
    *,
    home: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    catalog: Catalog = DEFAULT_CATALOG,
    model: ChatModel | None = None,
    embedder: Embedder | None = None,
    reranker: Reranker | None = None,
    protection: Protection | None = None,
) -> Parts:
    """Open or create the knowledge base in the folder `path` with everything it needs.

    `model`, `embedder` and `reranker` take the place of those that the settings name. `protection` is what several
    knowledge bases share, and stays its owner's; they share connections, too, if the `catalog` does.

    Raises `ConfigError`, `ModelError` (an API key is missing), `MissingExtraError` or `StateError`. That a knowledge
    base was built with another embedder is said when it is searched: ingesting changes it over.
    """
    environ = os.environ if environ is None else environ
    catalog = catalog.connected() if catalog.connections is None else catalog
    models = Models(settings, catalog, environ, model, embedder, reranker)
    made = models.embedder()
    with ExitStack() as undo:
        opened_home = open_home(home, environ=environ, record_text=settings.trace.record_text)
        undo.callback(opened_home.close)
        guard = protection or protection_of(opened_home, settings)
        if protection is None:
            undo.callback(close_protection, guard)
        calls = Calls.of(models, made, opened_home, guard)
        base = _Base.open(Path(path).expanduser(), undo)
        parts = _joined(base, models, calls, opened_home, shares_protection=protection is not None)
        undo.pop_all()
    return parts


@dataclass(frozen=True, slots=True)
class _Base:
    """The database of a knowledge base, and what reads it."""

    folder: Path
    file: Path
    engine: Engine
    catalogue: Catalogue
    changes: Changes

    @classmethod
    def open(cls, folder: Path, undo: ExitStack) -> _Base:
        """Open or create it; `undo` is told how to close it."""
        file = folder / KNOWLEDGE_FILE
        stores = [components.catalogue_component(), components.embedded_store_component(), identity_component()]
        engine = open_database(file, stores)
        undo.callback(engine.dispose)
        reader = ReadConnection(file)
        return cls(folder, file, engine, Catalogue(engine, file, reader), Changes(file, reader))


def _joined(base: _Base, models: Models, calls: Calls, home: Home, *, shares_protection: bool) -> Parts:
    """The parts over what is open already."""
    settings, meter = models.settings, calls.routers.meter
    make_router = calls.cutting.get if settings.chunking.batch else calls.writing.get
    chunker = build_chunker(settings.chunking, calls.embedder, models.name, make_router, meter.prices)
    live = _live(base, models, calls, chunker)
    return Parts(
        path=base.folder,
        settings=settings,
        engine=base.engine,
        home=home,
        catalogue=base.catalogue,
        manifest=Manifest(base.engine, base.file),
        changes=base.changes,
        known_fields=KnownFields(base.engine, base.file, base.changes),
        live=live,
        embedder=calls.embedder,
        chunker=chunker,
        retriever=_retriever(base, live, models, calls),
        model_name=models.name,
        routes=calls.routes,
        routers=calls.routers,
        answering=calls.answering,
        staying=calls.staying,
        writing=calls.writing,
        meter=meter,
        protection=calls.routers.protection,
        shares_protection=shares_protection,
        system_prompt=load_prompt(settings.answer.system_prompt),
        question_prompt=load_prompt(settings.answer.question_prompt),
    )


def _live(base: _Base, models: Models, calls: Calls, chunker: Chunker) -> LiveIndex:
    embedder = calls.embedder.embedder
    stores = build_store(
        models.settings.store, dim=embedder.dim, engine=base.engine, file=base.file, environ=models.environ
    )
    facts = {**embedding_facts(embedder), "chunking": chunker.name}
    return LiveIndex(Generations(base.engine, base.file, base.changes), stores, facts, base.folder)


def _retriever(base: _Base, live: LiveIndex, models: Models, calls: Calls) -> Retriever:
    settings, seen = models.settings, calls.routers.protection.typical_seconds
    retrieval, name, meter = settings.retrieval, calls.embedder.embedder.name, calls.routers.meter
    planner = build_planner(
        retrieval.question,
        writer=models.writer(seen),
        make_router=calls.writing.get,
        names=DocumentNames(base.engine, base.file, base.changes),
        seconds=settings.generation.timeout_seconds,
    )
    return Retriever(
        live,
        calls.embedder,
        base.catalogue,
        retrieval,
        meter.tracing,
        Reader(base.catalogue, retrieval, lambda text: tokenizer(settings.chunking.tokenizer).count(text)),
        cache(lambda scorer: build_fusion(retrieval, name, scorer, base.folder)),
        planner,
        models.needed(),
        models.rerank_stage(calls.embedder, calls.writing.get, meter, seen),
    )


def build_ingestor(parts: Parts) -> Ingestor:
    """What brings documents into the knowledge base that `parts` make up."""
    from rag.index.backlog import Backlog
    from rag.ingest.engine.choose import engine_for
    from rag.ingest.indexing import Indexer
    from rag.ingest.sync import Ingestor

    backlog = Backlog(parts.engine, parts.path / KNOWLEDGE_FILE)
    chunking = parts.settings.chunking
    return Ingestor(
        folder=parts.path,
        manifest=parts.manifest,
        indexer=Indexer(parts.catalogue, backlog, parts.live, parts.embedder, parts.chunker),
        loading=parts.settings.loading,
        splitting=None if build_splitter(chunking) is None else chunking,
        make_engine=lambda recipe, jobs: engine_for(recipe, jobs, workers=recipe.loading.workers),
        tracing=parts.home.tracing,
    )


def embedding_facts(embedder: Embedder) -> dict[str, str]:
    """What the vectors of a knowledge base depend on."""
    return {"embedder": embedder.name, "dim": str(embedder.dim)}
