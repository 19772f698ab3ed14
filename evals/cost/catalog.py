"""The catalogue of a benchmark: every model it makes is behind the budget, and one may be simulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from evals.cost.budgeted import BudgetedChatModel, BudgetedEmbedder, Purse
from evals.cost.profiles import Profile
from routing.chat import ChatModel
from routing.models.catalog import DEFAULT_CATALOG, Catalog, parse_name
from routing.models.providers import ModelName, ModelOptions, Provider
from routing.vectors import Embedder

MakeModel = Callable[[Profile], ChatModel]


def bench_catalog(
    purse: Purse, profile: Profile | None = None, make: MakeModel | None = None, base: Catalog = DEFAULT_CATALOG
) -> Catalog:
    """`base` with each model behind `purse`, so that neither a fallback nor a helper model goes past it.

    The chat model that `profile` simulates is made by `make` and bills nobody, so it is behind no purse.
    """
    providers = {name: _guarded(provider, purse) for name, provider in base.providers.items()}
    if profile is not None and make is not None:
        name = parse_name(profile.model)
        assert name is not None  # profiles are checked by a test
        providers[name.provider] = _simulated(providers[name.provider], profile, make)
    return Catalog(providers)


def _guarded(provider: Provider, purse: Purse) -> Provider:
    chat, embedder = provider.chat, provider.embedder

    def guarded_chat(name: ModelName, options: ModelOptions) -> ChatModel:
        assert chat is not None  # replaced only where there is one
        return BudgetedChatModel(chat(name, options), purse)

    def guarded_embedder(name: ModelName, options: ModelOptions) -> Embedder:
        assert embedder is not None  # replaced only where there is one
        return BudgetedEmbedder(embedder(name, options), purse)

    return replace(
        provider,
        chat=None if chat is None else guarded_chat,
        embedder=None if embedder is None else guarded_embedder,
    )


def _simulated(provider: Provider, profile: Profile, make: MakeModel) -> Provider:
    def chat(name: ModelName, options: ModelOptions) -> ChatModel:
        if name.full == profile.model:
            return make(profile)
        assert provider.chat is not None  # whatever can be simulated is a provider of chat models
        return provider.chat(name, options)

    def check(name: ModelName) -> None:
        if name.full != profile.model:
            provider.check_chat(name)

    return replace(provider, chat=chat, check_chat=check)
