"""What the calls of a knowledge base, or of a server, go through: guards, meter, routers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from plumbline.aio import LoopThread
from rag.home import Home
from rag.models import Models, addresses
from rag.settings import RagSettings
from routing.chat import ChatModel
from routing.cost.price_file import price_table
from routing.cost.prices import Price, PriceTable
from routing.embedding import MeteredEmbedder
from routing.lazy import LazyRouter
from routing.meter import Meter
from routing.models.facts import ModelFacts, chat_facts
from routing.models.later import LaterModel
from routing.policy import InOrder, Policy
from routing.policy.build import Routes, leaves
from routing.protection import Protection, protect
from routing.resilience.fallback import Reason
from routing.router import Router
from routing.settings import RoutingSettings
from routing.vectors import Embedder

if TYPE_CHECKING:
    from routing.batch.work import BatchableModel

Facts = Callable[[str], ModelFacts]


@dataclass(frozen=True, slots=True)
class Routers:
    """Makes routers that share one meter and what stands guard."""

    routing: RoutingSettings
    meter: Meter
    protection: Protection
    facts: Facts = chat_facts

    def routed(self, models: Sequence[ChatModel], routes: Routes) -> Router:
        """The router by `routes`, which may name all of `models`."""
        return self._over(models, routes.policy, routes.by_reason)

    def alone(self, model: ChatModel, configured: str) -> Router:
        """The router of one model, which nobody stands in for; how it is `configured` tells where it is asked."""
        return self._over([model], InOrder((model.name,), lambda name: leaves(configured)), {})

    def _over(self, models: Sequence[ChatModel], policy: Policy, by_reason: Mapping[Reason, Sequence[str]]) -> Router:
        return Router(
            models,
            meter=self.meter,
            retry=self.routing.retry,
            policy=policy,
            by_reason=by_reason,
            broken_stream=self.routing.broken_stream,
            hedges=self.protection.hedges,
            facts=self.facts,
        )


@dataclass(frozen=True, slots=True)
class Calls:
    """Everything of a knowledge base that asks models: who answers, who writes questions, and who writes for chunks.

    `staying` answers what may not leave the machine where the configured model is asked elsewhere: its key may be
    missing then.
    """

    routers: Routers
    embedder: MeteredEmbedder
    routes: Routes
    answering: LazyRouter
    staying: LazyRouter
    writing: LazyRouter
    cutting: LazyRouter

    @classmethod
    def of(cls, models: Models, embedder: Embedder, home: Home, protection: Protection) -> Calls:
        """From the models; none but the embedder is made before it is needed. Raises `ConfigError`."""
        settings, routes = models.settings, models.routes(protection.typical_seconds)
        meter = build_meter(home, settings, protection, models.prices(routes))
        routers = Routers(settings.routing, meter, protection, models.catalog.facts)

        def answering() -> Router:
            first = _batching(models.chat(), home, meter) if settings.generation.batch else models.chat()
            return routers.routed([first, *models.others(routes)], routes)

        def staying() -> Router:
            return routers.routed([LaterModel(models.name, models.chat), *models.others(routes)], routes)

        # What a chunker has written is stored for good, and a quotation is no wording of a question: no fallback.
        def writing() -> Router:
            return routers.alone(models.chat(), models.configured)

        def cutting() -> Router:
            return routers.alone(_batching(models.chat(), home, meter, keeps=True), models.configured)

        stays = leaves(models.configured) is None
        answers = LazyRouter(answering)
        return cls(
            routers,
            MeteredEmbedder(embedder, meter=meter, retry=settings.routing.retry),
            routes,
            answers,
            answers if stays else LazyRouter(staying),
            LazyRouter(writing),
            LazyRouter(cutting),
        )


def protection_of(home: Home, settings: RagSettings) -> Protection:
    """What stands guard over the calls of this process; raises what `routing.protection.protect` raises."""
    return protect(settings.routing, home.file, addresses(settings), home.ledger)


def close_protection(protection: Protection) -> None:
    """Close what stood guard, where nobody can wait for it: opening what it was made for has failed."""
    loop = LoopThread()
    try:
        loop.run(protection.close())
    finally:
        loop.close()


def build_meter(
    home: Home, settings: RagSettings, protection: Protection, brought: Mapping[str, Price] | None = None
) -> Meter:
    """What calls go through: guards and budgets, the home's traces and ledger, shipped prices and one's own.

    `brought` are prices that models bring along; what the settings say wins over them.
    """
    return Meter(
        home.tracing,
        home.ledger,
        prices_with(settings.routing, brought or {}),
        guards=protection.guards,
        budgets=protection.budgets,
        retry_budgets=protection.retry_budgets,
        latencies=protection.latencies,
    )


def prices_with(routing: RoutingSettings, brought: Mapping[str, Price]) -> PriceTable:
    """Shipped prices and one's own, and those that models bring along where there is none of either."""
    prices = price_table(routing)
    return prices.with_prices({name: price for name, price in brought.items() if prices.find(name) is None})


def _batching(model: ChatModel, home: Home, meter: Meter, *, keeps: bool = False) -> ChatModel:
    """The model, answering in batches, whose answers it `keeps`; raises `UnsupportedError` for one that takes none."""
    from routing.batch.jobs import BatchJobs
    from routing.batch.model import BatchingModel

    return BatchingModel(cast("BatchableModel", model), BatchJobs(home.file, meter), keeps=keeps)
