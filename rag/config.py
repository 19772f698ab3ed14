"""The composition root: turns settings into the parts of a knowledge base.

The only file that knows every implementation.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from plumbline.database import open_database
from plumbline.prompts import Prompt, load_prompt
from plumbline.reading import ReadConnection
from plumbline.settings import read_settings
from plumbline.text.tokens import tokenizer
from plumbline.trace import Tracing
from plumbline.trace import component as traces_component
from rag.index import components
from rag.index.build_store import build_store
from rag.index.catalogue import Catalogue
from rag.index.changes import Changes
from rag.index.fields import KnownFields, check_filter
from rag.index.filter_parse import parse_filter
from rag.index.filters import Filter
from rag.index.generations import Generations
from rag.index.identity import identity_component
from rag.index.live import LiveIndex
from rag.index.manifest import Manifest
from rag.index.store import Store
from rag.ingest.chunk import BatchChunker, Chunker
from rag.ingest.chunk.build import build_chunker, build_splitter
from rag.retrieve.access import Access
from rag.retrieve.build_rerank import build_rerank_stage, check_rerank_model
from rag.retrieve.fusion import build_fusion
from rag.retrieve.plan import Planner
from rag.retrieve.question_filters_names import DocumentNames
from rag.retrieve.read import Reader
from rag.retrieve.rerank import RerankStage
from rag.retrieve.search import Retriever
from rag.retrieve.transform import build_planner
from rag.settings import RagSettings
from routing.batch.store import component as batches_component
from routing.chat import ChatModel
from routing.cost.budget_tables import component as budgets_component
from routing.cost.ledger import Ledger
from routing.cost.ledger import component as ledger_component
from routing.cost.price_file import price_table
from routing.cost.prices import Price
from routing.embedding import MeteredEmbedder
from routing.lazy import LazyRouter
from routing.meter import Meter
from routing.models.catalog import DEFAULT_CATALOG, Catalog, parse_name
from routing.models.facts import ModelFacts, chat_facts
from routing.models.later import LaterModel
from routing.policy.build import NO_FALLBACK, Routes, build_routes, leaves
from routing.policy.check import check_chains, check_rules
from routing.protection import Protection, protect
from routing.router import Router
from routing.settings import RoutingSettings
from routing.vectors import Embedder, Reranker

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rag.ingest.sync import Ingestor
    from routing.batch.work import BatchableModel

KNOWLEDGE_FILE = "knowledge.db"
HOME_FILE = "home.db"
HOME_VARIABLE = "PLUMBLINE_HOME"
Facts = Callable[[str], ModelFacts]


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of a user or a server: ledger and traces, in a database of its own."""

    path: Path
    engine: Engine
    ledger: Ledger
    tracing: Tracing

    @property
    def file(self) -> Path:
        """The database."""
        return self.path / HOME_FILE

    def close(self) -> None:
        """Store what is still queued and close the database."""
        self.tracing.close()
        self.ledger.flush()
        self.engine.dispose()


@dataclass(frozen=True, slots=True)
class Parts:
    """What a `RAG` is made of."""

    path: Path
    settings: RagSettings
    engine: Engine
    home: Home
    catalogue: Catalogue
    manifest: Manifest
    changes: Changes
    known_fields: KnownFields
    live: LiveIndex
    embedder: MeteredEmbedder
    chunker: Chunker
    retriever: Retriever
    model_name: str
    answering: LazyRouter
    writing: LazyRouter
    meter: Meter
    protection: Protection
    shares_protection: bool
    system_prompt: Prompt
    question_prompt: Prompt

    @property
    def store(self) -> Store:
        """What is searched now; raises `KnowledgeBaseMismatchError` when its vectors are another embedder's."""
        return self.live.current().store

    def condition(self, given: Filter | str | None, access: Access) -> Filter | None:
        """A caller's filter, or its text form, as a filter; raises `InputError` for one that cannot be.

        Known are the fields of what may be seen with `access`.
        """
        if given is None:
            return None
        fields = self.known_fields.fields(access.condition())
        return parse_filter(given, fields) if isinstance(given, str) else check_filter(given, fields)

    @property
    def router(self) -> Router:
        """The router, made when it is first needed: searching and ingesting work without the chat model's key."""
        return self.answering.get()

    async def close(self) -> None:
        """Close everything, in the reverse order of opening."""
        await self.answering.close()
        await self.writing.close()
        if isinstance(self.chunker, BatchChunker):
            await self.chunker.close()
        if self.retriever.reranker is not None:
            await self.retriever.reranker.close()
        await self.embedder.embedder.close()
        await self.live.close()
        self.changes.close()
        self.engine.dispose()
        if not self.shares_protection:
            await self.protection.close()
        self.home.close()


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


