"""The models of a knowledge base: those that the settings name, or those that were given in their place."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qsl

from rag.index.build_store import store_named
from rag.index.settings import StoreSettings
from rag.index.store_urls import parsed
from rag.retrieve.build_rerank import build_rerank_stage
from rag.retrieve.rerank import RerankStage
from rag.retrieve.search import Needed
from rag.settings import RagSettings
from routing.chat import ChatModel
from routing.cost.prices import Price
from routing.embedding import MeteredEmbedder
from routing.meter import Meter
from routing.models.catalog import Catalog, parse_name
from routing.models.later import LaterModel
from routing.places import leaves_by
from routing.policy.build import Routes, build_routes, leaves
from routing.policy.fitting import P50
from routing.policy.step import Step
from routing.router import Router
from routing.settings import RoutingSettings
from routing.vectors import Embedder, Reranker

_OTHER_EMBEDDER = (
    "Take one of this machine (embedded/wordllama, st/…, vllm/NAME@http://localhost:PORT) and ingest again, "
    "or search by words alone: retrieval.mode = lexical."
)
_OTHER_STORE = "Take the embedded store, or a server at localhost or a private address: rag migrate."


@dataclass(frozen=True, slots=True)
class Models:
    """Makes the models of `settings` by `catalog`, with keys from `environ`.

    `model`, `own_embedder` and `own_reranker` take the place of those that the settings name.
    """

    settings: RagSettings
    catalog: Catalog
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    model: ChatModel | None = None
    own_embedder: Embedder | None = None
    own_reranker: Reranker | None = None

    @property
    def configured(self) -> str:
        """The model that answers unless a rule says otherwise, as it was named."""
        return self.settings.generation.model if self.model is None else self.model.name

    @property
    def name(self) -> str:
        """The same model's full name."""
        return self.configured if self.model is not None else self.catalog.full_name(self.configured)

    def routes(self, p50: P50) -> Routes:
        """Who answers what; `p50` tells how fast models were seen to be."""
        return build_routes(self.settings.routing, self.configured, p50=p50, facts=self.catalog.facts)

    def chat(self) -> ChatModel:
        """The model that answers unless a rule says otherwise; raises as `Catalog.chat_model`."""
        return self.model or self.catalog.chat_model(self.settings.generation.model, environ=self.environ)

    def others(self, routes: Routes) -> list[ChatModel]:
        """The other models of `routes`: the last resort made now, the rest when they are first asked."""
        models: list[ChatModel] = []
        for full, configured in routes.configured.items():
            make = partial(self.catalog.chat_model, configured, environ=self.environ)
            if full != self.name:
                last = configured == self.settings.routing.fallback
                models.append(make() if last else LaterModel(full, make))
        return models

    def embedder(self) -> Embedder:
        """The embedder; raises as `Catalog.embedder`."""
        named = self.settings.embedding
        return self.own_embedder or self.catalog.embedder(
            named.model, dimensions=named.dimensions, environ=self.environ
        )

    def rerank_stage(
        self, embedder: MeteredEmbedder, router: Callable[[], Router], meter: Meter, p50: P50
    ) -> RerankStage | None:
        """What follows the search, if anything does; raises as `rag.retrieve.build_rerank.build_rerank_stage`."""
        return build_rerank_stage(
            self.settings.retrieval,
            self.catalog,
            embedder,
            router,
            meter,
            retry=self.settings.routing.retry,
            writer=self.writer(p50),
            embedding=self._embedding(),
            seconds=self.settings.generation.timeout_seconds,
            environ=self.environ,
            reranker=self.own_reranker,
        )

    def writer(self, p50: P50) -> Step:
        """The model that rewrites questions and orders passages, as a step on the way to an answer."""
        return Step(self.name, "generation.model", leaves(self.configured), p50)

    def needed(self) -> tuple[Needed, ...]:
        """The steps that every search takes, and what to do where one must not be taken."""
        store = self.settings.store
        step = Step(store_named(store), "store.url", _store_leaves(store, self.environ))
        by_words = self.settings.retrieval.mode == "lexical"
        return (*(() if by_words else ((self._embedding(), _OTHER_EMBEDDER),)), (step, _OTHER_STORE))

    def prices(self, routes: Routes) -> dict[str, Price]:
        """What models of one's own say that they cost."""
        named = (self.settings.embedding.model, self.settings.retrieval.rerank.model, *self.settings.serve.models)
        return self.catalog.prices([*named, *routes.configured.values()])

    def _embedding(self) -> Step:
        named = self.settings.embedding.model if self.own_embedder is None else self.own_embedder.name
        return Step(self.catalog.full_name(named), "embedding.model", leaves(named))


def addresses(settings: RagSettings) -> dict[str, str]:
    """Where the models that a configuration names are served, by their names without an address."""
    names = [
        settings.generation.model,
        settings.embedding.model,
        settings.retrieval.rerank.model,
        *settings.serve.models,
        *_routed(settings.routing),
    ]
    found = map(parse_name, names)
    return {model.full: model.address for model in found if model is not None and model.address is not None}


def _routed(routing: RoutingSettings) -> list[str]:
    rules = [name for rule in routing.rules for name in rule.use]
    return [*rules, *(name for chain in routing.fallbacks.values() for name in chain), routing.fallback]


def _store_leaves(store: StoreSettings, environ: Mapping[str, str]) -> str | None:
    """Where the store is sent what is searched for; `None`: it stays."""
    if store.url is None:
        return None
    query = dict(parse_qsl(parsed(store.url).query))
    if {"host", "hostaddr", "service"} & set(query):  # which PostgreSQL asks in place of the address's own host
        return "its address names its host by an option"
    instead = next((name for name in ("PGHOSTADDR", "PGSERVICE") if environ.get(name)), None)
    if store.kind == "pgvector" and instead is not None:
        return f"{instead} names its host"
    return leaves_by(store.kind, store.url)