def home_folder(path: str | Path | None = None, *, environ: Mapping[str, str] | None = None) -> Path:
    """Where the home lies: `path`, else $PLUMBLINE_HOME, else ~/.plumbline."""
    environ = os.environ if environ is None else environ
    return Path(path or environ.get(HOME_VARIABLE) or Path.home() / ".plumbline").expanduser()


def open_home(path: str | Path | None = None, *, environ: Mapping[str, str] | None = None) -> Home:
    """Open or create the home; see `home_folder`."""
    folder = home_folder(path, environ=environ)
    file = folder / HOME_FILE
    engine = open_database(file, [ledger_component(), traces_component(), budgets_component(), batches_component()])
    return Home(folder, engine, Ledger(engine, file), Tracing(engine))


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
    knowledge bases share, and stays its owner's.

    Raises `ConfigError`, `ModelError` (an API key is missing), `MissingExtraError` or `StateError`. That a knowledge
    base was built with another embedder is said when it is searched: ingesting changes it over.
    """
    environ = os.environ if environ is None else environ
    folder = Path(path).expanduser()
    embedding, catalog = settings.embedding, catalog.connected()
    embedder = embedder or catalog.embedder(embedding.model, dimensions=embedding.dimensions, environ=environ)
    name = model.name if model else catalog.full_name(settings.generation.model)
    named = model.name if model else settings.generation.model
    routes = build_routes(settings.routing, named, facts=catalog.facts)
    reranking_model = settings.retrieval.rerank.model
    prices = catalog.prices([settings.generation.model, embedding.model, reranking_model, *routes.configured.values()])

    def chat_model() -> ChatModel:
        return model or catalog.chat_model(settings.generation.model, environ=environ)

    def others() -> list[ChatModel]:
        models: list[ChatModel] = []
        for full, configured in routes.configured.items():
            make = partial(catalog.chat_model, configured, environ=environ)
            if full != name:
                models.append(make() if configured == settings.routing.fallback else LaterModel(full, make))
        return models

    def reranking(embedder: MeteredEmbedder, router: Callable[[], Router], meter: Meter) -> RerankStage | None:
        return build_rerank_stage(
            settings.retrieval,
            catalog,
            embedder,
            router,
            meter,
            retry=settings.routing.retry,
            model=name,
            environ=environ,
            reranker=reranker,
        )

    opened_home = open_home(home, environ=environ)
    try:
        engine = open_database(
            folder / KNOWLEDGE_FILE,
            [components.catalogue_component(), components.embedded_store_component(), identity_component()],
        )
        try:
            return _joined(
                folder,
                settings,
                opened_home,
                engine,
                embedder,
                name,
                chat_model,
                others,
                routes,
                reranking,
                environ,
                protection,
                prices,
                catalog.facts,
            )
        except BaseException:
            engine.dispose()
            raise
    except BaseException:
        opened_home.close()
        raise


def _joined(
    folder: Path,
    settings: RagSettings,
    home: Home,
    engine: Engine,
    embedder: Embedder,
    model_name: str,
    chat_model: Callable[[], ChatModel],
    others: Callable[[], Sequence[ChatModel]],
    routes: Routes,
    reranking: Callable[[MeteredEmbedder, Callable[[], Router], Meter], RerankStage | None],
    environ: Mapping[str, str],
    shared: Protection | None,
    prices: Mapping[str, Price],
    facts: Facts,
) -> Parts:
    """The parts over what is open already."""
    file = folder / KNOWLEDGE_FILE
    protection = shared or protection_of(home, settings)
    meter = build_meter(home, settings, protection, prices)
    metered = MeteredEmbedder(embedder, meter=meter, retry=settings.routing.retry)

    def router(*models: ChatModel) -> Router:
        return build_router(settings.routing, models, meter, protection, facts=facts)

    def answering() -> Router:
        first = _batching(chat_model(), home, meter) if settings.generation.batch else chat_model()
        return build_router(settings.routing, [first, *others()], meter, protection, routes, facts=facts)

    # What a chunker has written is stored for good, and a quotation is no wording of a question: no fallback writes.
    writing = LazyRouter(lambda: router(chat_model()))
    cutting = LazyRouter(lambda: router(_batching(chat_model(), home, meter, keeps=True)))
    make = cutting.get if settings.chunking.batch else writing.get
    chunker = build_chunker(settings.chunking, metered, model_name, make, meter.prices)
    reader = ReadConnection(file)
    catalogue, changes = Catalogue(engine, file, reader), Changes(file, reader)
    live = LiveIndex(
        Generations(engine, file, changes),
        build_store(settings.store, dim=embedder.dim, engine=engine, file=file, environ=environ),
        {**embedding_facts(embedder), "chunking": chunker.name},
        folder,
    )
    retriever = Retriever(
        live,
        metered,
        catalogue,
        settings.retrieval,
        meter.tracing,
        Reader(catalogue, settings.retrieval, lambda text: tokenizer(settings.chunking.tokenizer).count(text)),
        cache(lambda scorer: build_fusion(settings.retrieval, embedder.name, scorer, folder)),
        _planner(settings, model_name, writing, DocumentNames(engine, file, changes)),
        reranking(metered, writing.get, meter),
    )
    return Parts(
        path=folder,
        settings=settings,
        engine=engine,
        home=home,
        catalogue=catalogue,
        manifest=Manifest(engine, file),
        changes=changes,
        known_fields=KnownFields(engine, file, changes),
        live=live,
        embedder=metered,
        chunker=chunker,
        retriever=retriever,
        model_name=model_name,
        answering=LazyRouter(answering),
        writing=writing,
        meter=meter,
        protection=protection,
        shares_protection=shared is not None,
        system_prompt=load_prompt(settings.answer.system_prompt),
        question_prompt=load_prompt(settings.answer.question_prompt),
    )


def _batching(model: ChatModel, home: Home, meter: Meter, *, keeps: bool = False) -> ChatModel:
    """The model, answering in batches, whose answers it `keeps`; raises `UnsupportedError` for one that takes none."""
    from routing.batch.jobs import BatchJobs
    from routing.batch.model import BatchingModel

    return BatchingModel(cast("BatchableModel", model), BatchJobs(home.file, meter), keeps=keeps)


def _planner(settings: RagSettings, model_name: str, writing: LazyRouter, names: DocumentNames) -> Planner:
    return build_planner(
        settings.retrieval.question,
        model=model_name,
        make_router=writing.get,
        names=names,
        seconds=settings.generation.timeout_seconds,
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


def protection_of(home: Home, settings: RagSettings) -> Protection:
    """What stands guard over the calls of this process; raises what `routing.protection.protect` raises."""
    return protect(settings.routing, home.file, _addresses(settings), home.ledger)


def build_meter(
    home: Home, settings: RagSettings, protection: Protection, brought: Mapping[str, Price] | None = None
) -> Meter:
    """What calls go through: guards and budgets, the home's traces and ledger, shipped prices and one's own.

    `brought` are prices that models bring along; what the settings say wins over them.
    """
    prices = price_table(settings.routing)
    unknown = {name: price for name, price in (brought or {}).items() if prices.find(name) is None}
    return Meter(
        home.tracing,
        home.ledger,
        prices.with_prices(unknown),
        guards=protection.guards,
        budgets=protection.budgets,
        retry_budget=protection.retry_budget,
        latencies=protection.latencies,
    )


def build_router(
    routing: RoutingSettings,
    models: Sequence[ChatModel],
    meter: Meter,
    protection: Protection,
    routes: Routes | None = None,
    *,
    facts: Facts = chat_facts,
) -> Router:
    """The router over some models: by `routes`, which may name all of them, else in their order."""
    return Router(
        models,
        meter=meter,
        retry=routing.retry,
        policy=None if routes is None else routes.policy,
        by_reason=None if routes is None else routes.by_reason,
        broken_stream=routing.broken_stream,
        hedges=protection.hedges,
        facts=facts,
    )


def _addresses(settings: RagSettings) -> dict[str, str]:
    """Where the models that a configuration names are served, by their names without an address."""
    names = [
        settings.generation.model,
        settings.embedding.model,
        settings.retrieval.rerank.model,
        *settings.serve.models,
        *(name for rule in settings.routing.rules for name in rule.use),
        *(name for chain in settings.routing.fallbacks.values() for name in chain),
    ]
    parsed = [parse_name(name) for name in (*names, settings.routing.fallback)]
    return {model.full: model.address for model in parsed if model is not None and model.address is not None}


def embedding_facts(embedder: Embedder) -> dict[str, str]:
    """What the vectors of a knowledge base depend on."""
    return {"embedder": embedder.name, "dim": str(embedder.dim)}
